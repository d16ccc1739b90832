//! Parts without which a Supervisor would do nothing or report wrong state: when one of them
//! panics, which is a bug, the process ends. The launcher keeps the services and starts a new
//! Supervisor, which reattaches to them.
//!
//! Everything besides the Supervisor's task starts here, except connections of clients: input of a
//! stranger must end only the stranger's connection.

use std::{
    io::{self, Write as _},
    panic::{self, AssertUnwindSafe},
    process, thread,
};

use tokio::task::{self, JoinHandle};

use crate::Exit;

/// Runs work on templates and files of a user, so that a panic in it (a bug) is the failure of one
/// service and not the end of the Supervisor.
///
/// # Errors
/// The message of the panic.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic");
        format!("this is a bug in Roost, please report it: {text}")
    })
}

/// Exists while a part works.
struct Part(&'static str);

impl Drop for Part {
    fn drop(&mut self) {
        if thread::panicking() {
            // Nothing in this process can be trusted any more, not even its own line writer; a
            // failure to write this line must be ignored.
            let _ = writeln!(
                io::stderr(),
                "The part '{}' of the Supervisor has failed; this is a bug in Roost, please report \
                 it. Services keep running, and a new Supervisor is started.",
                self.0
            );
            process::exit(Exit::Crashed.code().into());
        }
    }
}

/// Runs a part as a task.
pub(crate) fn spawn(name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
    task::spawn(async move {
        let _part = Part(name);
        work.await;
    });
}

/// Runs work that may block on a disk.
pub(crate) fn spawn_blocking<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    task::spawn_blocking(move || {
        let _part = Part(name);
        work()
    })
}

/// Runs a part as a thread of this name.
///
/// # Errors
/// When the system cannot start a thread.
pub(crate) fn spawn_thread(
    name: &'static str,
    stack_bytes: usize,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.into()).stack_size(stack_bytes);
    thread.spawn(move || {
        let _part = Part(name);
        work();
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{env, process::Command, sync::mpsc, time::Duration};

    use super::*;

    const KIND: &str = "ROOST_TEST_OF_PARTS";
    /// Far longer than anything takes: only a failing test waits this long.
    const PATIENCE: Duration = Duration::from_secs(40);

    /// The process started by the test below: a part of each kind ends or fails, after announcing
    /// it; only the failure ends the process early.
    #[test]
    #[ignore = "started by another test"]
    fn part() {
        let kind = env::var(KIND).unwrap_or_default();
        let (started, heard) = mpsc::channel();
        let fails = kind.ends_with("fails");
        let work = move || {
            started.send(()).unwrap();
            assert!(!fails, "the part fails");
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _inside = runtime.enter();
        match kind.split(' ').next().unwrap() {
            "task" => spawn("probe", async move { work() }),
            "blocking" => drop(spawn_blocking("probe", work)),
            _ => spawn_thread("probe", 64 * 1024, work).unwrap(),
        }
        heard.recv_timeout(PATIENCE).unwrap();
        if fails {
            thread::sleep(PATIENCE);
        }
    }

    #[test]
    fn a_part_that_panics_ends_the_process_and_one_that_ends_does_not() {
        for (kind, code) in [
            ("task fails", 101),
            ("blocking fails", 101),
            ("thread fails", 101),
            ("task ends", 0),
            ("blocking ends", 0),
            ("thread ends", 0),
        ] {
            let mut command = Command::new(env::current_exe().unwrap());
            command.args(["--exact", "vital::tests::part", "--ignored", "--nocapture"]);
            let output = command.env(KIND, kind).output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{kind}: {text}");
            assert_eq!(text.contains("The part 'probe' of the Supervisor"), code != 0, "{text}");
        }
    }
}
