//! Comparison of package versions.
//!
//! The rule is Habitat's own, not semantic versioning: a leading run of digits and dots is compared
//! number by number, the rest is compared as text, and a version without such a suffix is newer
//! than one with it.

use std::cmp::Ordering;

/// A version split into its numeric part and the suffix.
///
/// Text before the first digit or dot is ignored, so `v2.0` is read like `2.0`.
fn split(version: &str) -> Option<(&str, Option<&str>)> {
    let numeric = |c: char| c.is_ascii_digit() || c == '.';
    let start = version.find(numeric)?;
    let rest = &version[start..];
    let end = rest.find(|c| !numeric(c)).unwrap_or(rest.len());
    // `.` in the extension stops at a line end in the original pattern; so does this.
    let extension = rest[end..].split('\n').next().unwrap_or_default();
    let extension = match extension {
        "" => None,
        text if text.len() > 1 => Some(text.strip_prefix('-').unwrap_or(text)),
        text => Some(text),
    };
    Some((&rest[..end], extension))
}

/// Compares two numeric parts piece by piece, padding the shorter one with zeros. `None` when a
/// decisive piece is not an unsigned 64-bit number.
fn compare_numbers(a: &str, b: &str) -> Option<Ordering> {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (left, right) = match (a.next(), b.next()) {
            (None, None) => return Some(Ordering::Equal),
            (left, right) => (left.unwrap_or("0"), right.unwrap_or("0")),
        };
        let left: u64 = left.parse().ok()?;
        let right: u64 = right.parse().ok()?;
        if left != right {
            return Some(left.cmp(&right));
        }
    }
}

/// Orders two versions, or `None` when a decisive part is not numeric.
#[must_use]
pub fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a_numbers, a_extension) = split(a)?;
    let (b_numbers, b_extension) = split(b)?;
    let numbers = compare_numbers(a_numbers, b_numbers)?;
    Some(numbers.then_with(|| compare_extensions(a_extension, b_extension)))
}

fn compare_extensions(a: Option<&str>, b: Option<&str>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => a.cmp(b),
    }
}

/// [`compare`] where it gives a result, extended to a total order (except that `1.0` equals
/// `1.0.0`): used wherever releases are sorted or the newest is chosen. An empty piece counts as 0,
/// numbers may have any length, and versions without digits come last, as text.
///
/// Habitat compares bytes where [`compare`] fails, which is not transitive: 9 is older than 10, 10
/// as text before 5 with twenty zeros, and that before 9.
#[must_use]
pub fn compare_or_text(a: &str, b: &str) -> Ordering {
    match (split(a), split(b)) {
        (Some((a_numbers, a_extension)), Some((b_numbers, b_extension))) => {
            compare_digits(a_numbers, b_numbers)
                .then_with(|| compare_extensions(a_extension, b_extension))
        }
        (None, None) => a.cmp(b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    }
}

/// As [`compare_numbers`], for pieces of any length, including empty ones.
fn compare_digits(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (left, right) = (a.next(), b.next());
        if left.is_none() && right.is_none() {
            return Ordering::Equal;
        }
        let digits = |piece: Option<&str>| {
            let digits = piece.unwrap_or_default().trim_start_matches('0').to_owned();
            (digits.len(), digits)
        };
        let order = digits(left).cmp(&digits(right));
        if order.is_ne() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_examples_compare_as_recorded() {
        use Ordering::{Equal, Greater};
        for (a, b, expected) in [
            ("1.0.0", "1.0.0-alpha", Some(Greater)),
            ("10.0", "9.0", Some(Greater)),
            ("1.0.0-rc.9", "1.0.0-rc.10", Some(Greater)),
            ("2016j", "2016i", Some(Greater)),
            ("1.2.3", "1.2.3+b1", Some(Greater)),
            ("1.0.0", "1.0.0_1", Some(Greater)),
            ("1.0", "1.0.0", Some(Equal)),
            ("v2.0", "1.9", Some(Greater)),
            ("1.1", "1.0.", Some(Greater)),
            ("abc", "1.0", None),
            ("99999999999999999999", "2.0", None),
            ("1..0", "1.1", None),
        ] {
            assert_eq!(compare(a, b), expected, "{a} against {b}");
            assert_eq!(compare(b, a), expected.map(Ordering::reverse), "{b} against {a}");
        }
    }

    #[test]
    fn the_sort_order_is_transitive() {
        let sorted = ["1.0.x", "1.0.0", "9", "10", "500000000000000000000", "HEAD", "master"];
        for (at, a) in sorted.iter().enumerate() {
            for (bt, b) in sorted.iter().enumerate() {
                assert_eq!(compare_or_text(a, b), at.cmp(&bt), "{a} against {b}");
                if let Some(expected) = compare(a, b) {
                    assert_eq!(compare_or_text(a, b), expected, "{a} against {b}");
                }
            }
        }
    }

    #[test]
    fn versions_without_digits_compare_as_text() {
        assert_eq!(compare_or_text("master", "0.5"), Ordering::Greater);
        assert_eq!(compare_or_text("abc", "1.0"), Ordering::Greater);
    }
}
