//! What a fact may hold at most. Longer text is cut at a character and ends in `…`.

/// Bytes of a message.
pub const MESSAGE_BYTES: usize = 1024;

/// Bytes of one text in the data of a fact.
pub const TEXT_BYTES: usize = 4096;

/// Bytes of a service group or of a value before or after a change.
pub const WORD_BYTES: usize = 512;

/// `text`, cut to `most` bytes.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    const CUT: &str = "…";
    let end = text.floor_char_boundary(most.saturating_sub(CUT.len()));
    format!("{}{CUT}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("größer als erlaubt", 6), "gr…");
        assert!(cut(&"ö".repeat(600), 512).len() <= 512);
    }
}
