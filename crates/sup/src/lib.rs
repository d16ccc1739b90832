//! The running Supervisor: it owns the state, drives the cores, and publishes documents.
//!
//! The pure crates (`service`, `ring`, `census`, `template`) make the decisions; this crate is the
//! shell around them: sockets, files, timers, processes.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | configuration of a Supervisor |
//! | `app` | the composition root |
//! | `supervisor` | the one task that owns the state |
//! | [`installation`] | hooks of installation, for the command line |
//! | [`lines`] | lines of services as users see them |
//! | `services` | building of services, their hooks and files |
//! | `documents` | conversion of state into documents of the API |
//! | `ring`, `census_input`, `peers` | the ring's shell, and its input to the census |
//! | `control`, `load`, `http` | the gateways, and commands that change specs |
//! | `launcher`, `inherited`, `left` | the connection to the launcher, what it holds, and what runs on without it |
//! | `files` | identity, state files, specs, watching |
//! | `vital` | start of everything besides the Supervisor's task |
//! | `record`, `journal`, `history`, `availability` | what the Supervisor records of itself, where, and how it is read |
//! | `event_stream` | what happens to services, for a NATS server |
//! | `output`, `metrics`, `systemd`, `system`, `clock` | the world outside |

mod answers;
mod app;
mod audit;
mod availability;
mod census_input;
mod clock;
mod conditions;
pub mod config;
mod control;
#[doc(hidden)]
pub mod decoders;
mod documents;
mod event_stream;
mod exposure;
mod fanout;
mod files;
mod history;
mod http;
mod inherited;
pub mod installation;
mod journal;
mod launcher;
mod left;
pub mod lines;
mod load;
mod machine_watch;
mod me;
mod metrics;
mod output;
mod peers;
mod ports;
mod record;
mod ring;
mod self_checks;
mod services;
mod standing;
mod stops;
mod supervisor;
mod system;
mod systemd;
mod tokens;
mod usages;
mod vital;

pub use app::StartError;
pub use config::{SupConfig, VERSION};

use output::Output;

/// How a Supervisor process ends; the launcher acts on it (reference: services §1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// After an orderly shutdown, or to be started again with services left running.
    Done,
    /// A failure that a restart would meet again; the launcher stops all services.
    Failed,
    /// This Supervisor could not replace a former one; the launcher keeps the services and tries
    /// again.
    NotYet,
    /// This member was marked as departed and may not return.
    Departed,
    /// A part of it failed; the launcher keeps the services and starts a new one.
    Crashed,
}

impl Exit {
    /// The exit code of the process.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::NotYet => 1,
            // As for a panic of the main thread.
            Self::Crashed => 101,
            Self::Failed | Self::Departed => 86,
        }
    }
}

/// Stack of a thread for work that may block on a disk: address space, of which little is used.
/// glibc keeps the stacks of ended threads, with the pages that they have used, as far as 40 MB of
/// address space go. So a large stack keeps fewer of the many that a start with many services
/// needs.
const STACK_BYTES: usize = 4 * 1024 * 1024;

/// Runs a Supervisor under its launcher until it ends. Reports a failed start on standard output.
#[must_use]
pub fn run(config: SupConfig) -> Exit {
    roost_launch::name_process(roost_launch::line::SUPERVISOR);
    roost_launch::limit_arenas();
    let Ok(output) = Output::start(config.style) else { return Exit::Failed };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.http.threads.max(1))
        .thread_stack_size(STACK_BYTES)
        .thread_name("hab-worker")
        .enable_all()
        .build();
    let exit = match runtime {
        Err(error) => {
            output.text(&format!("Unable to start threads: {error}\n"));
            Exit::Failed
        }
        Ok(runtime) => {
            let exit = runtime.block_on(app::run(config, &output)).unwrap_or_else(|error| {
                output.text(&format!("{error}\n"));
                Exit::Failed
            });
            // Other work may hang on a disk; it is not awaited at this point.
            runtime.shutdown_background();
            exit
        }
    };
    output.flush();
    exit
}
