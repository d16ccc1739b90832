//! Named runs: what is set up, what goes wrong, what is expected.

use rand::{Rng, seq::SliceRandom};
use roost_ring::{Command, Now, OwnService, SysInfo};

use crate::{Fault, Report, World};

/// A named run.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    run: fn(&mut World, u64) -> Report,
}

/// All scenarios.
pub const SCENARIOS: [Scenario; 11] = [
    Scenario { name: "calm", about: "a converged ring that loses 1 % of datagrams", run: calm },
    Scenario { name: "rumor", about: "one new rumor in a converged ring", run: rumor },
    Scenario { name: "death", about: "one member of a converged ring dies", run: death },
    Scenario {
        name: "pauses",
        about: "1 % loss; each minute 5 % of the members stand still for 2 s",
        run: pauses,
    },
    Scenario {
        name: "partition",
        about: "two halves for two minutes, then healed",
        run: partition,
    },
    Scenario { name: "one-way", about: "links that work in one direction only", run: one_way },
    Scenario {
        name: "restarts",
        about: "members crash and come back with data files up to 30 s old",
        run: restarts,
    },
    Scenario {
        name: "elections",
        about: "groups whose leaders crash, pause and get cut off",
        run: elections,
    },
    Scenario { name: "liars", about: "somebody calls members dead that are not", run: liars },
    Scenario { name: "cold", about: "all start at once and know one address", run: cold },
    Scenario { name: "chaos", about: "everything at once, by the seed", run: chaos },
];

/// Figures only; not among the scenarios because it changes the number of members.
pub const JOIN: Scenario =
    Scenario { name: "join", about: "one newcomer in a converged ring", run: join };

/// The scenario of this name.
#[must_use]
pub fn find(name: &str) -> Option<Scenario> {
    SCENARIOS.iter().chain([&JOIN]).find(|scenario| scenario.name == name).copied()
}

impl Scenario {
    /// Runs it; `seconds` is how long the main part lasts.
    #[must_use]
    pub fn run(&self, members: usize, seed: u64, seconds: u64, tracing: bool) -> Report {
        let mut world = World::new(members, seed);
        world.tracing = tracing;
        (self.run)(&mut world, seconds * 1000)
    }
}

/// Time that a ring needs to agree again once all is well, in milliseconds: a pass of probes may
/// have to reach a member before it is revived, then its news spread.
fn agree_ms(members: usize) -> u64 {
    180_000 + 3_100 * members as u64
}

fn sent(world: &World) -> u64 {
    world.nodes.iter().map(|node| node.sent_bytes).sum()
}

/// Ends a run: heals all, waits for agreement, reports.
fn settle(world: &mut World, mut report: Report) -> Report {
    world.heal();
    world.net.loss = 0.0;
    for number in 0..world.nodes.len() {
        if world.nodes[number].ring.is_none() {
            world.start(number, &[0, 1, 2], false);
        }
    }
    let start = world.ms();
    let bytes = sent(world);
    let max_ms = agree_ms(world.nodes.len());
    if world.run_until(60_000, World::all_agree).is_none() {
        report.add("not seen alive after 60 s", world.disagreements());
    }
    let agreed = world.run_until(max_ms, World::all_agree).map(|_| world.ms() - start);
    match agreed {
        Some(ms) => report.add("agreement after healing", format!("{:.1} s", ms as f64 / 1000.0)),
        None => {
            report.expect(false, "the members do not agree long after all is well");
            report.add("those not seen alive", world.disagreements());
        }
    }
    for group in 0..world.groups {
        let group = format!("group{group}.default");
        let elected = world.run_until(120_000, |world| world.one_leader(&group));
        report.expect(elected.is_some(), &format!("{group} has no leader that all know"));
        if elected.is_none() {
            report.add(&format!("{group} as seen"), world.views_of(&group));
        }
        if let Some(ms) = elected {
            report.add(&format!("{group} led after"), format!("{:.1} s", ms as f64 / 1000.0));
        }
    }
    report.add_world(world, start, bytes);
    report
}

fn calm(world: &mut World, ms: u64) -> Report {
    world.start_converged();
    world.net.loss = 0.01;
    // data files are told nothing new by, so the ring is calm from the start
    world.run_to(ms);
    let mut report = Report::default();
    report.expect(world.all_agree(), "all members are alive");
    report.expect(world.checks.false_confirmations == 0, "nobody is declared dead");
    report.add_world(world, 0, 0);
    report
}

/// Seconds until a rumor that each member tells five others per second reaches everybody, by the
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

fn service(group: usize) -> Command {
    Command::PublishService(OwnService {
        group: format!("group{group}.default"),
        pkg: format!("example/group{group}/1.0.0/20250101000000"),
        cfg: "port = 1\n".into(),
        sys: SysInfo { ip: "10.0.0.1".into(), hostname: "h".into(), ..SysInfo::default() },
        pkg_incarnation: 0,
    })
}

fn rumor(world: &mut World, ms: u64) -> Report {
    world.start_converged();
    world.run_to(20_000);
    let mut report = Report::default();
    let members = world.nodes.len();
    let mut times = Vec::new();
    for incarnation in 1..=5 {
        let owner = world.random.random_range(0..members);
        let known = world.nodes[owner]
            .ring
            .as_ref()
            .and_then(|ring| ring.service("group0.default", &crate::node::id_of(owner)))
            .map_or(1, |service| service.incarnation + 1);
        world.watch.service = Some(("group0.default".into(), owner, known));
        world.watch.since = world.now;
        world.watch.knew.clear();
        world.tell(owner, service(0));
        let reached = world.run_until(ms, |world| world.watch.knew.len() == members);
        report.expect(reached.is_some(), &format!("rumor {incarnation} reaches everybody"));
        times.extend(world.watch.knew.values().copied());
        let next = world.ms() + 30_000;
        world.run_to(next);
    }
    report.add_times("rumor known after", times.into_iter());
    report.add("estimate for Habitat, worst", format!("{} s", epidemic_seconds(members)));
    report.add_world(world, 0, 0);
    report
}

fn death(world: &mut World, ms: u64) -> Report {
    world.start_converged();
    world.run_to(20_000);
    let mut report = Report::default();
    let (mut suspected, mut confirmed) = (Vec::new(), Vec::new());
    let victims = 5.min(world.nodes.len() / 4);
    for victim in 0..victims {
        let victim = world.nodes.len() - 1 - victim;
        world.watch.death = Some(victim);
        world.watch.since = world.now;
        world.watch.suspected.clear();
        world.watch.confirmed.clear();
        world.nodes[victim].ring = None;
        let running = world.nodes.iter().filter(|node| node.ring.is_some()).count();
        let known = world.run_until(ms, |world| world.watch.confirmed.len() == running);
        report.expect(known.is_some(), "everybody confirms the death");
        suspected.extend(world.watch.suspected.values().copied());
        confirmed.extend(world.watch.confirmed.values().copied());
    }
    report.add_times("death suspected after", suspected.into_iter());
    report.add_times("death confirmed after", confirmed.into_iter());
    report.expect(world.checks.false_confirmations == 0, "nobody else is declared dead");
    report.add_world(world, 0, 0);
    report
}

fn pauses(world: &mut World, ms: u64) -> Report {
    world.start_converged();
    world.net.loss = 0.01;
    let members = world.nodes.len();
    for minute in 0..ms.div_ceil(60_000) {
        let mut all: Vec<usize> = (0..members).collect();
        all.shuffle(&mut world.random);
        for node in all.into_iter().take(members.div_ceil(20)) {
            let at_ms = minute * 60_000 + world.random.random_range(0..60_000);
            world.plan(at_ms, Fault::Pause { node, ms: 2_000 });
        }
    }
    world.run_to(ms);
    let mut report = Report::default();
    report.expect(world.checks.false_confirmations == 0, "nobody is declared dead");
    report.expect(world.checks.confirmations_while_cut == 0, "nobody paused is declared dead");
    report.add_world(world, 0, 0);
    report
}

fn partition(world: &mut World, ms: u64) -> Report {
    world.start_converged();
    world.run_to(5_000);
    for node in 0..world.nodes.len() {
        world.net.put_on_side(node, u8::try_from(node % 2).unwrap_or(0));
    }
    world.run_to(5_000 + ms.min(120_000));
    let false_confirmations = world.checks.false_confirmations;
    let mut report = settle(world, Report::default());
    report.expect(false_confirmations == 0, "nobody on the own side is declared dead");
    report
}

fn one_way(world: &mut World, ms: u64) -> Report {
    world.start_converged();
    world.run_to(5_000);
    let members = world.nodes.len();
    for from in 0..members {
        if world.random.random_bool(0.2) {
            let to = world.random.random_range(0..members);
            world.net.cut(from, to);
        }
    }
    world.run_to(5_000 + ms.min(120_000));
    let false_confirmations = world.checks.false_confirmations;
    let mut report = settle(world, Report::default());
    report.expect(false_confirmations == 0, "helpers keep everybody alive");
    report
}

/// A crash with a data file up to 30 s old, and the start some time later.
fn plan_restart(world: &mut World, node: usize, crash_ms: u64, away_ms: u64) {
    let age_ms = world.random.random_range(0..30_000);
    world.plan(crash_ms.saturating_sub(age_ms), Fault::Save(node));
    world.plan(crash_ms, Fault::Crash(node));
    let peers = vec![0, 1, 2];
    world.plan(crash_ms + away_ms, Fault::Start { node, peers, cold: false });
}

fn restarts(world: &mut World, ms: u64) -> Report {
    world.start_converged();
    let members = world.nodes.len();
    for _ in 0..members.div_ceil(5) {
        let node = world.random.random_range(0..members);
        let crash_ms = world.random.random_range(30_000..30_000 + ms);
        let away_ms = world.random.random_range(1_000..60_000);
        plan_restart(world, node, crash_ms, away_ms);
    }
    world.run_to(100_000 + ms);
    settle(world, Report::default())
}

/// Puts five members into each of `groups` groups.
fn start_groups(world: &mut World, groups: usize) {
    world.groups = groups;
    let members = world.nodes.len();
    for group in 0..groups {
        for place in 0..5.min(members) {
            let node = (group * 5 + place * 7) % members;
            let group_name = format!("group{group}.default");
            world.tell(node, service(group));
            let start = Command::StartElection { group: group_name, suitability: 0 };
            world.tell(node, start);
        }
    }
}

fn elections(world: &mut World, ms: u64) -> Report {
    world.start_converged();
    world.run_to(10_000);
    start_groups(world, 3.min(world.nodes.len().div_ceil(5)));
    let members = world.nodes.len();
    for _ in 0..10 {
        let node = world.random.random_range(0..members.min(40));
        let at_ms = 30_000 + world.random.random_range(0..ms);
        if world.random.random_bool(0.5) {
            let away_ms = world.random.random_range(1_000..90_000);
            plan_restart(world, node, at_ms, away_ms);
        } else {
            let pause_ms = world.random.random_range(1_000..40_000);
            world.plan(at_ms, Fault::Pause { node, ms: pause_ms });
        }
    }
    for node in 0..members {
        let side = u8::from(node % 3 == 0);
        world.plan(30_000 + ms / 3, Fault::Side { node, side });
    }
    world.plan(30_000 + 2 * ms / 3, Fault::Heal);
    world.run_to(120_000 + ms);
    settle(world, Report::default())
}

fn liars(world: &mut World, ms: u64) -> Report {
    world.start_converged();
    let members = world.nodes.len();
    for _ in 0..members {
        let at_ms = world.random.random_range(1_000..ms);
        let (to, about) =
            (world.random.random_range(0..members), world.random.random_range(0..members));
        let confirmed = world.random.random_bool(0.5);
        world.plan(at_ms, Fault::Lie { to, about, confirmed });
    }
    world.run_to(ms + 10_000);
    let mut report = Report::default();
    report.expect(world.checks.false_confirmations == 0, "nobody is declared dead");
    let again = world.run_until(60_000, World::all_agree);
    report.expect(again.is_some(), "the truth wins");
    report.add_world(world, 0, 0);
    report
}

fn cold(world: &mut World, ms: u64) -> Report {
    for number in 0..world.nodes.len() {
        world.start(number, &[0], true);
    }
    let mut report = Report::default();
    let agreed = world.run_until(ms.max(300_000), World::all_agree);
    report.expect(agreed.is_some(), "all members meet");
    report.add("all met after", format!("{:.1} s", agreed.unwrap_or(0) as f64 / 1000.0));
    report.add_world(world, 0, 0);
    report
}

fn join(world: &mut World, ms: u64) -> Report {
    let newcomer = world.nodes.len();
    world.start_converged();
    world.run_to(20_000);
    let bytes = sent(world);
    let received: u64 = world.nodes.iter().map(|node| node.received).sum();
    world.add_member();
    let start = world.now;
    world.start(newcomer, &[0], true);
    let mut report = Report::default();
    let agreed = world.run_until(ms, World::all_agree);
    report.expect(agreed.is_some(), "the newcomer is known and knows all");
    report.add("all know all after", format!("{:.1} s", agreed.unwrap_or(0) as f64 / 1000.0));
    let end = start.micros_since(Now(0)) / 1000 + ms;
    world.run_to(end);
    let all: u64 = world.nodes.iter().map(|node| node.received).sum();
    report.add("messages to the newcomer", world.nodes[newcomer].received);
    report.add("messages in the ring meanwhile", all - received);
    report.add_world(world, 20_000, bytes);
    report
}

fn chaos(world: &mut World, ms: u64) -> Report {
    let members = world.nodes.len();
    for node in &mut world.nodes {
        node.drift_ppm = world.random.random_range(-500..=500);
    }
    world.net.loss = world.random.random_range(0.0..0.05);
    world.net.duplication = 0.02;
    world.net.reordering = 0.05;
    world.start_converged();
    world.run_to(5_000);
    start_groups(world, 2.min(members.div_ceil(5)));
    for _ in 0..members / 2 {
        let node = world.random.random_range(0..members);
        let at_ms = world.random.random_range(40_000..40_000 + ms);
        match world.random.random_range(0..5) {
            0 => {
                let away_ms = world.random.random_range(1_000..60_000);
                plan_restart(world, node, at_ms, away_ms);
            }
            1 => {
                let pause_ms = world.random.random_range(500..20_000);
                world.plan(at_ms, Fault::Pause { node, ms: pause_ms });
            }
            2 => {
                let to = world.random.random_range(0..members);
                world.plan(at_ms, Fault::Cut { from: node, to });
            }
            3 => {
                let about = world.random.random_range(0..members);
                let confirmed = world.random.random_bool(0.5);
                world.plan(at_ms, Fault::Lie { to: node, about, confirmed });
            }
            _ => {
                let side = world.random.random_range(0..3);
                world.plan(at_ms, Fault::Side { node, side });
            }
        }
    }
    world.plan(40_000 + ms / 2, Fault::Heal);
    world.run_to(120_000 + ms);
    settle(world, Report::default())
}
