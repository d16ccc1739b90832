//! Results of a run.

use std::fmt;

use roost_ring::RumorKind;

use crate::world::World;

/// Results of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Name and value, in order of creation.
    pub figures: Vec<(String, String)>,
    /// Violated invariants and expectations.
    pub violations: Vec<String>,
}

impl Report {
    /// Adds a figure.
    pub fn add(&mut self, name: &str, value: impl fmt::Display) {
        self.figures.push((name.into(), value.to_string()));
    }

    /// Adds a violation unless `holds`.
    pub fn expect(&mut self, holds: bool, what: &str) {
        if !holds {
            self.violations.push(what.into());
        }
    }

    /// Adds median, 99th percentile and worst of some times, given in microseconds.
    pub fn add_times(&mut self, name: &str, mut times: Vec<u64>) {
        times.sort_unstable();
        let Some(worst) = times.last() else {
            self.add(name, "never");
            return;
        };
        let at = |share: usize| seconds(times[(times.len() - 1) * share / 100]);
        let text = format!(
            "median {}, 99 % {}, worst {}, of {}",
            at(50),
            at(99),
            seconds(*worst),
            times.len()
        );
        self.add(name, text);
    }

    /// Adds results of interest in any run.
    pub fn add_world(&mut self, world: &World) {
        let checks = &world.checks;
        self.add("deaths declared: of dead members", checks.true_confirmations);
        self.add("   of members cut off or paused", checks.confirmations_while_cut);
        self.add("   of reachable members", checks.false_confirmations);
        self.add("unanswered probes", checks.suspicions);
        if world.groups > 0 {
            self.add("times that a group had two leaders in one term", checks.double_leaders);
        }
        if world.harm.lied {
            self.add_harm(world);
        }
        let received = world.nodes.iter().map(|node| node.received).sum::<u64>();
        self.add("messages received", received);
        self.add("  refused", refused(world));
        self.add("rumors sent by running members", rumors_sent(world));
        let bytes: u64 = world.nodes.iter().map(|node| node.sent_bytes).sum();
        let rate = bytes as f64 / world.nodes.len() as f64 / (world.ms().max(1) as f64 / 1000.0);
        self.add("bytes sent per member and second", format!("{rate:.1}"));
        self.add("simulated", format!("{} s, {} steps", world.ms() / 1000, world.steps));
        self.violations.extend(checks.violations.iter().cloned());
    }

    /// Adds the effect of lies: during them, and after agreement.
    fn add_harm(&mut self, world: &World) {
        let (most, end) = (&world.harm.most, &world.harm.now);
        let honest = world.nodes.len() - world.harm.liars.len();
        let pairs = honest * honest.saturating_sub(1);
        let both = |most: usize, end: usize| format!("{most} at most, {end} in the end");
        self.add(
            "lies: honest members doubted by others",
            format!("{} of {pairs} pairs", both(most.doubts, end.doubts)),
        );
        self.add("  length of the longest member list", both(most.listed, end.listed));
        self.add("  highest incarnation of an honest member", world.harm.incarnation);
        self.add("  accepted forged services", both(most.services, end.services));
        self.add("  times a false leader is accepted", both(most.leaders, end.leaders));
        let gone = world.nodes.iter().filter(|node| node.gone).count();
        self.add("  members that obeyed a false departure", gone);
    }
}

/// Messages that were refused, by reason.
fn refused(world: &World) -> String {
    let reasons = world.dropped.iter().map(|(reason, count)| format!("{reason} {count}"));
    let reasons: Vec<String> = reasons.collect();
    if reasons.is_empty() { "none".into() } else { reasons.join(", ") }
}

/// Rumors sent, by kind.
fn rumors_sent(world: &World) -> String {
    let rings = || world.nodes.iter().filter_map(|node| node.ring.as_ref());
    let of_kind = |kind| {
        let tallies = rings().filter_map(|ring| ring.counters().gossip_sent.get(&kind));
        tallies.map(|tally| tally.messages).sum::<u64>()
    };
    let kinds = RumorKind::ALL.into_iter().map(|kind| (kind, of_kind(kind)));
    let texts =
        kinds.filter(|(_, sent)| *sent > 0).map(|(kind, sent)| format!("{} {sent}", kind.as_str()));
    texts.collect::<Vec<_>>().join(", ")
}

fn seconds(us: u64) -> String {
    format!("{:.2} s", us as f64 / 1e6)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.figures {
            writeln!(f, "  {name:<42} {value}")?;
        }
        for violation in &self.violations {
            writeln!(f, "  VIOLATION {violation}")?;
        }
        Ok(())
    }
}
