//! A hook without a launcher: install and uninstall hooks of the command line.
//!
//! It runs like hooks of a Supervisor: in its own process group, without input, with the user and
//! groups of its service, and with another interpreter if its own does not exist.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::OwnedFd,
    path::Path,
    time::{Duration, Instant},
};

use roost_logs::Stream;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, Resource, Signal, WaitOptions, getrlimit, kill_process_group, waitpid},
};

use crate::{
    shebang,
    spawn::{self, Failure, Forked, Program, Role, Step},
    wire::{Ids, WireStatus},
};

/// Time to read the pipes of a hook after its end, if another process keeps them open.
const OUTPUT_GRACE: Duration = Duration::from_millis(500);
/// Interval of checks for the end of a silent process.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// A program to run once.
#[derive(Debug)]
pub struct Hook<'a> {
    /// The file to execute; an absolute path.
    pub program: &'a Path,
    /// The complete environment.
    pub env: &'a [(OsString, OsString)],
    /// User and groups to switch to; `None` keeps those of this process.
    pub user: Option<&'a Ids>,
    /// How long it may run: then it is killed with its group.
    pub limit: Duration,
}

/// Runs it to its end and forwards its output immediately. Reads both outputs at the same time.
///
/// # Errors
/// When it could not be executed, or ran longer than its limit.
pub fn run_hook(hook: &Hook<'_>, mut printed: impl FnMut(Stream, &[u8])) -> io::Result<WireStatus> {
    let (forked, status) = match start(hook, hook.program, &[])? {
        Ok(started) => started,
        Err(failure) if failure.step == Step::Exec => {
            let path = hook.env.iter().find(|(name, _)| name == "PATH").map(|(_, v)| v.as_os_str());
            let fallback = shebang::find(hook.program, failure.errno, path)
                .map_err(|reason| reason.map_or_else(|| failed(failure), io::Error::other))?;
            start(hook, &fallback.program, &fallback.args)?.map_err(failed)?
        }
        Err(failure) => return Err(failed(failure)),
    };
    drop(status);
    let pid = i32::try_from(forked.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::from(Errno::SRCH))?;
    read_to_the_end(pid, forked.outputs, hook.limit, &mut printed)
}

fn failed(failure: Failure) -> io::Error {
    io::Error::from_raw_os_error(failure.errno)
}

/// The running process: its id and its outputs.
struct Started {
    pid: u32,
    outputs: Vec<(Stream, OwnedFd)>,
}

type StartResult = io::Result<Result<(Started, OwnedFd), Failure>>;

/// Forks and waits until it executes or has failed to.
fn start(hook: &Hook<'_>, program: &Path, leading: &[OsString]) -> StartResult {
    let argv = std::iter::once(program.as_os_str()).chain(leading.iter().map(OsString::as_os_str));
    let env = hook.env.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
    let prepared = Program::new(OsStr::new(program), argv, env)?;
    let forked =
        spawn::fork(&prepared, &Role::Child { user: hook.user }, &getrlimit(Resource::Nofile))?;
    let Forked { pid, .. } = forked;
    let mut forked = forked;
    let outputs = std::mem::take(&mut forked.outputs);
    let status = forked.go();
    let outcome = loop {
        if let Some(outcome) = spawn::outcome(&status) {
            break outcome;
        }
        let mut wait = [PollFd::new(&status, PollFlags::IN)];
        match poll(&mut wait, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    if let Err(failure) = outcome {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
        return Ok(Err(failure));
    }
    Ok(Ok((Started { pid, outputs }, status)))
}

fn read_to_the_end(
    pid: Pid,
    mut outputs: Vec<(Stream, OwnedFd)>,
    limit: Duration,
    printed: &mut impl FnMut(Stream, &[u8]),
) -> io::Result<WireStatus> {
    let began = Instant::now();
    let mut is_late = false;
    let mut ended: Option<(Option<WireStatus>, Instant)> = None;
    let mut buffer = [0; 8192];
    loop {
        if ended.is_none() {
            let found = waitpid(Some(pid), WaitOptions::NOHANG)?;
            ended = found.map(|(_, status)| (WireStatus::of(status), Instant::now()));
        }
        if let Some((status, at)) = ended
            && (outputs.is_empty() || at.elapsed() > OUTPUT_GRACE)
        {
            if is_late {
                let text = format!("it ran longer than {} secs and was stopped", limit.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            return status.ok_or_else(|| io::Error::other("its end was not seen"));
        }
        if ended.is_none() && !is_late && began.elapsed() >= limit {
            is_late = true;
            // Already gone is as good.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let mut waits: Vec<_> =
            outputs.iter().map(|(_, fd)| PollFd::new(fd, PollFlags::IN)).collect();
        match poll(&mut waits, Some(&LOOK)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        drop(waits);
        outputs.retain(|(stream, fd)| match rustix::io::read(fd, &mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                printed(*stream, &buffer[..count]);
                true
            }
            Err(Errno::AGAIN | Errno::INTR) => true,
            Err(_) => false,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn run(script: &str) -> (WireStatus, String, String) {
        let place = tempfile::tempdir().expect("a directory");
        let program = place.path().join("hook");
        fs::write(&program, script).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&program, mode).expect("a mode");
        let env = [("PATH".into(), "/usr/bin:/bin".into()), ("WORD".into(), "hello".into())];
        let limit = Duration::from_secs(60);
        let hook = Hook { program: &program, env: &env, user: None, limit };
        let mut texts = [Vec::new(), Vec::new()];
        let status = run_hook(&hook, |stream, bytes| {
            texts[usize::from(stream == Stream::Stderr)].extend_from_slice(bytes);
        });
        let [out, err] = texts.map(|bytes| String::from_utf8(bytes).expect("text"));
        (status.expect("it runs"), out, err)
    }

    #[test]
    fn output_and_end_come_back() {
        let (status, out, err) = run("#!/bin/sh\necho $WORD; echo no >&2; read x || exit 7");
        assert_eq!((status, out.as_str(), err.as_str()), (WireStatus::Code(7), "hello\n", "no\n"));
        assert_eq!(run("#!/bin/sh\nkill -9 $$").0, WireStatus::Signal(9));
    }

    #[test]
    fn a_full_pipe_does_not_hang() {
        let (status, out, err) =
            run("#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' e >&2; echo done");
        assert_eq!((status, out.as_str(), err.len()), (WireStatus::Code(0), "done\n", 300_000));
    }

    #[test]
    fn an_interpreter_that_does_not_exist_is_searched_in_path() {
        let (status, out, _) = run("#!/hab/pkgs/none/bin/sh\necho found");
        assert_eq!((status, out.as_str()), (WireStatus::Code(0), "found\n"));
        assert_eq!(run("#!/hab/pkgs/none/bin/sh\nsleep 100 & exit 3").0, WireStatus::Code(3));
    }

    #[test]
    fn one_that_runs_too_long_is_killed_with_its_group() {
        let place = tempfile::tempdir().expect("a directory");
        let program = place.path().join("hook");
        // The child holds the pipe open: without its end nothing would come back for long.
        fs::write(&program, "#!/bin/sh\nsleep 1000 &\nsleep 1000\n").expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&program, mode).expect("a mode");
        let env = [("PATH".into(), "/usr/bin:/bin".into())];
        let limit = Duration::from_secs(1);
        let hook = Hook { program: &program, env: &env, user: None, limit };
        let error = run_hook(&hook, |_, _| {}).expect_err("it is ended");
        assert_eq!(error.to_string(), "it ran longer than 1 secs and was stopped");
    }
}
