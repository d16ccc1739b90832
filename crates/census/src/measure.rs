//! Estimates the memory of a parsed TOML text before parsing it: the text comes from the network,
//! and two bytes can produce a large value.

/// Limits of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) bytes: usize,
    pub(crate) values: usize,
}

/// A configuration applied to a group, or the exports of one member. `hab config apply` takes
/// 64 KiB.
pub(crate) const LIMITS: Limits = Limits { bytes: 1024 * 1024, values: 32_768 };
/// Depth of nested tables and arrays, and parts of a dotted key.
const DEPTH_MAX: usize = 64;
/// Approximate size of a parsed value with its key.
const VALUE_BYTES: usize = 160;

/// Size of the parsed text in memory, in bytes.
///
/// # Errors
/// When the text is longer, has more values or is deeper nested than allowed.
pub(crate) fn weigh(text: &str, limits: Limits) -> Result<usize, String> {
    let Limits { bytes, values } = limits;
    if text.len() > bytes {
        return Err(format!("it has {} bytes, the limit is {bytes}", text.len()));
    }
    let shape = Shape::of(text.as_bytes());
    if shape.values > values {
        return Err(format!("it has about {} values, the limit is {values}", shape.values));
    }
    if shape.depth > DEPTH_MAX {
        return Err(format!("it is nested {} deep, the limit is {DEPTH_MAX}", shape.depth));
    }
    Ok(text.len() + shape.values * VALUE_BYTES)
}

/// Upper bounds, except for texts that are not TOML.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    values: usize,
    depth: usize,
}

impl Shape {
    /// Counts the starts of values and tables, outside of strings and comments.
    fn of(text: &[u8]) -> Self {
        let (mut shape, mut open, mut dots) = (Self::default(), 0_usize, 0_usize);
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            match byte {
                b'"' | b'\'' => {
                    at = end_of_string(text, at);
                    continue;
                }
                b'#' => {
                    at = text[at..].iter().position(|b| *b == b'\n').map_or(text.len(), |n| at + n);
                    continue;
                }
                b'[' | b'{' => {
                    open += 1;
                    (shape.values, dots) = (shape.values + 1, 0);
                }
                b']' | b'}' => (open, dots) = (open.saturating_sub(1), 0),
                b'=' | b',' => (shape.values, dots) = (shape.values + 1, 0),
                b'.' => (shape.values, dots) = (shape.values + 1, dots + 1),
                b'\n' => dots = 0,
                _ => {}
            }
            shape.depth = shape.depth.max(open + dots);
            at += 1;
        }
        shape
    }
}

/// Offset after the string that starts here.
fn end_of_string(text: &[u8], start: usize) -> usize {
    let quote = text[start];
    let is_long = text[start..].starts_with(&[quote; 3]);
    let mut at = start + if is_long { 3 } else { 1 };
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            // a single-line string ends here, even without a closing quote
            b'\n' if !is_long => return at,
            byte if *byte == quote && !is_long => return at + 1,
            byte if *byte == quote && text[at..].starts_with(&[quote; 3]) => return at + 3,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(value: &toml::Value) -> usize {
        match value {
            toml::Value::Array(items) => 1 + items.iter().map(values).sum::<usize>(),
            toml::Value::Table(table) => 1 + table.values().map(values).sum::<usize>(),
            _ => 1,
        }
    }

    #[test]
    fn bombs_are_found_before_they_are_parsed() {
        let list = format!("a=[{}]", "1,".repeat(400_000));
        let error = weigh(&list, LIMITS).expect_err("too many");
        assert!(error.contains("about 400002 values, the limit is 32768"), "{error}");
        let tables = format!("a=[{}]", "{a.b.c.d=1},".repeat(50_000));
        assert!(weigh(&tables, LIMITS).is_err());
        for deep in [
            format!("a={}{}", "[".repeat(65), "]".repeat(65)),
            format!("{}a = 1", "a.".repeat(65)),
            format!("[{}a]", "a.".repeat(65)),
        ] {
            assert!(weigh(&deep, LIMITS).expect_err("too deep").contains("deep"), "{deep}");
        }
        assert!(weigh(&"#".repeat(LIMITS.bytes + 1), LIMITS).is_err());
    }

    #[test]
    fn text_in_strings_and_comments_does_not_count() {
        let text = "a = \"\"\"\n[x,y,\"z\"]\\\"\"\"\"\nb = 'x.y' # a.b,c\nc = \"\\\",,\"\n";
        assert_eq!(Shape::of(text.as_bytes()), Shape { values: 3, depth: 0 });
        let large = format!("cert = '''\n{}'''\n", "a.b,c=[d]\n".repeat(50_000));
        assert!(weigh(&large, LIMITS).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_has_more_values_than_counted(
            lines in prop::collection::vec(
                "[a-c](\\.[a-c]){0,3} = (1|1\\.5|'x'|\"y\"|\\[1, [0-9]\\]|\\{ z = 1, y\\.x = 2 \\}|\"\"\"a\n'\"\"\"|true) (# [\\[=\"']{0,3})?|\\[[d-g](\\.[a-c]){0,2}\\]|\\[\\[[h-i]\\]\\]",
                0..12,
            )
        ) {
            let text = lines.join("\n");
            if let Ok(table) = text.parse::<toml::Table>() {
                let counted = Shape::of(text.as_bytes()).values;
                prop_assert!(values(&toml::Value::Table(table)) <= counted + 1, "{text}");
            }
        }
    }
}
