//! The life of the Supervisor: start, Hello, restart.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use roost_logs::Stream;
use rustix::process::{Pid, Signal, WaitStatus};

use super::{Launcher, Phase, Pipe, SUPERVISOR_PIPE, Sink};
use crate::{
    EXIT_FATAL, EXIT_SHUT_DOWN, LAUNCHER_PID_VAR, SUPERVISOR_ARG,
    child::{State, Stop},
    client::{LAUNCHER_FD_VAR, PROTOCOL_VAR},
    environment,
    link::{self, Link, Read},
    spawn::{self, Program, Role},
    splitter::Splitter,
    wire::{Hello, Kind, LauncherEvent, PROTOCOL_VERSION, Request, Scope, Welcome},
};

/// Time limit for a Supervisor to end after closing its connection.
const CLOSED_GRACE: Duration = Duration::from_secs(5);
/// Time limit for killed hooks before the next Supervisor starts. Only a process stuck in the
/// kernel (a dead network file system) takes longer.
const HOOKS_GRACE: Duration = Duration::from_secs(5);

impl Launcher {
    pub(super) fn start_if_due(&mut self, now: Instant) {
        let due = self.start_at.is_some_and(|at| now >= at)
            && self.link.is_none()
            && matches!(self.phase, Phase::Running | Phase::Leaving { .. })
            && (!self.has_hooks() || now >= self.hooks_until);
        if !due {
            return;
        }
        self.start_at = None;
        match self.start_supervisor() {
            Ok(()) => self.limit_start(),
            Err(error) => self.not_started(&error, now),
        }
    }

    fn start_supervisor(&mut self) -> io::Result<()> {
        let (ours, theirs) = link::socket_pair()?;
        let program = self.setup.program.clone();
        let name = OsStr::new(crate::line::SUPERVISOR);
        let first = [name, OsStr::new(SUPERVISOR_ARG)];
        let args = self.setup.args.iter().map(OsString::as_os_str);
        let socket = theirs.as_raw_fd();
        let own = [
            (LAUNCHER_FD_VAR, socket.to_string()),
            (LAUNCHER_PID_VAR, std::process::id().to_string()),
            (PROTOCOL_VAR, PROTOCOL_VERSION.to_string()),
        ];
        // only the launcher sends messages to systemd
        let is_ours = |key: &OsString| {
            let internal = |key: &str| environment::use_of(key) == environment::Use::Internal;
            key.to_str().is_some_and(internal)
        };
        let inherited: Vec<(OsString, OsString)> =
            std::env::vars_os().filter(|(key, _)| !is_ours(key)).collect();
        let env = inherited
            .iter()
            .map(|(key, value)| (key.as_os_str(), value.as_os_str()))
            .chain(own.iter().map(|(key, value)| (OsStr::new(key), OsStr::new(value))));
        let prepared = Program::new(program.as_os_str(), first.into_iter().chain(args), env)?;
        // a Supervisor blocked by a hanging disk could be neither ended nor restarted
        let mut piped = vec![Stream::Stdout, Stream::Stderr];
        piped.retain(|stream| self.printer.may_block(*stream));
        let role = Role::Supervisor { socket, piped: &piped };
        let mut forked = spawn::fork(&prepared, &role, &self.setup.open_files)?;
        for (stream, fd) in std::mem::take(&mut forked.outputs) {
            let sink = Sink::Supervisor { splitter: Splitter::default() };
            self.pipes.push(Pipe { id: SUPERVISOR_PIPE, fd: Some(fd), stream, sink });
        }
        let pid = forked.pid;
        self.link = Some(Link::new(pid, ours, forked.go(), self.next_id));
        Ok(())
    }

    fn not_started(&mut self, error: &io::Error, now: Instant) {
        let program = self.setup.program.clone();
        self.printer.log_error(&format!(
            "Supervisor could not be started from '{}': {error}",
            program.display()
        ));
        if matches!(self.phase, Phase::Leaving { .. }) {
            self.leave_without_supervisor();
        } else if self.ever_started {
            self.start_at = Some(now + self.backoff.failed(Duration::ZERO));
        } else {
            self.phase = Phase::Done { code: 1 };
        }
    }

    /// The socket is readable or writable.
    pub(super) fn on_link(&mut self) {
        let Some(link) = &mut self.link else {
            return;
        };
        link.flush();
        if !link.interest().is_some_and(|(_, reads, _)| reads) {
            return;
        }
        match link.read() {
            Read::Nothing => (),
            Read::Requests(requests) => {
                for request in requests {
                    self.on_request(request);
                }
            }
            Read::Closed => link.kill_at = Some(Instant::now() + CLOSED_GRACE),
            Read::Garbage(reason) if link.greeted => {
                link.kill_at = Some(Instant::now());
                self.printer.log_error(&format!(
                    "The Supervisor sent something unreadable ({reason}); starting it again"
                ));
            }
            Read::Garbage(reason) => self.refuse_supervisor(&reason),
        }
    }

    /// Kills a Supervisor that missed its deadline.
    pub(super) fn check_link(&mut self, now: Instant) {
        if let Some(link) = &mut self.link
            && link.kill_at.is_some_and(|at| now >= at)
        {
            link.kill_at = None;
            kill(link);
        }
    }

    /// Ends a Supervisor with another version of the protocol. It is restarted like one that cannot
    /// start: its program may be replaced by a matching one.
    fn refuse_supervisor(&mut self, reason: &str) {
        let Some(link) = &mut self.link else { return };
        link.kill_at = Some(Instant::now());
        self.printer.log_error(&format!(
            "The Supervisor in '{}' does not speak version {PROTOCOL_VERSION} of the protocol of \
             this launcher, which kept running when the program was replaced ({reason}). Services \
             keep running, without a Supervisor. Restart hab-launch, which stops and starts them \
             (`systemctl restart hab-sup`), or put the former program back",
            self.setup.program.display()
        ));
    }

    /// Answers with all live processes.
    pub(super) fn on_hello(&mut self, hello: &Hello) {
        if hello.version != PROTOCOL_VERSION {
            return self.refuse_supervisor(&format!("it speaks version {}", hello.version));
        }
        self.printer.set_style(hello.style());
        if let Some(bytes) = hello.service_log_bytes {
            self.service_logs.set_room(bytes);
        }
        self.ever_started = true;
        let mut welcome = Welcome {
            version: PROTOCOL_VERSION,
            launcher_pid: std::process::id(),
            next_id: self.next_id,
            ended: self.ended.values().cloned().collect(),
            remembered: self.remembered.values().cloned().collect(),
            ..Welcome::default()
        };
        let services = self.children.iter().filter(|c| c.kind == Kind::Service);
        for child in services {
            let list = match child.state {
                State::Lingering | State::Survivor { .. } => &mut welcome.survivors,
                State::Held { .. }
                | State::Seeking { .. }
                | State::Starting { .. }
                | State::Running => &mut welcome.running,
            };
            list.push(child.entry.clone());
        }
        if let Some(link) = &mut self.link {
            link.greeted = true;
            link.kill_at = None;
            for part in welcome.into_parts() {
                link.send(&LauncherEvent::Welcome(part));
            }
        }
        let restart = std::mem::take(&mut self.restart_wanted);
        if let Phase::Leaving { signal, .. } = self.phase {
            self.tell(&LauncherEvent::Shutdown(signal));
        } else if restart {
            self.tell(&LauncherEvent::Restart(()));
        }
        self.release_memory_soon();
    }

    /// HUP: starts a new Supervisor, services are not touched.
    pub(super) fn restart_supervisor(&mut self) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        match &self.link {
            Some(link) if link.greeted => self.tell(&LauncherEvent::Restart(())),
            Some(_) => self.restart_wanted = true,
            None => {
                if let Some(at) = &mut self.start_at {
                    *at = Instant::now();
                }
            }
        }
    }

    /// The Supervisor process ended (reference: services §1.5; death by a signal is treated like
    /// any other unexpected end).
    pub(super) fn on_supervisor_end(&mut self, status: WaitStatus) {
        let Some(mut link) = self.link.take() else {
            return;
        };
        // the state that it sent still counts; processes that it requested would have no owner
        for request in link.drain() {
            if !matches!(request, Request::Spawn(_) | Request::Hello(_)) {
                self.on_request(request);
            }
        }
        self.read_last_words(SUPERVISOR_PIPE);
        self.kill_hooks();
        match &mut self.phase {
            Phase::Running => (),
            Phase::Leaving { again, .. } => {
                // a Supervisor that failed before Hello will fail again
                *again |= !link.greeted;
                return self.leave_without_supervisor();
            }
            Phase::Stopping { .. } | Phase::Done { .. } => return self.stop_services(0, true),
        }
        let now = Instant::now();
        if let Some(Err(failure)) = spawn::outcome(&link.status) {
            let error = io::Error::from_raw_os_error(failure.errno);
            self.not_started(&error, now);
            return;
        }
        let ran = link.started.elapsed();
        // A replacement that never sent Hello decides nothing: invalid options or configuration
        // files must not stop the services.
        let decides = link.greeted || !self.ever_started;
        match status.exit_status() {
            Some(EXIT_SHUT_DOWN) if decides => self.stop_services(0, false),
            Some(EXIT_FATAL) if decides => self.stop_services(EXIT_FATAL as u8, false),
            Some(0) if link.greeted => self.start_at = Some(now),
            Some(code) => {
                self.printer.log_error(&format!(
                    "Launcher will attempt to reload the supervisor: Supervisor process exited \
                     with an unexpected exit code: {code}"
                ));
                self.start_again_after(now, ran);
            }
            None => {
                let signal = status.terminating_signal().unwrap_or(0);
                self.printer.own(&format!(
                    "Supervisor process killed by signal {signal}; starting it again, services \
                     keep running"
                ));
                self.start_again_after(now, ran);
            }
        }
    }

    fn start_again_after(&mut self, now: Instant, ran: Duration) {
        self.start_at = Some(now + self.backoff.failed(ran));
        if let Some(systemd) = &self.systemd {
            systemd
                .status("The Supervisor ended unexpectedly and is started again; services run on");
        }
    }

    /// Ends every hook with its group: the next Supervisor decides again what to run.
    pub(super) fn kill_hooks(&mut self) {
        self.hooks_until = Instant::now() + HOOKS_GRACE;
        let hooks = self.children.iter_mut().filter(|c| c.kind == Kind::Hook);
        let ids: Vec<u64> = hooks
            .map(|child| {
                // it may be gone in the meantime
                let _ = child.signal(libc::SIGKILL, Scope::Group);
                child.stop = Stop::Killed;
                child.entry.id
            })
            .collect();
        for id in ids {
            self.close_outputs(id);
        }
        self.hook_ends.clear();
    }
}

pub(super) fn kill(link: &Link) {
    if let Some(pid) = Pid::from_raw(link.pid.cast_signed()) {
        // not reaped, so the id is still its own
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}
