//! Plays a scenario: starts a ring, applies faults, waits for agreement, reports.

use rand::Rng;

use crate::{
    fault::Fault,
    liar::Lie,
    report::Report,
    scenario::{Measure, Planned, Scenario, Start, What},
    world::{World, ring_key},
};

/// Time between the start and the main part, in milliseconds.
const WARM_UP_MS: u64 = 5_000;
/// Further time before the main part for groups to elect leaders, in milliseconds.
const ELECTING_MS: u64 = 30_000;
/// How old a data file may be when its member crashes, in milliseconds.
const FILE_AGE_MS: u64 = 30_000;
/// Time between two probes of a member, in milliseconds.
const PERIOD_MS: u64 = 3_100;
/// Number of periods for agreement after all faults end …
const AGREE_PERIODS: usize = 60;
/// Time limit for groups to agree on leaders after that, in milliseconds.
const LEADERS_MS: u64 = 120_000;

/// Changes of a scenario for one run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes {
    /// Another number of members.
    pub members: Option<usize>,
    /// Another seed.
    pub seed: Option<u64>,
    /// Another length of the main part, in seconds; times of faults are scaled to it.
    pub seconds: Option<f64>,
    /// Print a line for each event.
    pub tracing: bool,
}

impl Scenario {
    /// Runs it.
    #[must_use]
    pub fn run(&self, wishes: Wishes) -> Report {
        let members = wishes.members.unwrap_or(self.members).max(1);
        let mut world = World::new(members, wishes.seed.unwrap_or(self.seed));
        world.tracing = wishes.tracing;
        let seconds = wishes.seconds.unwrap_or(self.seconds);
        let stretch = if self.seconds > 0.0 { seconds / self.seconds } else { 1.0 };
        self.begin(&mut world);
        let begin_ms = world.ms();
        for planned in &self.fault {
            self.plan(&mut world, planned, begin_ms, seconds, stretch);
        }
        let mut report = Report::default();
        let end_ms = begin_ms + to_ms(seconds);
        if self.measure == Some(Measure::Join) {
            measure_join(&mut world, end_ms, &mut report);
        }
        self.run_main_part(&mut world, end_ms);
        world.end_watch();
        self.report_main_part(&mut world, &mut report);
        if self.expect.agreement {
            self.settle(&mut world, &mut report);
        }
        report.add_world(&world);
        report
    }

    fn begin(&self, world: &mut World) {
        world.members_max = self.members_max;
        for node in world.nodes.iter_mut().take(self.permanent) {
            node.permanent = true;
        }
        world.key = self.ring_key.then(|| ring_key(false));
        let members = world.nodes.len();
        if let Some(who) = &self.wrong_key {
            for number in who.choose(members, &mut world.random) {
                world.nodes[number].wrong_key = true;
            }
        }
        for number in 0..members {
            world.nodes[number].drift_ppm = self.net.drift_ppm.draw(&mut world.random) as i64;
        }
        world.net.loss = self.net.loss.draw(&mut world.random);
        world.net.duplication = self.net.duplication.draw(&mut world.random);
        world.net.reordering = self.net.reordering.draw(&mut world.random);
        world.watch.rumors = self.measure == Some(Measure::Rumor);
        world.watch.deaths = self.measure == Some(Measure::Death);
        world.harm.lied = self.lies().count() > 0;
        world.harm.liars = self.liars.iter().map(|liar| liar % members).collect();
        world.recording = self.lies().any(|lie| matches!(lie, Lie::Replay | Lie::Garble));
        match self.start {
            Start::Cold => world.start_cold(),
            Start::Converged => {
                world.start_converged();
                world.run_to(WARM_UP_MS);
            }
        }
        if self.groups > 0 {
            world.start_groups(self.groups.min(members.div_ceil(5)));
            world.run_to(world.ms() + ELECTING_MS);
        }
    }

    fn lies(&self) -> impl Iterator<Item = Lie> {
        let lies = self.fault.iter().map(|planned| match &planned.what {
            What::Lie(lies) => lies.as_slice(),
            _ => &[],
        });
        lies.flatten().copied()
    }

    /// Puts a planned fault of the scenario on the time line.
    fn plan(&self, world: &mut World, planned: &Planned, begin: u64, seconds: f64, stretch: f64) {
        let mut offset = 0.0;
        loop {
            for _ in 0..planned.times {
                for node in planned.who.choose(world.nodes.len(), &mut world.random) {
                    let at = offset + planned.at.draw(&mut world.random) * stretch;
                    self.plan_one(world, &planned.what, node, begin + to_ms(at));
                }
            }
            let Some(every) = planned.every else { return };
            offset += every;
            if offset >= seconds {
                return;
            }
        }
    }

    fn plan_one(&self, world: &mut World, what: &What, node: usize, at_ms: u64) {
        let members = world.nodes.len();
        let fault = match what {
            What::Crash => Fault::Crash(node),
            What::Restart(away) => {
                let age_ms = world.random.random_range(0..FILE_AGE_MS);
                let away_ms = to_ms(away.draw(&mut world.random));
                world.plan(at_ms.saturating_sub(age_ms), Fault::Save(node));
                world.plan(at_ms + away_ms, Fault::Start(node));
                Fault::Crash(node)
            }
            What::Pause(length) => Fault::Pause(node, to_ms(length.draw(&mut world.random))),
            What::Leave => Fault::Leave(node),
            What::Side(side) => Fault::Side(node, *side),
            What::Cut => Fault::Cut(node, world.random.random_range(0..members)),
            What::Heal => Fault::Heal,
            What::Rekey => Fault::Rekey(node),
            What::Publish => Fault::Publish(node),
            What::Join => Fault::Join,
            What::Lie(lies) => {
                let by = match self.liars.as_slice() {
                    [] => members,
                    liars => liars[world.random.random_range(0..liars.len())] % members,
                };
                Fault::Lie(by, lies[world.random.random_range(0..lies.len())])
            }
        };
        world.plan(at_ms, fault);
    }

    fn run_main_part(&self, world: &mut World, end_ms: u64) {
        // harm is counted each second
        while world.harm.lied && world.ms() < end_ms {
            world.run_to(end_ms.min(world.ms() + 1_000));
            world.count_harm();
        }
        world.run_to(end_ms);
    }

    fn report_main_part(&self, world: &mut World, report: &mut Report) {
        report.add("members", world.nodes.len());
        if world.watch.rumors {
            let times = std::mem::take(&mut world.watch.rumor_us);
            report.add_times("a rumor was known after", times);
            let estimate = epidemic_seconds(world.nodes.len());
            report.add("  estimate for Habitat, until all know", format!("{estimate} s"));
        }
        if world.watch.deaths {
            let times = std::mem::take(&mut world.watch.suspected_us);
            report.add_times("a dead member was suspected after", times);
            let times = std::mem::take(&mut world.watch.confirmed_us);
            report.add_times("a dead member was confirmed after", times);
        }
        report
            .expect(world.watch.missed == 0, "not all members learnt of the measured news in time");
        let checks = &world.checks;
        if self.expect.no_false_deaths {
            let holds = checks.false_confirmations == 0;
            report.expect(holds, "a reachable member was declared dead");
        }
        if self.expect.no_paused_deaths {
            let holds = checks.confirmations_while_cut == 0;
            report.expect(holds, "a paused member was declared dead");
        }
    }

    /// Ends all faults and waits for agreement.
    fn settle(&self, world: &mut World, report: &mut Report) {
        world.heal();
        world.net.loss = 0.0;
        for number in 0..world.nodes.len() {
            if world.nodes[number].ring.is_none() && !world.nodes[number].gone {
                world.start(number, &[0, 1, 2], false);
            }
        }
        let listed = world.nodes.iter().filter_map(|node| Some(node.ring.as_ref()?.tally().0));
        let longest = listed.max().unwrap_or(0).max(world.nodes.len());
        let max_ms = PERIOD_MS * (AGREE_PERIODS + longest) as u64;
        match world.run_until(max_ms, World::all_agree) {
            Some(ms) => {
                let text = format!("{:.1} s ({} periods)", seconds(ms), ms.div_ceil(PERIOD_MS));
                report.add("all agreed on the members after", text);
            }
            None => {
                report.expect(false, "the members do not agree long after all faults ended");
                report.add("not seen alive at the end", world.disagreements());
            }
        }
        for group in 0..world.groups {
            let group = crate::fault::group_name(group);
            let elected = world.run_until(LEADERS_MS, |world| world.one_leader(&group));
            if let Some(ms) = elected {
                report.add(
                    &format!("then all knew {group}'s leader after"),
                    format!("{:.1} s", seconds(ms)),
                );
            } else {
                let what = format!("{group} has no leader known to all");
                if self.expect.leaders {
                    report.expect(false, &what);
                }
                report.add(&what, world.views_of(&group));
            }
        }
        if let (Some(last), Some(term)) = (self.expect.terms, world.last_term()) {
            let what = format!("there was an election of term {term}, after {last}");
            report.expect(term <= last, &what);
        }
        if world.harm.lied {
            world.count_harm();
        }
    }
}

/// Measures the cost of a newcomer until the main part ends.
fn measure_join(world: &mut World, end_ms: u64, report: &mut Report) {
    let begin_ms = world.ms();
    let received = |world: &World| world.nodes.iter().map(|node| node.received).sum::<u64>();
    let before = received(world);
    world.run_to(begin_ms + 1);
    let agreed = world.run_until(end_ms - begin_ms, World::all_agree);
    report.expect(agreed.is_some(), "the newcomer is not known to all");
    report.add(
        "all knew the newcomer, and it knew all, after",
        format!("{:.1} s", seconds(agreed.unwrap_or(0))),
    );
    world.run_to(end_ms);
    let to_newcomer = world.nodes.last().map_or(0, |node| node.received);
    report.add("messages to the newcomer", to_newcomer);
    report.add("messages in the ring meanwhile", received(world) - before);
}

/// Seconds until a rumor that each member sends to five others per second reaches all, by the
/// recurrence of an epidemic without loss.
fn epidemic_seconds(members: usize) -> u64 {
    let members = members as f64;
    let (mut know, mut seconds) = (1.0_f64, 0);
    while members - know > 0.5 && seconds < 1000 {
        know += (members - know) * (1.0 - (1.0 - 1.0 / members).powf(5.0 * know));
        seconds += 1;
    }
    seconds
}

fn to_ms(seconds: f64) -> u64 {
    (seconds * 1000.0).max(0.0) as u64
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
