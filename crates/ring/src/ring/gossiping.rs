//! Actions of the member for its gossip.

use super::Ring;
use crate::{
    gossip::{Gossip, Step},
    outbox::Outgoing,
    output::Output,
    push::Surroundings,
    time::Now,
};

impl Ring {
    /// Serves the next members when they are due.
    pub(super) fn run_gossip(&mut self, now: Now) {
        while let Some(step) = self.gossip(|gossip, at| gossip.step(now, at)) {
            match step {
                Step::Push { push, to, messages } => {
                    let output = Output::Push { push, to, messages };
                    self.queue(Outgoing { output, counts_as: None });
                }
                Step::Failed => self.counters.pushes_failed += 1,
            }
        }
    }

    /// A push has ended, or was lost before the caller fetched it.
    pub(super) fn push_ended(&mut self, push: u64, sent: usize) {
        let Some(ended) = self.gossip(|gossip, at| gossip.ended(at, push, sent)) else { return };
        for content in &ended.sent {
            self.counters.gossip_sent.entry(content.kind).or_default().add(content.bytes);
        }
        self.counters.pushes_failed += u64::from(ended.failed);
    }

    fn gossip<T>(&mut self, act: impl FnOnce(&mut Gossip, &mut Surroundings<'_>) -> T) -> T {
        let mut surroundings = Surroundings {
            me: &self.me.id,
            table: &mut self.table,
            rumors: &self.rumors,
            envelope: &self.envelope,
            rng: &mut self.rng,
            share_limit: self.config.share_limit,
        };
        act(&mut self.gossip, &mut surroundings)
    }
}
