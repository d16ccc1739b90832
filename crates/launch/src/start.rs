//! The start of the launcher, up to its loop.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use roost_files::{Durability, PUBLIC_DIRECTORY, check_directory, create_directories, replace};
use rustix::process::{Pid, Resource, Rlimit};

use crate::{
    EXIT_FATAL,
    disk::{Disk, Tables},
    launcher::{Launcher, Setup},
    line::{LAUNCHER, Style},
    lock::Lock,
    printer::Printer,
    program,
    service_logs::ServiceLogs,
    signals::Signals,
    table::Table,
    wire::Kind,
};

/// Runs the launcher. `args` are those of the Supervisor (after `hab sup run`).
///
/// Exit codes (reference: control §19): 0 after a clean shutdown, 86 when the lock is held or the
/// Supervisor cannot continue, 1 when the Supervisor's program is missing or a system call fails.
#[must_use]
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    program::name_process(LAUNCHER);
    let args: Vec<OsString> = args.into_iter().collect();
    // before the printer: its threads must not receive signals
    let signals = Signals::block();
    let mut printer = Printer::new(style_of(&args));
    let signals = match signals {
        Ok(signals) => signals,
        Err(error) => {
            printer.log_error(&format!("Signals cannot be set up: {error}"));
            printer.finish();
            return ExitCode::FAILURE;
        }
    };
    let root = root();
    let launcher_dir = root.join("hab/launcher");
    if let Err(reason) = prepare_directories(&root, &mut printer) {
        printer.plain(&reason);
        printer.finish();
        return ExitCode::from(EXIT_FATAL as u8);
    }
    let _lock = match Lock::acquire(&root) {
        Ok(lock) => lock,
        Err(error) => {
            printer.plain(&error.to_string());
            printer.log_error(&format!("Launcher exiting with code {EXIT_FATAL}"));
            printer.finish();
            return ExitCode::from(EXIT_FATAL as u8);
        }
    };
    let pid_file = launcher_dir.join("PID");
    let own_pid = std::process::id().to_string();
    if let Err(error) = replace(&pid_file, own_pid.as_bytes(), 0o644, Durability::Cache) {
        let shown = pid_file.display();
        printer.log_error(&format!("'{shown}' cannot be written: {error}"));
    }
    let tables = Tables {
        services: Table::new(launcher_dir.join("processes")),
        hooks: Table::new(launcher_dir.join("hooks")),
    };
    let boot_id = crate::proc::boot_id();
    let found = vec![
        (Kind::Service, tables.services.load(&boot_id)),
        (Kind::Hook, tables.hooks.load(&boot_id)),
    ];
    let setup = Setup {
        args,
        program: PathBuf::new(),
        pid_file: pid_file.clone(),
        tables: vec![tables.services.path().into(), tables.hooks.path().into()],
        boot_id,
        open_files: raise_open_files(),
    };
    let started = program::of_supervisor()
        .map_err(|error| format!("The launcher's own program is not known: {error}"))
        .and_then(|program| {
            let disk = Disk::start(tables)
                .map_err(|error| format!("The writer of process tables cannot start: {error}"))?;
            let logs = ServiceLogs::start(&root, disk.teller())
                .map_err(|error| format!("The writer of service logs cannot start: {error}"))?;
            Ok((Setup { program, ..setup }, disk, logs))
        });
    match started {
        Ok((setup, disk, logs)) => {
            become_reaper();
            ExitCode::from(Launcher::new(setup, disk, logs, signals, printer).run(found))
        }
        Err(reason) => {
            printer.log_error(&reason);
            printer.finish();
            // it may already be gone
            let _ = fs::remove_file(&pid_file);
            ExitCode::FAILURE
        }
    }
}

/// Creates the state directories of the launcher and the Supervisor, and refuses those that other
/// users may write.
fn prepare_directories(root: &Path, printer: &mut Printer) -> Result<(), String> {
    for dir in [root.join("hab/sup/default"), root.join("hab/launcher")] {
        create_directories(&dir, PUBLIC_DIRECTORY)
            .map_err(|error| format!("Can't create directory '{}': {error}", dir.display()))?;
    }
    for dir in ["hab/sup", "hab/sup/default", "hab/launcher"] {
        check_directory(&root.join(dir)).map_err(|refusal| refusal.to_string())?;
    }
    // A volume of a container is often world-writable, and cannot always be changed.
    if let Err(refusal) = check_directory(&root.join("hab")) {
        printer.own(&format!("Warning: {refusal}"));
    }
    Ok(())
}

/// `FS_ROOT`, `/` when unset or empty, made absolute.
fn root() -> PathBuf {
    let root = env::var_os("FS_ROOT").filter(|root| !root.is_empty());
    let root = root.map_or_else(|| PathBuf::from("/"), PathBuf::from);
    std::path::absolute(&root).unwrap_or(root)
}

/// The style according to the Supervisor's options, until the Supervisor sets it.
fn style_of(args: &[OsString]) -> Style {
    let has = |names: &[&str]| {
        args.iter().take_while(|arg| *arg != "--").any(|arg| names.iter().any(|name| arg == name))
    };
    Style::choose(
        has(&["--no-color"]),
        has(&["--json-logging"]),
        has(&["-v", "--verbose"]),
        |name| env::var(name).ok(),
    )
    .with_time(has(&["--log-time"]))
}

/// Each service needs two pipes, so the launcher raises its limit of open files as far as allowed.
/// Returns the original limit, which every child gets.
fn raise_open_files() -> Rlimit {
    let original = rustix::process::getrlimit(Resource::Nofile);
    let all = Rlimit { current: original.maximum, maximum: original.maximum };
    // refused: the original limit stays
    let _ = rustix::process::setrlimit(Resource::Nofile, all);
    original
}

/// Makes the launcher adopt orphans of services, as if it were process 1.
fn become_reaper() {
    let _: io::Result<()> =
        rustix::process::set_child_subreaper(Some(Pid::INIT)).map_err(io::Error::from);
}
