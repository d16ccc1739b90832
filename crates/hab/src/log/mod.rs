//! The diagnostic log: `[2026-11-22T15:51:38Z ERROR module::path] message`
//! (reference: control §20.4). It is separate from the messages for users.

mod yml;

use std::{
    fmt,
    io::{self, Write as _},
    path::Path,
};

use roost_ident::time::rfc3339_s;
use roost_launch::line::{Level, Line, SUPERVISOR, Style};
use roost_logs::Stream;
use tracing::{Event, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, format::Writer},
    registry::LookupSpan,
};

use crate::{clock, context::variable};

/// For a Supervisor: levels from `log.yml`; else `RUST_LOG`, to standard error; else errors, to
/// standard output.
pub(crate) fn start_supervisor(log_yml: &Path, style: Style) {
    let (to_stdout, to_stderr) = (style.of_output(Stream::Stdout), style.of_output(Stream::Stderr));
    // Reported on standard error in Habitat's words: the log itself does not run yet.
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
    // A failure of standard error, for example on a full disk, cannot be reported.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// For a command: `RUST_LOG`, to standard error. Without it the only output is the error that ends
/// the command.
pub(crate) fn start_command() {
    if let Some(filter) = variable("RUST_LOG") {
        start(parse(&filter), io::stderr, Style::default());
    }
}

/// Skips invalid parts, and everything after a slash.
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

/// The format of a line: with time and module; JSON if other lines are JSON; with a priority for
/// the journal.
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
        // The line may contain names and errors from the network and from files.
        roost_text::append_line(&mut line, &fields);
        writeln!(writer, "{line}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_filters_are_skipped() {
        assert_eq!(parse("warn,=,a::b=debug/regex").to_string(), "a::b=debug,warn");
        assert_eq!(parse("").to_string(), "error");
    }
}
