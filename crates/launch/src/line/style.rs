//! Which form lines have.

use std::io::IsTerminal;

use roost_logs::Stream;

/// The format of lines. The default is plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Colours; see [`Style::on`] for where they appear.
    pub color: bool,
    /// One JSON object per line; wins over `color`.
    pub json: bool,
    /// Include the source location.
    pub verbose: bool,
    /// Plain lines start with the time. JSON lines always contain it.
    pub time: bool,
    /// The output is the journal: lines start with their priority, `<3>` (`sd-daemon(3)`). A
    /// property of the output that [`Style::of_output`] detects, not an option.
    pub journal: bool,
}

impl Style {
    /// The style according to options and environment. Colour is on unless `--no-color` was given
    /// (`no_color`), `NO_COLOR` is set, `HAB_NOCOLORING` is `1` or `true`, or `TERM` is unset,
    /// empty or `dumb`. `env` looks up a variable; an empty value counts as unset.
    pub fn choose(
        no_color: bool,
        json: bool,
        verbose: bool,
        env: impl Fn(&str) -> Option<String>,
    ) -> Style {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let capable = set("TERM").is_some_and(|term| term != "dumb");
        let refused = set("NO_COLOR").is_some()
            || set("HAB_NOCOLORING").is_some_and(|value| value == "1" || value == "true");
        let color = capable && !no_color && !refused;
        Style { color, json, verbose, ..Style::default() }
    }

    /// The style with or without the time in plain lines.
    #[must_use]
    pub fn with_time(self, time: bool) -> Style {
        Style { time, ..self }
    }

    /// The style for one output: without colour unless it is a terminal.
    #[must_use]
    pub fn on(self, is_terminal: bool) -> Style {
        Style { color: self.color && is_terminal, ..self }
    }

    /// The style for standard output or standard error of this process: colour only on a terminal,
    /// priorities only for the journal.
    #[must_use]
    pub fn of_output(self, stream: Stream) -> Style {
        let is_terminal = match stream {
            Stream::Stdout => std::io::stdout().is_terminal(),
            Stream::Stderr => std::io::stderr().is_terminal(),
        };
        Style { journal: is_journal(stream), ..self.on(is_terminal) }
    }
}

/// Whether this output is the one that systemd connected with the journal. `JOURNAL_STREAM`
/// identifies it, and is also inherited by processes with other outputs (`systemd.exec(5)`).
fn is_journal(stream: Stream) -> bool {
    let Ok(journal) = std::env::var("JOURNAL_STREAM") else { return false };
    let output = match stream {
        Stream::Stdout => rustix::stdio::stdout(),
        Stream::Stderr => rustix::stdio::stderr(),
    };
    rustix::fs::fstat(output)
        .is_ok_and(|found| journal == format!("{}:{}", found.st_dev, found.st_ino))
}
