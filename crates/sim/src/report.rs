//! Figures of a run.

use std::fmt;

use roost_ring::RumorKind;

use crate::World;

/// What a run showed.
#[derive(Debug, Default)]
pub struct Report {
    /// Name and value, in the order of their making.
    pub figures: Vec<(String, String)>,
    /// What must not happen and did.
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
    pub fn add_times(&mut self, name: &str, times_us: impl Iterator<Item = u64>) {
        let mut times: Vec<u64> = times_us.collect();
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

    /// Adds what is of interest in any run, with traffic counted from `start_ms` on.
    pub fn add_world(&mut self, world: &World, start_ms: u64, bytes_at_start: u64) {
        let members = world.nodes.len();
        let bytes: u64 = world.nodes.iter().map(|node| node.sent_bytes).sum();
        let span_s = (world.ms() - start_ms).max(1) as f64 / 1000.0;
        let rate = (bytes - bytes_at_start) as f64 / members as f64 / span_s;
        self.add("members", members);
        self.add("simulated", format!("{} s", world.ms() / 1000));
        self.add("steps", world.steps);
        self.add("messages received", world.nodes.iter().map(|node| node.received).sum::<u64>());
        self.add("bytes sent per member-second", format!("{rate:.1}"));
        let checks = &world.checks;
        self.add("rumors sent by those that run", rumors_sent(world));
        self.add("probes that failed", checks.suspicions);
        self.add("dead members confirmed", checks.true_confirmations);
        self.add("cut off or paused members confirmed", checks.confirmations_while_cut);
        self.add("false confirmations", checks.false_confirmations);
        self.add("double leaders", checks.double_leaders);
        self.add("dropped inputs", format!("{:?}", world.dropped));
        self.violations.extend(checks.violations.iter().cloned());
    }
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
            writeln!(f, "{name:<36} {value}")?;
        }
        for violation in &self.violations {
            writeln!(f, "VIOLATION {violation}")?;
        }
        Ok(())
    }
}
