//! Lets members lie.

use std::net::Ipv4Addr;

use rand::{Rng, seq::IteratorRandom};
use roost_ring::{
    Departure, Election, Envelope, Health, Member, MemberId, Membership, Rumor, Service, Status,
    Swim, SwimKind, SysInfo,
};

use super::World;
use crate::{
    fault::group_name,
    liar::{FORGED_PACKAGE, Lie, Message},
    node::{PORT, addr_of, id_of},
};

/// Number of members or services that one lie invents.
const INVENTED: u32 = 20;
/// Number of members that receive a lie at once.
const LISTENERS: usize = 3;
/// Messages kept for replay.
const RECORDED_MAX: usize = 512;

impl World {
    /// Records a message for liars.
    pub(crate) fn record(&mut self, from: usize, message: impl FnOnce() -> Message) {
        if self.recording {
            if self.recorded.len() == RECORDED_MAX {
                self.recorded.pop_front();
            }
            self.recorded.push_back((from, message()));
        }
    }

    /// Sends a lie to a few members.
    pub(crate) fn lie(&mut self, by: usize, lie: Lie) {
        let Some(about) = self.another(by) else { return };
        let listeners: Vec<usize> = (0..self.nodes.len())
            .filter(|number| *number != by)
            .choose_multiple(&mut self.random, LISTENERS);
        for to in listeners {
            self.lie_to(by, to, about, lie);
        }
    }

    fn another(&mut self, by: usize) -> Option<usize> {
        let others = (0..self.nodes.len()).filter(|number| *number != by);
        others.choose(&mut self.random)
    }

    fn lie_to(&mut self, by: usize, to: usize, about: usize, lie: Lie) {
        let record = self.record_of(about);
        let ahead = self.random.random_range(0..3);
        let mut member = record.member.clone();
        member.incarnation = member.incarnation.saturating_add(ahead);
        match lie {
            Lie::Suspect => self.slander(by, to, member, Health::Suspect),
            Lie::Confirmed => self.slander(by, to, member, Health::Confirmed),
            Lie::Departed => self.slander(by, to, member, Health::Departed),
            Lie::Highest => {
                member.incarnation = u64::MAX;
                let health = [Health::Suspect, Health::Confirmed, Health::Departed];
                let health = health[self.random.random_range(0..health.len())];
                self.slander(by, to, member, health);
            }
            Lie::Hijack => {
                member.incarnation = member.incarnation.saturating_add(1);
                member.address = self.record_of(by).member.address;
                self.slander(by, to, member, Health::Alive);
            }
            Lie::Impersonate => {
                let source = if self.random.random_bool(0.5) { by } else { about };
                member.address = None;
                self.say(source, to, SwimKind::Ping { from: member, forward_to: None });
            }
            Lie::Vouch => {
                let forward_to = Some(self.record_of(to).member);
                self.say(by, to, SwimKind::Ack { from: member, forward_to });
            }
            Lie::Goodbye => {
                member.departed = true;
                self.say(by, to, SwimKind::Ack { from: member, forward_to: None });
            }
            Lie::Service => self.forge_service(to, about),
            Lie::Candidate | Lie::Finished => self.forge_election(by, to, about, lie),
            Lie::Departure => {
                self.gossip(to, &Rumor::Departure(Departure { member_id: id_of(about) }));
            }
            Lie::Replay => self.replay(to, false),
            Lie::Garble => self.replay(to, true),
            Lie::Invent => {
                for _ in 0..INVENTED {
                    let member = self.invented();
                    self.slander(by, to, member, Health::Alive);
                }
            }
            Lie::InventServices => {
                for _ in 0..INVENTED {
                    let owner = self.invented().id;
                    let group = format!("group{}.invented", self.random.random_range(0..1000));
                    self.gossip(to, &Rumor::Service(forged_service(owner, group, 1)));
                }
            }
        }
    }

    /// A member that does not exist, at an address without one.
    fn invented(&mut self) -> Member {
        Member {
            id: MemberId::from_bits(self.random.random()),
            incarnation: 1,
            address: Some(Ipv4Addr::new(192, 168, self.random.random(), self.random.random())),
            swim_port: PORT,
            gossip_port: PORT,
            persistent: self.random.random_bool(0.1),
            departed: false,
            probe_ping: false,
        }
    }

    /// Sends the health of a member, as a rumor or along with a PING.
    fn slander(&mut self, by: usize, to: usize, member: Member, health: Health) {
        let membership = Membership { member, health };
        if self.random.random_bool(0.5) {
            self.gossip(to, &Rumor::Member(id_of(by).to_string(), membership));
            return;
        }
        let from = Member { address: None, ..self.record_of(by).member };
        let kind = SwimKind::Ping { from, forward_to: None };
        self.say_with(by, to, kind, vec![membership]);
    }

    fn forge_service(&mut self, to: usize, about: usize) {
        let group = group_name(self.random.random_range(0..self.groups.max(1)));
        let known = self.nodes[to].ring.as_ref();
        let known = known.and_then(|ring| ring.service(&group, &id_of(about)));
        let incarnation = known.map_or(1, |known| known.incarnation.saturating_add(1));
        self.gossip(to, &Rumor::Service(forged_service(id_of(about), group, incarnation)));
    }

    fn forge_election(&mut self, by: usize, to: usize, about: usize, lie: Lie) {
        let group = group_name(self.random.random_range(0..self.groups.max(1)));
        let known = self.nodes[to].ring.as_ref().and_then(|ring| ring.election(&group));
        let term = known.map_or(0, |known| known.term) + self.random.random_range(0..2);
        let everybody = (0..self.nodes.len()).map(id_of).collect();
        let nobody = MemberId::from_bits(self.random.random());
        let (member_id, status, votes) = match (lie, self.random.random_range(0..3)) {
            (Lie::Candidate, _) => (id_of(by), Status::Running, everybody),
            (_, 0) => (id_of(by), Status::Finished, everybody),
            (_, 1) => (id_of(about), Status::Finished, Vec::new()),
            _ => (nobody, Status::Finished, Vec::new()),
        };
        let suitability = u64::MAX;
        let election = Election { member_id, group, term, suitability, status, votes };
        self.gossip(to, &Rumor::Election(election));
    }

    fn replay(&mut self, to: usize, garbled: bool) {
        let Some((from, message)) = self.recorded.iter().choose(&mut self.random).cloned() else {
            return;
        };
        let (Message::Datagram(bytes) | Message::Gossip(bytes)) = &message;
        let mut bytes = bytes.clone();
        if garbled {
            // inside the envelope, as a key would detect it otherwise
            let envelope = Envelope::new(self.key.clone());
            let Ok(payload) = envelope.unwrap(&bytes) else { return };
            let mut payload = payload.to_vec();
            for _ in 0..self.random.random_range(1..5) {
                if let Some(byte) = payload.iter_mut().choose(&mut self.random) {
                    *byte = self.random.random();
                }
            }
            bytes = envelope.wrap(payload, &mut self.random);
        }
        match message {
            Message::Datagram(_) => self.deliver_datagram(from, to, bytes),
            Message::Gossip(_) => self.deliver_gossip(to, vec![bytes]),
        }
    }

    fn say(&mut self, source: usize, to: usize, kind: SwimKind) {
        self.say_with(source, to, kind, Vec::new());
    }

    fn say_with(&mut self, source: usize, to: usize, kind: SwimKind, news: Vec<Membership>) {
        let payload = Swim { kind, memberships: news }.encode();
        let bytes = Envelope::new(self.key.clone()).wrap(payload, &mut self.random);
        self.deliver_datagram(source, to, bytes);
    }

    fn gossip(&mut self, to: usize, rumor: &Rumor) {
        let bytes = Envelope::new(self.key.clone()).wrap(rumor.encode(), &mut self.random);
        self.deliver_gossip(to, vec![bytes]);
    }
}

fn forged_service(member_id: MemberId, group: String, incarnation: u64) -> Service {
    let ip = addr_of(0).ip().to_string();
    Service {
        member_id,
        group,
        incarnation,
        initialized: false,
        pkg: FORGED_PACKAGE.into(),
        cfg: "port = 666\n".into(),
        sys: SysInfo { ip, hostname: "liar".into(), ..SysInfo::default() },
        pkg_incarnation: 0,
    }
}
