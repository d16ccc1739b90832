//! Commands of the user: start, stop, unload, a changed spec; and the end of the Supervisor
//! (reference: services §4).

use roost_ident::{DesiredState, Hook, ServiceGroup};

use super::Machine;
use crate::{
    effect::Effect,
    event::Now,
    phase::{After, Phase},
    spec::{Difference, ServiceSpec},
};

impl Machine {
    fn want(&mut self, desired_state: DesiredState) {
        self.spec.desired_state = desired_state;
        if let Some((spec, _)) = &mut self.next {
            spec.desired_state = desired_state;
        }
    }

    /// Changes what follows the current stop.
    fn redirect(&mut self, after: After) {
        if let Phase::Stopping(stop) = &mut self.phase {
            stop.after = after;
        }
    }

    pub(super) fn start(&mut self, now: Now) {
        match self.phase {
            Phase::Stopped => {
                self.want(DesiredState::Up);
                self.begin(now);
            }
            Phase::Stopping(stop) => match stop.after {
                After::Down => {
                    self.want(DesiredState::Up);
                    self.forget();
                    self.redirect(After::Start);
                }
                // The spec has been deleted, or the Supervisor is ending.
                After::Unload | After::Shutdown => {}
                After::Start | After::Restart => {}
            },
            Phase::Waiting(_) | Phase::Starting(_) | Phase::Running | Phase::Gone => {}
        }
    }

    /// Stops without a restart: `after` is one of `Down`, `Unload`, `Shutdown`.
    pub(super) fn stop(&mut self, now: Now, after: After, timeout_s: Option<u32>) {
        let present = match self.phase {
            Phase::Stopping(stop) => Some(stop.after),
            _ => None,
        };
        if after == After::Down && present != Some(After::Shutdown) {
            self.want(DesiredState::Down);
        }
        match self.phase {
            Phase::Gone => {}
            Phase::Stopped => {
                if after != After::Down {
                    self.phase = Phase::Gone;
                    self.push(Effect::Gone);
                }
            }
            // Nothing runs, so there is nothing to wait for.
            Phase::Waiting(_) => {
                self.end_checks(now);
                self.finish_stop(now, after);
            }
            Phase::Starting(_) | Phase::Running => self.enter_stop(now, after, timeout_s),
            Phase::Stopping(stop) => {
                let stronger = match (stop.after, after) {
                    (After::Shutdown, _) => After::Shutdown,
                    (After::Unload, After::Down) => After::Unload,
                    (_, after) => after,
                };
                self.redirect(stronger);
                self.hasten(now, timeout_s);
            }
        }
    }

    /// The Supervisor is replaced: the next one reattaches to the process.
    pub(super) fn detach(&mut self, now: Now) {
        if self.phase == Phase::Gone {
            return;
        }
        self.end_probes(now);
        for hook in self.hooks.end_all() {
            self.push(Effect::EndHook(hook));
        }
        // A stop in progress has already stopped them.
        if self.asked.install && !matches!(self.phase, Phase::Stopping(_)) {
            self.push(Effect::EndHook(Hook::Install));
        }
        self.keep();
        self.phase = Phase::Gone;
        self.push(Effect::Gone);
    }

    /// Replaces the spec in effect.
    pub(super) fn replace_spec(&mut self, spec: ServiceSpec, group: ServiceGroup) {
        if spec.binds != self.spec.binds {
            self.logged.binds.clear();
        }
        self.spec = spec;
        if group != self.group {
            self.report_leave();
            self.group = group;
            // The next Supervisor looks for it under the new group.
            self.remembered = None;
        }
    }

    pub(super) fn change_spec(&mut self, now: Now, spec: ServiceSpec, group: ServiceGroup) {
        let up = spec.desired_state == DesiredState::Up;
        let difference = match self.spec().difference(&spec) {
            Difference::None | Difference::Swap if group != *self.newest_group() => {
                Difference::Restart
            }
            difference => difference,
        };
        match self.phase {
            Phase::Gone => {}
            Phase::Stopped => {
                self.drop_candidate();
                self.replace_spec(spec, group);
                if up {
                    self.begin(now);
                }
            }
            Phase::Waiting(_) => {
                self.drop_candidate();
                self.replace_spec(spec, group);
                if !up {
                    self.finish_stop(now, After::Down);
                } else if difference == Difference::Restart {
                    self.forget();
                    self.begin(now);
                }
            }
            Phase::Starting(_) | Phase::Running => {
                self.change_live_spec(now, spec, group, difference);
            }
            Phase::Stopping(stop) => {
                let after = match stop.after {
                    After::Shutdown => After::Shutdown,
                    After::Restart if up && difference != Difference::Restart => After::Restart,
                    After::Start | After::Restart | After::Unload | After::Down => match up {
                        true => After::Start,
                        false => After::Down,
                    },
                };
                self.drop_candidate();
                self.next = Some((spec, group));
                if after == After::Start {
                    self.forget();
                }
                self.redirect(after);
            }
        }
    }

    fn newest_group(&self) -> &ServiceGroup {
        self.next.as_ref().map_or(&self.group, |(_, group)| group)
    }

    /// The spec of a running or starting service has changed.
    fn change_live_spec(
        &mut self,
        now: Now,
        spec: ServiceSpec,
        group: ServiceGroup,
        difference: Difference,
    ) {
        if spec.desired_state == DesiredState::Down {
            // What it was to become is older than this.
            self.drop_candidate();
            self.next = Some((spec, group));
            self.enter_stop(now, After::Down, None);
            return;
        }
        match difference {
            Difference::None => self.withdraw_spec(),
            Difference::Swap => {
                self.withdraw_spec();
                self.replace_spec(spec, group);
                if self.attempt.announced {
                    self.push(Effect::Announce);
                }
            }
            Difference::Restart if self.is_protected() => {
                self.offer(now, Some((spec, group)), None);
            }
            Difference::Restart => {
                // A refused spec is older than this one, and must not replace it later.
                self.drop_candidate();
                self.next = Some((spec, group));
                self.forget();
                self.enter_stop(now, After::Start, None);
            }
        }
    }
}
