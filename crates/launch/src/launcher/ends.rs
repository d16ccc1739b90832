//! Ends of processes and of their groups.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Instant};

use roost_logs::Tag;
use rustix::process::{WaitOptions, WaitStatus};

use super::{LINGER_CHECK, Launcher, Phase};
use crate::{
    child::{Child, Sent, State, Stop},
    clock, group,
    wire::{Ended, Exited, Kind, LauncherEvent, Process, WireStatus},
};

impl Launcher {
    /// Reaps every process that ended: children, and orphans adopted by the launcher.
    pub(super) fn reap(&mut self) {
        // All first: processes that ended together are gone before the first end is reported.
        let mut ended = Vec::new();
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            ended.push((pid.as_raw_pid().cast_unsigned(), status));
        }
        for (pid, status) in ended {
            if self.link.as_ref().is_some_and(|link| link.pid == pid) {
                self.on_supervisor_end(status);
            } else {
                self.on_child_end(pid, status);
            }
        }
        self.groups_due = Instant::now();
    }

    fn position_of_own(&self, pid: u32) -> Option<usize> {
        self.children.iter().position(|child| {
            let own =
                matches!(child.state, State::Held { .. } | State::Starting { .. } | State::Running);
            own && child.entry.pid == pid
        })
    }

    fn on_child_end(&mut self, pid: u32, raw: WaitStatus) {
        let Some(at) = self.position_of_own(pid) else {
            return; // an orphan
        };
        self.children[at].go();
        if let State::Starting { .. } = self.children[at].state {
            // its status pipe comes first
            let id = self.children[at].entry.id;
            self.on_exec(id);
        }
        let Some(at) = self.position_of_own(pid) else {
            return; // it never executed anything, which is reported already
        };
        let entry = self.children[at].entry.clone();
        let status = WireStatus::of(raw);
        match self.children[at].kind {
            Kind::Hook => {
                self.hook_exited(entry.id, status);
                self.mark_unsaved(Kind::Hook);
                if self.children[at].stop == Stop::No {
                    self.children.swap_remove(at);
                } else {
                    // killed with its group, whose end is awaited
                    self.children[at].state = State::Lingering;
                }
            }
            Kind::Service => {
                self.read_last_words(entry.id);
                if self.children[at].stop == Stop::No {
                    let reason = match self.children[at].sent {
                        Sent::Kill => ": it had not ended within its time-out and was killed",
                        Sent::Nothing | Sent::Asked => "",
                    };
                    self.printer.own(&format!(
                        "Child for service '{}' with PID {pid} exited with code {}{reason}",
                        entry.name,
                        ExitStatus::from_raw(raw.as_raw())
                    ));
                }
                self.on_service_end(at, status);
            }
        }
    }

    /// A survivor's descriptor reports its end.
    pub(super) fn on_survivor_end(&mut self, id: u64) {
        if let Some(at) = self.children.iter().position(|child| child.entry.id == id) {
            let child = &self.children[at];
            if child.stop == Stop::No {
                self.printer.own(&format!(
                    "Service '{}' with PID {} of an earlier launcher ended",
                    child.entry.name, child.entry.pid
                ));
            }
            self.on_service_end(at, None);
        }
    }

    /// Reported immediately; its group is tracked until no process of it lives.
    fn on_service_end(&mut self, at: usize, status: Option<WireStatus>) {
        let child = &mut self.children[at];
        child.state = State::Lingering;
        let entry = child.entry.clone();
        let last_words = child.last_words.take();
        self.groups_due = Instant::now();
        let text = format!("process {} {}", entry.pid, in_words(status));
        self.service_logs.mark(&entry.name, Tag::Exited, &text);
        // the same time for both: it lets the next Supervisor recognise an end that was already
        // reported
        let at_unix_ms = clock::unix_ms();
        let group_alive = group::has_living(entry.pid);
        let end = self.keep_end(entry, status, at_unix_ms, last_words);
        self.tell(&LauncherEvent::Exited(Exited { end, group_alive }));
    }

    /// Keeps the last end of a service for the next Supervisor.
    pub(super) fn keep_end(
        &mut self,
        process: Process,
        status: Option<WireStatus>,
        at_unix_ms: u64,
        last_words: String,
    ) -> Ended {
        let Process { id, name, pid, .. } = process;
        let ended = Ended { id, name: name.clone(), pid, at_unix_ms, last_words, status };
        self.ended.insert(name, ended.clone());
        ended
    }

    /// Drops groups without running processes, and detects survivors that ended unseen. Runs right
    /// after the end of a child, and periodically for processes that are not children.
    pub(super) fn check_groups(&mut self, now: Instant) {
        if now < self.groups_due {
            return;
        }
        self.groups_due = now + LINGER_CHECK;
        let ended_unseen = |child: &Child| {
            matches!(child.state, State::Survivor { pidfd: None }) && !child.is_same_process()
        };
        while let Some(at) = self.children.iter().position(ended_unseen) {
            self.on_survivor_end(self.children[at].entry.id);
        }
        let lingering =
            self.children.iter().filter(|child| matches!(child.state, State::Lingering));
        let lingering = lingering.map(|child| child.entry.pid).collect();
        let gone = group::without_life(&lingering);
        let is_gone = |child: &Child| {
            matches!(child.state, State::Lingering) && gone.contains(&child.entry.pid)
        };
        while let Some(at) = self.children.iter().position(is_gone) {
            let child = self.children.swap_remove(at);
            self.mark_unsaved(child.kind);
            if child.kind == Kind::Hook {
                continue;
            }
            self.tell(&LauncherEvent::GroupGone(child.entry.id));
            if matches!(self.phase, Phase::Stopping { .. }) {
                let text = format!("Shutdown OK: {}", child.stop.text());
                self.printer.about(&child.entry.name, &text);
            }
        }
    }
}

fn in_words(status: Option<WireStatus>) -> String {
    match status {
        Some(WireStatus::Code(code)) => format!("exited with code {code}"),
        Some(WireStatus::Signal(signal)) => format!("was terminated by signal {signal}"),
        None => "ended".into(),
    }
}
