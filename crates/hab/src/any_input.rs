//! Deterministic mutations of a text, for tests of parsers.

/// Inserted pieces, which begin, end or nest something.
const PIECES: [&str; 14] =
    ["\0", "\n", " ", ":", "- ", "&a ", "*a", "{", "[", "[[", "=", "\"", "'''", "\u{feff}"];

/// The prefixes of a text, the text with a piece inserted at each position, and repeated pieces.
pub(crate) fn mutations(text: &str) -> impl Iterator<Item = String> {
    let places = || text.char_indices().map(|(at, _)| at);
    let cut = places().map(|at| text[..at].to_owned());
    let put = places().flat_map(move |at| {
        PIECES.iter().map(move |piece| format!("{}{piece}{}", &text[..at], &text[at..]))
    });
    let repeated = PIECES.iter().map(|piece| piece.repeat(20_000));
    cut.chain(put).chain(repeated)
}
