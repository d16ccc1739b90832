//! Requests of the Supervisor, mainly to start processes.

use std::{
    ffi::{OsStr, OsString},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    time::Instant,
};

use roost_logs::{Stream, Tag};

use super::{HookEnd, Launcher, Pipe, Sink};
use crate::{
    child::{Child, Found, Sent, State, Stop},
    clock, environment, group,
    last_words::LastWords,
    proc,
    shebang::{self, Fallback},
    spawn::{self, Failure, Program, Role, Step},
    splitter::Splitter,
    systemd::Systemd,
    table::{Content, Loaded, is_name},
    wire::{
        Kind, LauncherEvent, MAX_ENTRIES, MAX_STATE_BYTES, Notice, OutOfReach, Process, Remembered,
        Request, Scope, SendSignal, Spawn, SpawnFailed, Spawned, WireStatus,
    },
};

/// Reported exit code of a program that could not be executed while there was no Supervisor.
const NOT_EXECUTED: i32 = 127;

impl Launcher {
    /// Handles the processes of an earlier launcher: reports its services, kills its hooks.
    pub(super) fn adopt_survivors(&mut self, found: Vec<(Kind, Loaded)>) {
        for (kind, loaded) in found {
            let Content { entries, forks } = match loaded {
                Loaded::Entries(content) => content,
                Loaded::Corrupt(line) => {
                    self.printer.own(&line);
                    continue;
                }
            };
            let unique = is_unique_since(forks);
            for entry in entries {
                self.next_id = self.next_id.max(entry.id.saturating_add(1));
                let (name, pid) = (entry.name.clone(), entry.pid);
                match (Child::survivor(entry.clone(), kind, unique), kind) {
                    (Found::Nothing | Found::Unsure, Kind::Hook) => (),
                    // it has not been cleaned up yet
                    (Found::Nothing, Kind::Service) => {
                        self.keep_end(entry, None, clock::unix_ms(), String::new());
                    }
                    (Found::Alive(hook), Kind::Hook) => {
                        // it may be gone in the meantime
                        let _ = hook.signal(libc::SIGKILL, Scope::Group);
                    }
                    (Found::Unsure, Kind::Service) => self.printer.own(&format!(
                        "Processes of group {pid} may be left of service '{name}' of an earlier \
                         launcher, or belong to something else: process ids have begun anew since. \
                         They are left alone; look at them with: pgrep -a -g {pid}"
                    )),
                    (Found::Alive(child), Kind::Service) => {
                        let what = match child.state {
                            State::Lingering => "What is left of service",
                            _ => "Service",
                        };
                        self.printer.own(&format!(
                            "{what} '{name}' with PID {pid} still runs since an earlier launcher"
                        ));
                        if let State::Lingering = child.state {
                            self.keep_end(entry, None, clock::unix_ms(), String::new());
                        }
                        self.children.push(*child);
                    }
                }
            }
        }
    }

    pub(super) fn on_request(&mut self, request: Request) {
        match request {
            Request::Hello(hello) => self.on_hello(&hello),
            Request::Spawn(spawn) => self.on_spawn(spawn),
            Request::Signal(request) => self.send_signal(request),
            Request::Ready(()) => self.systemd.iter().for_each(Systemd::ready),
            Request::Stopping(()) => self.systemd.iter().for_each(Systemd::stopping),
            Request::Status(line) => self.systemd.iter().for_each(|it| it.status(&line)),
            Request::Remember(Remembered { name, bytes }) => {
                let is_new = !self.remembered.contains_key(&name);
                if bytes.len() > MAX_STATE_BYTES || !is_name(&name) {
                    self.printer.log_error(&format!(
                        "State of '{}' not kept: {} bytes, the limit is {MAX_STATE_BYTES}",
                        name.escape_debug(),
                        bytes.len()
                    ));
                } else if is_new && self.remembered.len() >= MAX_ENTRIES {
                    self.printer.log_error(&format!(
                        "State of '{}' not kept: {MAX_ENTRIES} services are remembered already",
                        name.escape_debug()
                    ));
                } else {
                    self.remembered.insert(name.clone(), Remembered { name, bytes });
                }
            }
            Request::Forget(name) => {
                self.remembered.remove(&name);
                self.ended.remove(&name);
            }
            Request::Alive(alive) => self.on_alive(alive.within_ms),
        }
    }

    fn send_signal(&mut self, request: SendSignal) {
        let SendSignal { id, signal, .. } = request;
        // an unknown one comes from another version
        let Ok(scope) = Scope::try_from(request.scope) else { return };
        let Some(child) = self.children.iter_mut().find(|child| child.entry.id == id) else {
            return;
        };
        if let State::Seeking { .. } = child.state {
            // it will not be started
            child.stop = Stop::Asked;
            return;
        }
        child.note_sent(signal);
        // it is gone: its end is already reported or will be
        let _ = child.signal(signal, scope);
        if child.kind == Kind::Service && signal == libc::SIGKILL && scope == Scope::Group {
            let left = group::out_of_reach(child.entry.pid);
            if !left.is_empty() {
                let left: Vec<String> = left.iter().map(ToString::to_string).collect();
                let processes = left.join(", ");
                self.tell(&LauncherEvent::OutOfReach(OutOfReach { id, processes }));
            }
        }
    }

    fn on_spawn(&mut self, spawn: Spawn) {
        let first_id = self.link.as_ref().map_or(0, |link| link.first_id);
        let taken = self.children.iter().any(|child| {
            child.entry.id == spawn.id
                || spawn.kind() == Kind::Service && child.holds_name(&spawn.name)
        });
        let refusal = if !is_name(&spawn.name) {
            Some((libc::EINVAL, format!("'{}' is not a valid name", spawn.name.escape_debug())))
        } else if Kind::try_from(spawn.kind).is_err() {
            Some((libc::EINVAL, format!("{} is not a kind of process", spawn.kind)))
        } else if taken || spawn.id < first_id {
            let text = format!("'{}' runs already, or id {} was used", spawn.name, spawn.id);
            Some((libc::EEXIST, text))
        } else if self.children.len() >= MAX_ENTRIES {
            let text = format!("{MAX_ENTRIES} processes run already");
            Some((libc::EAGAIN, text))
        } else {
            None
        };
        if let Some((errno, message)) = refusal {
            let id = spawn.id;
            self.tell(&LauncherEvent::SpawnFailed(SpawnFailed { id, errno, message }));
            return;
        }
        self.next_id = self.next_id.max(spawn.id.saturating_add(1));
        if spawn.kind() == Kind::Service {
            self.ended.remove(&spawn.name);
        }
        self.start(Box::new(spawn), None);
    }

    /// Starts a process; with a fallback, the second attempt.
    fn start(&mut self, spawn: Box<Spawn>, fallback: Option<Fallback>) {
        let (program, leading, is_second) = match fallback {
            Some(fallback) => (fallback.program.into_os_string(), fallback.args, true),
            None => (spawn.program().to_owned(), Vec::new(), false),
        };
        let forked = prepare(&spawn, &program, &leading).and_then(|prepared| {
            let role = Role::Child { user: spawn.user.as_ref() };
            spawn::fork(&prepared, &role, &self.setup.open_files)
        });
        let mut forked = match forked {
            Ok(forked) => forked,
            Err(error) => {
                let message = format!("{}: {error}", Path::new(&program).display());
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                let id = spawn.id;
                self.tell(&LauncherEvent::SpawnFailed(SpawnFailed { id, errno, message }));
                return;
            }
        };
        let (id, kind, name, shutdown) =
            (spawn.id, spawn.kind(), spawn.name.clone(), spawn.shutdown);
        let outputs = std::mem::take(&mut forked.outputs);
        self.add_pipes(&spawn, outputs);
        let pid = forked.pid;
        let retry = (!is_second).then_some(spawn);
        let held = State::Held {
            forked: Box::new(forked),
            retry,
            number: u64::MAX,
            until: Instant::now(),
        };
        self.children.push(Child {
            entry: Process {
                id,
                pid,
                start_ticks: proc::start_ticks(pid).unwrap_or(0),
                started_unix_ms: clock::unix_ms(),
                name,
                shutdown,
            },
            kind,
            state: held,
            stop: Stop::No,
            kill_at: None,
            last_words: LastWords::default(),
            sent: Sent::default(),
        });
        // recorded before it executes: a launcher killed at this moment leaves no unknown child
        let record = self.hold(kind);
        if let Some(Child { state: State::Held { number, until, .. }, .. }) =
            self.children.last_mut()
        {
            (*number, *until) = record;
        }
    }

    fn add_pipes(&mut self, spawn: &Spawn, outputs: Vec<(Stream, OwnedFd)>) {
        for (stream, fd) in outputs {
            let sink = match spawn.kind() {
                Kind::Hook => {
                    let kept = spawn.kept.clone();
                    Sink::Hook { kept: kept.map(|kept| (kept, Splitter::default())) }
                }
                Kind::Service => {
                    Sink::Service { group: spawn.name.clone(), splitter: Splitter::default() }
                }
            };
            self.pipes.push(Pipe { id: spawn.id, fd: Some(fd), stream, sink });
        }
        if spawn.kind() == Kind::Hook {
            self.hook_ends.push(HookEnd { id: spawn.id, open: 2, exit: None });
        }
    }

    /// The status pipe of a starting process is readable.
    pub(super) fn on_exec(&mut self, id: u64) {
        let Some(at) = self.children.iter().position(|child| child.entry.id == id) else {
            return;
        };
        let State::Starting { status, retry } = &mut self.children[at].state else {
            return;
        };
        match spawn::outcome(status) {
            None => (),
            Some(Ok(())) => self.confirm_start(at),
            Some(Err(failure)) => {
                let retry = retry.take();
                // it ends by itself and is reaped like an orphan
                let child = self.children.swap_remove(at);
                self.mark_unsaved(child.kind);
                self.close_outputs(id);
                self.start_failed(child, retry, failure);
            }
        }
    }

    fn confirm_start(&mut self, at: usize) {
        let child = &mut self.children[at];
        child.state = State::Running;
        if child.kind == Kind::Service {
            let text = format!("process {} started", child.entry.pid);
            self.service_logs.mark(&child.entry.name, Tag::Started, &text);
        }
        let child = &self.children[at];
        let event = Spawned {
            id: child.entry.id,
            pid: child.entry.pid,
            started_unix_ms: child.entry.started_unix_ms,
        };
        self.tell(&LauncherEvent::Spawned(event));
    }

    fn start_failed(&mut self, mut child: Child, retry: Option<Box<Spawn>>, failure: Failure) {
        let Some(spawn) = retry else {
            return self.not_executed(child, None, failure, None);
        };
        if failure.step != Step::Exec || child.stop != Stop::No {
            return self.not_executed(child, Some(spawn.program()), failure, None);
        }
        let path = spawn.variable("PATH").map(OsStr::to_owned);
        let script = PathBuf::from(spawn.program());
        // it reads files, which may block on a disk
        self.disk
            .find(child.entry.id, move || shebang::find(&script, failure.errno, path.as_deref()));
        child.state = State::Seeking { spawn, failure };
        self.children.push(child);
    }

    /// Result of the search for another way to run a script.
    pub(super) fn found_way(&mut self, id: u64, found: Result<Fallback, Option<String>>) {
        let seeks =
            |child: &Child| child.entry.id == id && matches!(child.state, State::Seeking { .. });
        let Some(at) = self.children.iter().position(seeks) else { return };
        let mut child = self.children.swap_remove(at);
        let State::Seeking { spawn, failure } =
            std::mem::replace(&mut child.state, State::Lingering)
        else {
            return;
        };
        match found {
            Ok(mut fallback) if child.stop == Stop::No => {
                if let Some(text) = fallback.notice.take() {
                    self.tell(&LauncherEvent::Notice(Notice { id, text }));
                }
                self.start(spawn, Some(fallback));
            }
            Ok(_) => self.not_executed(child, Some(spawn.program()), failure, None),
            Err(reason) => self.not_executed(child, Some(spawn.program()), failure, reason),
        }
    }

    /// Reports why a process could not be started.
    fn not_executed(
        &mut self,
        child: Child,
        program: Option<&OsStr>,
        failure: Failure,
        reason: Option<String>,
    ) {
        let error = std::io::Error::from_raw_os_error(failure.errno);
        let what = match failure.step {
            Step::Prepare => "preparing the process".to_owned(),
            Step::Groups => "setting the supplementary groups".to_owned(),
            Step::Group => "setting the group".to_owned(),
            Step::User => "setting the user".to_owned(),
            Step::Capabilities => "dropping capabilities".to_owned(),
            Step::Exec => program.map_or_else(
                || "executing the interpreter".to_owned(),
                |program| Path::new(program).display().to_string(),
            ),
        };
        let message = match reason {
            Some(reason) => format!("{what}: {error}: {reason}"),
            None => format!("{what}: {error}"),
        };
        if self.link.as_ref().is_some_and(|link| link.greeted) {
            let (id, errno) = (child.entry.id, failure.errno);
            self.tell(&LauncherEvent::SpawnFailed(SpawnFailed { id, errno, message }));
        } else if child.kind == Kind::Service {
            let at_unix_ms = clock::unix_ms();
            let status = Some(WireStatus::Code(NOT_EXECUTED));
            self.keep_end(child.entry, status, at_unix_ms, String::new());
        }
    }
}

/// Whether no process id was reused since the kernel had started this many processes. Ids increase
/// and wrap around at the highest; half of that leaves room for the ids in use.
fn is_unique_since(forks: Option<u64>) -> bool {
    match (forks, proc::forks(), proc::pid_max()) {
        (Some(before), Some(now), Some(all)) => {
            now.checked_sub(before).is_some_and(|count| count < all / 2)
        }
        _ => false,
    }
}

/// The data for exec, without private variables.
fn prepare(spawn: &Spawn, program: &OsStr, leading: &[OsString]) -> std::io::Result<Program> {
    let own_name = std::iter::once(program);
    let leading = leading.iter().map(OsString::as_os_str);
    let args = leading.chain(spawn.args.iter().map(|arg| OsStr::from_bytes(arg)));
    let env = spawn.env.iter().map(|variable| (variable.name(), variable.value()));
    let env = env.filter(|(name, _)| !name.to_str().is_some_and(environment::is_private));
    Program::new(program, own_name.chain(args), env)
}
