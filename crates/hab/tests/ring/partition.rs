//! A network partition: five Supervisors on separate machines, cables unplugged and plugged in
//! again.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::Value;
use testkit::{Network, Root, Supervisor};

use super::installed;

const MEMBERS: usize = 5;
const NO_QUORUM: &str = "Waiting to execute hooks; election in progress, and we have no quorum.";
/// A member that finds several others silent distrusts its own observations and takes up to four
/// times as long to confirm them as dead, which is most of a minute.
const PATIENCE: Duration = Duration::from_secs(240);

/// Five Supervisors, each on its own machine.
struct Ring<'a> {
    network: &'a Network,
    members: Vec<Supervisor>,
    ids: Vec<String>,
}

/// The state of a member's view.
#[derive(Debug, PartialEq, Eq)]
struct View {
    alive: BTreeSet<usize>,
    confirmed: BTreeSet<usize>,
    /// Whether its group has a leader.
    election: String,
    leader: Option<usize>,
}

impl<'a> Ring<'a> {
    fn start(network: &'a Network, roots: &'a [Root]) -> Self {
        let mut members: Vec<Supervisor> = Vec::new();
        for (number, root) in roots.iter().enumerate() {
            let place = root.supervisor().at(Network::address(number), 9631);
            let leader = place.args(["acme/db", "--topology", "leader"]);
            let builder = match members.first() {
                None => leader.args(["--permanent-peer"]),
                Some(first) => leader.peers(&[first]),
            };
            members.push(network.on(number, || builder.start()));
        }
        let ids = members.iter().map(Supervisor::member_id).collect();
        Self { network, members, ids }
    }

    fn get(&self, number: usize, path: &str) -> Value {
        self.network.on(number, || self.members[number].get(path).json())
    }

    /// Pid of a member's service, which is up.
    fn pid(&self, number: usize) -> i32 {
        self.network.on(number, || self.members[number].wait_up("db"))
    }

    fn view(&self, number: usize) -> View {
        let butterfly = self.get(number, "/butterfly");
        let of_health = |health: &str| {
            let is = |id: &String| butterfly["member"]["health"][id] == health;
            (0..MEMBERS).filter(|other| is(&self.ids[*other])).collect()
        };
        let census = self.get(number, "/census");
        let group = &census["census_groups"]["db.default"];
        View {
            alive: of_health("Alive"),
            confirmed: of_health("Confirmed"),
            election: group["election_status"].as_str().unwrap_or_default().into(),
            leader: self.ids.iter().position(|id| group["leader_id"] == *id),
        }
    }

    /// Waits until these members see each other alive, the rest dead, and their group in that state
    /// with one leader; returns that leader.
    fn wait(&self, what: &str, part: &BTreeSet<usize>, election: &str) -> Option<usize> {
        let rest: BTreeSet<usize> = (0..MEMBERS).filter(|number| !part.contains(number)).collect();
        let started = Instant::now();
        loop {
            let views: Vec<View> = part.iter().map(|number| self.view(*number)).collect();
            let settled = |view: &View| {
                view.alive == *part && view.confirmed == rest && view.election == election
            };
            if views.iter().all(settled) && views.iter().all(|v| v.leader == views[0].leader) {
                return views[0].leader;
            }
            let logs = || part.iter().map(|n| self.members[*n].log()).collect::<String>();
            assert!(started.elapsed() < PATIENCE, "never {what}: {views:#?}\n{}", logs());
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

#[test]
fn a_cut_network_keeps_one_leader_on_the_larger_side_and_heals() {
    let Some(network) = Network::new(MEMBERS) else { return };
    let started = Instant::now();
    let step = |what: &str| println!("{:6.1} s  {what}", started.elapsed().as_secs_f64());
    let roots: Vec<Root> = (0..MEMBERS).map(|_| installed()).collect();
    let ring = Ring::start(&network, &roots);
    let all: BTreeSet<usize> = (0..MEMBERS).collect();
    let first = ring.wait("five members", &all, "ElectionFinished").expect("a leader");
    let pids: Vec<i32> = all.iter().map(|number| ring.pid(*number)).collect();
    step("five members agree on a leader, all services are up");

    // The leader is separated with one other; not with the permanent peer unless the leader itself
    // is that.
    let other = if first == MEMBERS - 1 { 1 } else { MEMBERS - 1 };
    let told_before = ring.members.iter().map(|sup| sup.log().matches(NO_QUORUM).count());
    let told_before: Vec<usize> = told_before.collect();
    network.separate(&[first, other]);
    let smaller = BTreeSet::from([first, other]);
    let larger = &all - &smaller;
    let second = ring.wait("a new leader", &larger, "ElectionFinished").expect("a leader");
    assert!(larger.contains(&second), "{second} leads, a member of the other side");
    step("the larger side has declared the smaller dead and has a new leader");
    ring.wait("a loss of quorum", &smaller, "ElectionNoQuorum");
    step("the smaller side has declared the larger dead and has no quorum");
    for number in &smaller {
        ring.members[*number].wait_log_times(NO_QUORUM, told_before[*number] + 1);
    }

    network.reconnect(&[first, other]);
    ring.wait("five members again", &all, "ElectionFinished").expect("a leader");
    step("five members agree on a leader again");
    let after: Vec<i32> = all.iter().map(|number| ring.pid(*number)).collect();
    assert_eq!(after, pids, "no cut is a reason to restart a service");
}
