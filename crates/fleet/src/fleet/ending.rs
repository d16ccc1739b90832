//! The end of all services, and how they are left to the next Supervisor.

use roost_events::Cause;
use roost_service::MachineEvent;

use super::Fleet;
use crate::{
    action::{Action, RingAction},
    course::Ending,
    release::Release,
    shutdown::Left,
};

impl<R: Release> Fleet<R> {
    /// Begins the end: every service is stopped.
    pub(super) fn shut_down(&mut self, ending: Ending) {
        if self.is_ending() {
            return;
        }
        self.actions.push(Action::Ending);
        self.actions.sup("Gracefully departing from butterfly network.");
        self.actions.ring(RingAction::Leave);
        if !self.course.end(ending, self.survivors.has_processes(), self.now.mono_ms) {
            self.stop_all();
        }
    }

    pub(super) fn stop_all(&mut self) {
        self.course.stop_waiting();
        self.tell_all(self.record.end_cause(), &MachineEvent::Shutdown);
        for held in self.survivors.take_all() {
            self.stop_orphan(held);
        }
    }

    /// Lets go of every service, so that the launcher starts a new Supervisor.
    pub(super) fn restart(&mut self) {
        if self.is_ending() {
            return;
        }
        self.actions.sup("Supervisor shutting down for restart");
        self.actions.sup("Preparing services for Supervisor restart");
        self.course.end(Ending::Done, false, self.now.mono_ms);
        self.tell_all(Cause::Unknown, &MachineEvent::Detach);
    }

    /// Without the launcher nothing can be started, and no end of a process is reported: the fleet
    /// ends at once, and what still runs is [`Fleet::left`].
    pub(super) fn launcher_gone(&mut self) {
        self.actions.sup("Supervisor shutting down due to launcher exit");
        self.actions.ring(RingAction::Leave);
        let services = self.services.values();
        let running = services
            .filter_map(|service| Some(Left { pid: service.pid()?, shutdown: service.shutdown() }));
        self.left = running.collect();
        self.left.extend(self.survivors.take_left());
        self.left.extend(self.orphans.left());
        self.services.clear();
        self.orphans.clear();
        // An end that waits for the specs, to take processes back, waits no longer.
        self.course.end(Ending::LauncherGone, false, self.now.mono_ms);
    }
}
