//! `hab`: the command line, the launcher and the Supervisor in one program.

// Doc comments of options are their help texts, where brackets and bars are not links.
#![allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)]

mod absent;
mod address;
#[cfg(test)]
mod any_input;
mod cli;
mod cli_toml;
mod clock;
mod cmd;
mod complete;
mod context;
mod control;
mod exit;
mod gateway;
mod https;
mod log;
mod manual;
mod options;
mod plugin;
mod record;
mod ring_view;
mod ui;
mod wait;

use std::{env, process::ExitCode};

use clap::FromArgMatches as _;
use clap_complete::CompleteEnv;

use crate::{cli::Cli, context::Context, exit::Exit, plugin::PluginStatus, ui::Ui};

fn main() -> ExitCode {
    // Before anything else: launcher and Supervisor need a fresh, small process.
    match env::args_os().nth(1) {
        Some(role) if role == roost_launch::LAUNCHER_ARG => return cmd::sup_run::launcher(),
        Some(role) if role == roost_launch::SUPERVISOR_ARG => return cmd::sup_run::supervisor(),
        _ => {}
    }
    // Answers a completion request of a shell, and then ends the process.
    CompleteEnv::with_factory(cli::command).completer("hab").complete();
    let arguments: Vec<String> =
        env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(answer) = absent::answer(&cli::command(), &arguments) {
        Ui::new().usage_line(&answer);
        return Exit::Usage.into();
    }
    let parsed = cli::command().try_get_matches();
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        // For monitoring systems 2 means a critical service.
        Err(error) if error.use_stderr() && plugin::is_run() => {
            let status = PluginStatus::Unknown;
            Ui::new().info(&format!("{}: wrong command line", status.word()));
            let _ = error.print();
            return Exit::from(status).into();
        }
        Err(error) => error.exit(),
    };
    log::start_command();
    let ui = Ui::new();
    for feature in ["REDACT_HTTP", "TRIGGER_ELECTION"] {
        if context::variable(&format!("HAB_FEAT_{feature}")).is_some() {
            ui.warn(&format!("Enabling feature: FeatureFlag({feature})"));
        }
    }
    let ended = Context::new(ui)
        .and_then(|context| cli.run(&context))
        .and_then(|exit| ui::check_output().map(|()| exit));
    ended.unwrap_or_else(|error| exit::report(&error, &ui)).into()
}
