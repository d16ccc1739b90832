//! Lines of services as users see them.

use roost_ident::time::rfc3339_ms;
use roost_logs::{Record, Stream, Tag};
use roost_text::append_line;
use serde_json::json;

/// Forms of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Time and text, with marks for starts, ends and missing lines.
    Text,
    /// Only the text.
    Plain,
    /// One JSON object per line.
    Json,
}

/// Formats lines as text.
#[derive(Debug)]
pub struct Printer {
    form: Form,
    /// The stream of a line whose end has not been printed yet.
    open_part: Option<Stream>,
}

impl Printer {
    /// A printer in this form.
    #[must_use]
    pub fn new(form: Form) -> Self {
        Self { form, open_part: None }
    }

    /// The text of one line; empty when the form leaves it out.
    pub fn text(&mut self, record: &Record<'_>) -> String {
        let line = &record.line;
        let mark = line.tag.mark();
        if self.form == Form::Json {
            let mut object = json!({
                "time": rfc3339_ms(line.unix_ms),
                "stream": line.stream.name(),
                "sequence": record.position,
                "text": line.of_hook().map_or(line.text, |(_, text)| text),
            });
            if let Some((hook, _)) = line.of_hook() {
                object["hook"] = hook.into();
            }
            if let Some(mark) = mark {
                object["mark"] = mark.into();
            }
            if line.tag == Tag::Part {
                object["partial"] = true.into();
            }
            return format!("{object}\n");
        }
        if self.form == Form::Plain && mark.is_some() {
            return String::new();
        }
        let mut out = String::new();
        let is_own = matches!(line.tag, Tag::Whole | Tag::Part);
        let continues = self.open_part == Some(line.stream) && is_own;
        if self.open_part.is_some() && !continues {
            out.push('\n');
        }
        if self.form == Form::Text && !continues {
            // A loss detected by the reader itself has no time.
            if line.unix_ms > 0 {
                out.push_str(&rfc3339_ms(line.unix_ms));
                out.push(' ');
            }
        }
        match mark {
            Some(_) => {
                out.push_str("-- ");
                append_line(&mut out, line.text);
                out.push_str(" --");
            }
            None => append_line(&mut out, line.text),
        }
        self.open_part = (line.tag == Tag::Part).then_some(line.stream);
        if self.open_part.is_none() {
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use roost_logs::Line;

    use super::*;

    #[test]
    fn lines_become_text() {
        let (out, err) = (Stream::Stdout, Stream::Stderr);
        let lines = [
            (out, Tag::Started, "process 7 started"),
            (out, Tag::Whole, "a\x1b[2J"),
            (out, Tag::Part, "b1"),
            (out, Tag::Whole, "b2"),
            (out, Tag::Part, "c"),
            (out, Tag::Hook, "[init] h"),
            (err, Tag::Whole, "d"),
        ];
        let text = |form| {
            let mut printer = Printer::new(form);
            let text = |(stream, tag, text): &(Stream, Tag, &'static str)| {
                let line = Line { unix_ms: 1, stream: *stream, tag: *tag, text };
                printer.text(&Record { position: 9, line })
            };
            lines.iter().map(text).collect::<String>()
        };
        let time = "1970-01-01T00:00:00.001Z";
        assert_eq!(text(Form::Plain), "a\\u{1b}[2J\nb1b2\nc\n[init] h\nd\n");
        assert_eq!(
            text(Form::Text),
            format!(
                "{time} -- process 7 started --\n{time} a\\u{{1b}}[2J\n{time} b1b2\n{time} c\n{time} [init] h\n{time} d\n"
            )
        );
        let json = text(Form::Json);
        let first: serde_json::Value =
            serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
        assert_eq!(
            first,
            json!({"time": time, "stream": "stdout", "sequence": 9, "text": "process 7 started",
                "mark": "started"})
        );
    }
}
