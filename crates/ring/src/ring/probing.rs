//! Actions of the member for its prober.

use super::Ring;
use crate::{
    counters::SwimType,
    id::MemberId,
    member::{Health, Member},
    output::{Duration, Event, Output},
    probe::Step,
    standing::Source,
    swim::{Swim, SwimKind},
    time::Now,
};

impl Ring {
    /// Carries out the due actions of the prober.
    pub(super) fn run_prober(&mut self, now: Now) {
        while let Some(step) = self.prober.step(now, &self.me.id, &self.table, &mut self.rng) {
            self.carry_out(now, step);
        }
    }

    fn carry_out(&mut self, now: Now, step: Step) {
        match step {
            Step::PingPeers(peers) => {
                for to in peers {
                    let ping = SwimKind::Ping { from: self.own_member(), forward_to: None };
                    self.say_swim(to, ping, None);
                }
            }
            Step::Ping { id, to } => {
                let ping = SwimKind::Ping { from: self.own_member(), forward_to: None };
                self.say_swim(to, ping, Some(&id));
                self.counters.probes_ping += 1;
            }
            Step::Ask { to } => {
                // only in this message the own record contains the flag
                let from = Member { probe_ping: true, ..self.own_member() };
                let kind = SwimKind::ProbePing { from };
                let probeping = Swim { kind, memberships: Vec::new() };
                self.send_swim(to, SwimType::ProbePing, probeping.encode());
            }
            Step::AskHelpers { target, helpers } => {
                self.counters.probes_pingreq += 1;
                if let Some(to) = target.swim_addr() {
                    self.note(Event::ProbeTimedOut { id: target.id.clone(), to });
                }
                if helpers.is_empty() {
                    return;
                }
                let id = target.id.clone();
                let request = SwimKind::PingReq { from: self.own_member(), target };
                let ((swim_type, payload), _) = self.compose(request, Some(&id));
                for to in helpers {
                    self.send_swim(to, swim_type, payload.clone());
                }
            }
            Step::Suspect(member) => {
                self.counters.probes_failed += 1;
                self.awareness.probe_failed();
                if self.worsen(now, &member, Health::Suspect) {
                    self.note(Event::Suspected { id: member.id });
                }
            }
            Step::Confirm(member) => {
                self.note(Event::ProbePingFailed { id: member.id.clone() });
                self.worsen(now, &member, Health::Confirmed);
            }
        }
    }

    /// Applies the prober's result about a member. The list already contains it, so no limit
    /// applies.
    fn worsen(&mut self, now: Now, member: &Member, health: Health) -> bool {
        let Some(address) = member.address else { return false };
        self.insert(now, member, address, health, Source::Probe) == Ok(true)
    }

    /// A member answered.
    pub(super) fn probe_answered(&mut self, now: Now, id: &MemberId) {
        let Some(answered) = self.prober.answered(now, id, &self.table) else { return };
        self.counters.probes_ack += 1;
        self.awareness.probe_answered();
        let (indirect, took_us) = (answered.indirect, answered.took_us);
        if let Some(place) = self.table.find(id).filter(|_| !indirect) {
            self.table.measured(place, took_us);
        }
        self.say(Output::Took(Duration::Probe { indirect, took_us }));
    }
}
