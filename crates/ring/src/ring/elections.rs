//! Actions of the member for its elections.

use super::Ring;
use crate::{
    dropped::Dropped,
    election::{Decision, Elections, Electorate, Reason, Surroundings},
    output::{Duration, Output},
    rumor::{Election, ElectionKind},
    time::Now,
};

impl Ring {
    pub(super) fn start_election(
        &mut self,
        now: Now,
        kind: ElectionKind,
        group: &str,
        suitability: u64,
    ) -> Result<(), Dropped> {
        self.elect(now, |elections, at| {
            elections.start(now, at, kind, group, 0, suitability, Reason::Service)
        })
    }

    pub(super) fn receive_election(
        &mut self,
        now: Now,
        kind: ElectionKind,
        election: Election,
    ) -> Result<bool, Dropped> {
        self.elect(now, |elections, at| elections.receive(now, at, kind, election))
    }

    pub(super) fn suitability_known(&mut self, now: Now, group: &str, term: u64, value: u64) {
        self.elect(now, |elections, at| elections.suitability_known(now, at, group, term, value));
    }

    pub(super) fn trigger_election(&mut self, now: Now, group: &str) {
        self.elect(now, |elections, at| elections.trigger(now, at, group));
    }

    pub(super) fn run_elections(&mut self, now: Now) {
        self.elect(now, |elections, at| elections.wake(now, at));
    }

    /// True when more than half of a group is alive.
    pub(super) fn has_quorum(&self, group: &str) -> bool {
        Electorate::of(group, &self.table, &self.rumors).has_quorum()
    }

    /// Runs an action of the elections, and carries out its decisions.
    fn elect<T>(
        &mut self,
        now: Now,
        act: impl FnOnce(&mut Elections, &mut Surroundings<'_>) -> T,
    ) -> T {
        let mut surroundings = Surroundings {
            me: &self.me.id,
            table: &self.table,
            rumors: &mut self.rumors,
            restoring: self.restoring,
        };
        let result = act(&mut self.elections, &mut surroundings);
        self.elections.look_back(&surroundings);
        while let Some(decision) = self.elections.poll() {
            match decision {
                Decision::Note(event) => self.note(event),
                Decision::AskSuitability { group, term } => self.out.ask_suitability(group, term),
                Decision::Took { group, took_us } => {
                    self.say(Output::Took(Duration::Election { group, took_us }));
                }
                Decision::Count(dropped) => self.count_drop(&dropped),
                Decision::Turn { kind, group, turn } => self.record_turn(now, kind, group, &turn),
                Decision::Show => self.changed(),
            }
        }
        result
    }
}
