//! The diagnostic log: `[2026-11-22T15:51:38Z ERROR module::path] message`
//! (reference: control §20.4). It is separate from the messages for users.

mod yml;

use std::{
    fmt,
    io::{self, Write as _},
    path::Path,
};

use roost_ident::time::rfc3339_s;
use roost_launch::{
    line::{Level, Line, SUPERVISOR, Style},
    wire::Stream,
};
use tracing::{Event, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, format::Writer},
    registry::LookupSpan,
};

use crate::{clock, context::variable};

/// For a Supervisor: what `log.yml` says, else what `RUST_LOG` asks for to standard error, else
/// errors to standard output.
pub(crate) fn start_supervisor(log_yml: &Path, style: Style) {
    let (to_stdout, to_stderr) = (style.of_output(Stream::Stdout), style.of_output(Stream::Stderr));
    // Said on standard error, in the words of Habitat: the log itself does not run yet.
    match yml::read(log_yml) {
        Ok(None) => {}
        Ok(Some(levels)) => {
            for ignored in levels.ignored {
                complain(log_yml, &format!(": not supported, and without effect: {ignored}"));
            }
            return match levels.to_stderr {
                true => start(parse(&levels.filter), io::stderr, to_stderr),
                false => start(parse(&levels.filter), io::stdout, to_stdout),
            };
        }
        Err(error) => {
            complain(log_yml, &format!(" not valid: {error}; using default logging configuration"));
        }
    }
    match variable("RUST_LOG") {
        Some(filter) => start(parse(&filter), io::stderr, to_stderr),
        None => {
            let errors = EnvFilter::default().add_directive(LevelFilter::ERROR.into());
            start(errors, io::stdout, to_stdout);
        }
    }
}

fn complain(log_yml: &Path, what: &str) {
    let text = format!("Logging configuration file '{}'{what}", log_yml.display());
    let line = format!("{}\n", roost_text::block(&text));
    // Where standard error cannot be written, for instance on a full disk, nobody can be told.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// For a command: what `RUST_LOG` asks for, to standard error. Without it there is nothing to
/// tell beside the error that ends the command.
pub(crate) fn start_command() {
    if let Some(filter) = variable("RUST_LOG") {
        start(parse(&filter), io::stderr, Style::default());
    }
}

/// Parts that make no sense are skipped, and so is what follows a slash.
fn parse(text: &str) -> EnvFilter {
    let filters = text.split('/').next().unwrap_or_default();
    EnvFilter::builder().with_default_directive(LevelFilter::ERROR.into()).parse_lossy(filters)
}

fn start<W: for<'a> MakeWriter<'a> + Send + Sync + 'static>(
    filter: EnvFilter,
    writer: W,
    style: Style,
) {
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(false)
        .event_format(Form(style))
        .init();
}

/// The form of a line: with the time and the module in front; as the other lines where these are
/// JSON; with its priority for the journal.
struct Form(Style);

impl<S, N> FormatEvent<S, N> for Form
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut fields = String::new();
        context.format_fields(Writer::new(&mut fields), event)?;
        let level = match *metadata.level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warning,
            tracing::Level::INFO => Level::Info,
            _ => Level::Debug,
        };
        if self.0.json {
            let text = format!("{}: {fields}", metadata.target());
            let line = Line { level, ..Line::new(SUPERVISOR, "LOG", &text) };
            return writer.write_str(&line.format(self.0));
        }
        let now = rfc3339_s(clock::unix_ms());
        let priority =
            if self.0.journal { format!("<{}>", level.priority()) } else { String::new() };
        let mut line = format!("{priority}[{now} {} {}] ", metadata.level(), metadata.target());
        // Names and errors from the network and from files are part of it.
        roost_text::append_line(&mut line, &fields);
        writeln!(writer, "{line}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_that_make_no_sense_are_skipped() {
        assert_eq!(parse("warn,=,a::b=debug/regex").to_string(), "a::b=debug,warn");
        assert_eq!(parse("").to_string(), "error");
    }
}
