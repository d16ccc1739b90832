//! `hab svc logs`: prints the output of a service from the files that the launcher keeps. It needs
//! no running Supervisor.

use std::{path::PathBuf, thread, time::Duration};

use anyhow::{Context as _, bail};
use roost_ident::time::parse_moment_ms;
use roost_logs::{Follower, Record, Selection, Stream, directory_of};
use roost_sup::lines::{Form, Printer};

use crate::{cli::Run, clock, cmd::loaded::Loaded, complete, context::Context, exit::Exit};

/// Interval of a follower's checks for new lines.
const PERIOD: Duration = Duration::from_millis(200);
/// Limit of `--tail`: the positions of its lines are kept in memory.
const MOST_TAIL: u64 = 1_000_000;

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Time and text, with marks for starts, ends and missing lines
    Text,
    /// Only the text
    Plain,
    /// One JSON object per line
    Json,
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Plain => Self::Plain,
            Format::Json => Self::Json,
        }
    }
}

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Follow new lines until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Only lines from this time on: RFC 3339, or an age (-10m, -2h)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = moment)]
    since: Option<u64>,
    /// Only lines up to this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = moment)]
    until: Option<u64>,
    /// Only this many lines, the newest ones
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u64).range(..=MOST_TAIL))]
    tail: Option<u64>,
    /// Only lines of stdout or stderr
    #[arg(long, value_parser = stream)]
    stream: Option<Stream>,
    /// Only lines that contain this text
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The service: its name (redis), its group (redis.default) or its package identifier
    /// (core/redis); it need not be loaded
    #[arg(value_name = "SERVICE", add = complete::logged())]
    service: Loaded,
}

fn moment(text: &str) -> Result<u64, String> {
    let expected = "a time like 2026-11-27T23:00:00Z, or an age: -90s, -10m, -2h, -3d";
    parse_moment_ms(text, clock::unix_ms()).ok_or_else(|| format!("expected {expected}"))
}

fn stream(text: &str) -> Result<Stream, String> {
    Stream::from_name(text).ok_or_else(|| "expected stdout or stderr".into())
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let directory = directory(context, &self.service)?;
        let selection = Selection {
            since_ms: self.since,
            until_ms: self.until,
            stream: self.stream,
            grep: self.grep,
            tail: self.tail.map(|lines| usize::try_from(lines).unwrap_or(usize::MAX)),
        };
        let mut printer = Printer::new(self.format.into());
        let mut print = |record: Record<'_>| context.ui.stream(&printer.text(&record));
        let failed = || format!("The lines in {} cannot be read", directory.display());
        let position = roost_logs::read(&directory, &selection, &mut print).with_context(failed)?;
        if self.follow {
            let mut follower = Follower::new(directory.clone(), selection, position);
            while follower.poll(&mut print).with_context(failed)?.is_continue()
                && context.ui.has_reader()
            {
                thread::sleep(PERIOD);
            }
        }
        Ok(Exit::Success)
    }
}

/// The directory of the selected service.
fn directory(context: &Context, service: &Loaded) -> anyhow::Result<PathBuf> {
    let root = context.root.path();
    let place = roost_logs::directory(root);
    let groups = roost_logs::groups(root)
        .with_context(|| format!("The lines of services in {} cannot be read", place.display()))?;
    let name = match service {
        Loaded::Ident(ident) => &ident.name,
        Loaded::Name(name) => name,
    };
    let means = |group: &&String| {
        let bare = group.split('@').next().unwrap_or_default();
        let service = bare.split('.').next().unwrap_or_default();
        [group.as_str(), bare, service].contains(&name.as_str())
    };
    let found: Vec<&String> = groups.iter().filter(means).collect();
    let list = |groups: &[&String]| {
        groups.iter().map(|group| group.as_str()).collect::<Vec<_>>().join(", ")
    };
    match found.as_slice() {
        [group] => directory_of(root, group).context("The name of the service is not valid"),
        [] if groups.is_empty() => {
            bail!("No service has printed anything on this machine ({} is empty).", place.display())
        }
        [] => bail!(
            "There are no lines of {name}. There are lines of: {}.",
            list(&groups.iter().collect::<Vec<_>>())
        ),
        several => bail!("{name} is ambiguous. Give one of: {}.", list(several)),
    }
}
