//! `hab`: the command line, the launcher and the Supervisor in one program.

// Comments of options are their help texts, where brackets and bars are no links.
#![allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)]

mod address;
mod cli;
mod cli_toml;
mod cmd;
mod context;
mod control;
mod exit;
mod log;
mod options;
mod ui;
mod wait;

use std::{env, process::ExitCode};

use clap::Parser;

use crate::{cli::Cli, context::Context, ui::Ui};

fn main() -> ExitCode {
    // Before anything else: launcher and Supervisor want a fresh, small process.
    match env::args_os().nth(1) {
        Some(role) if role == roost_launch::LAUNCHER_ARG => return cmd::sup_run::launcher(),
        Some(role) if role == roost_launch::SUPERVISOR_ARG => return cmd::sup_run::supervisor(),
        _ => {}
    }
    let cli = Cli::parse();
    log::start_command();
    let ui = Ui::new();
    if context::variable("HAB_FEAT_REDACT_HTTP").is_some() {
        ui.warn("Enabling feature: FeatureFlag(REDACT_HTTP)");
    }
    let ended = Context::new(ui).and_then(|context| cli.run(&context));
    ended.unwrap_or_else(|error| exit::report(&error, &ui)).into()
}
