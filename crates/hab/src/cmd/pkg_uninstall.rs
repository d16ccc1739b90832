//! `hab pkg uninstall`

use std::fs;

use roost_ctl::{Answer, Request};
use roost_ident::PackageIdent;
use roost_pkg::removal::{self, Reason, RemovalError, RemovalOptions, Step};
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

use crate::{
    cli::Run,
    cmd::{install_hooks, payload::parse_ident},
    complete,
    context::Context,
    control::{RemoteArg, ask, expect_answer},
    exit::Exit,
    ui::Verb,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only print what would be done
    #[arg(short = 'd', long)]
    dryrun: bool,
    /// Keep this many of the newest releases and uninstall all others
    #[arg(long, value_name = "KEEP_LATEST")]
    keep_latest: Option<usize>,
    /// Do not uninstall this package (repeatable)
    #[arg(long, value_parser = parse_ident)]
    exclude: Vec<PackageIdent>,
    /// Do not uninstall dependencies
    #[arg(long)]
    no_deps: bool,
    /// Do not run uninstall hooks
    #[arg(long)]
    ignore_uninstall_hook: bool,
    /// A package identifier (core/redis, core/busybox-static/1.42.2)
    #[arg(value_parser = parse_ident, add = complete::packages())]
    pkg_ident: PackageIdent,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let options = RemovalOptions {
            dry_run: self.dryrun,
            keep_latest: self.keep_latest,
            exclude: self.exclude,
            no_dependencies: self.no_deps,
            loaded: loaded(context)?,
        };
        let mut hook = |ident: &PackageIdent, releases| {
            if self.ignore_uninstall_hook {
                return Ok(());
            }
            install_hooks::uninstall(context, ident, releases)
        };
        let mut tell = |step: Step<'_>| show(context, self.dryrun, step);
        let ended =
            removal::uninstall(&context.root, &self.pkg_ident, &options, &mut tell, &mut hook);
        match ended {
            Ok(()) => Ok(Exit::Success),
            Err(RemovalError::Hook(error)) => Err(error),
            Err(RemovalError::Resolve(error)) => Err(error.into()),
            Err(RemovalError::Metafile(error)) => Err(error.into()),
            Err(RemovalError::Io(error)) => Err(error.into()),
            Err(error @ RemovalError::Needed { .. }) => Err(anyhow::Error::msg(error.to_string())),
        }
    }
}

fn show(context: &Context, dry_run: bool, step: Step<'_>) {
    let ui = &context.ui;
    match step {
        Step::Begin(ident) => ui.begin(&format!("Uninstalling {ident}")),
        Step::TooFew { ident, installed } => {
            ui.begin(&format!("Uninstalling {ident}"));
            ui.status(Verb::Skipping, &format!("Only {installed} packages installed"));
            ui.end(&format!("Uninstall of {ident} complete"));
        }
        Step::Deleting(ident) => {
            let verb = if dry_run { Verb::WouldDelete } else { Verb::Deleting };
            ui.status(verb, &ident.to_string());
        }
        Step::Skipping(ident, reason) => {
            let reason = match reason {
                Reason::Excluded => "It is on the exclusion list".into(),
                Reason::Loaded => "It is currently loaded by the supervisor".into(),
                Reason::Itself => "You can't uninstall chef/hab".into(),
                Reason::NeededBy(count) => {
                    format!("It is a dependency of {count} external packages")
                }
                Reason::NotInstalled => "It is not installed".into(),
            };
            ui.status(Verb::Skipping, &format!("{ident}. {reason}"));
        }
        Step::SkippingDependencies => {
            ui.status(Verb::Skipping, "dependencies (--no-deps specified)");
        }
        Step::End(ident, count) if dry_run => {
            ui.end(&format!("Would uninstall {ident} and {count} dependencies (Dry run)"));
        }
        Step::End(ident, count) => {
            ui.end(&format!("Uninstall of {ident} and {count} dependencies complete"));
        }
    }
}

/// Releases that services of this machine's Supervisor run; none without a Supervisor.
fn loaded(context: &Context) -> anyhow::Result<Vec<PackageIdent>> {
    let ui = &context.ui;
    let path = context.root.launcher_pid();
    if fs::metadata(&path).is_err() {
        return Ok(Vec::new());
    }
    ui.status(Verb::Determining, "launcher PID file status");
    let pid = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
    match pid.and_then(Pid::from_raw) {
        None => ui.warn("Could not read or parse PID file"),
        Some(pid) if test_kill_process(pid) == Err(Errno::SRCH) => {
            ui.warn("Found stale PID file (process not running)");
            return Ok(Vec::new());
        }
        Some(_) => ui.status(Verb::Found, "running supervisor process"),
    }
    let mut loaded = Vec::new();
    let remote = RemoteArg::default().address(context);
    let ended = ask(context, &remote, &Request::Status { ident: None }, |answer| {
        if let Answer::Status(status) = answer {
            loaded.push(status.ident.clone());
        }
        Ok(())
    })?;
    expect_answer(ended)?;
    if !loaded.is_empty() {
        ui.status(Verb::Determining, "list of loaded services in supervisor");
    }
    for ident in &loaded {
        ui.status(Verb::Found, &format!("loaded service {ident}"));
    }
    Ok(loaded)
}
