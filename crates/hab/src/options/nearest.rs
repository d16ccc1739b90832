//! Suggestion for a misspelled word.

/// More different letters are not a typing mistake.
const MOST_LETTERS: usize = 3;

/// The known word nearest to this one, if it is near enough. Hyphens count as underscores.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.replace('-', "_");
    let all = known.iter().map(|known| (distance(&word, known), *known));
    all.min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= MOST_LETTERS)
        .map(|(_, known)| known)
}

/// Number of letters to change, insert or delete to turn one word into the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_to_change_are_counted() {
        assert_eq!((distance("", "abc"), distance("kitten", "sitting")), (3, 3));
        assert_eq!(nearest("listen-htpp", &["peer", "listen_http"]), Some("listen_http"));
        assert_eq!(nearest("something", &["peer", "listen_http"]), None);
    }
}
