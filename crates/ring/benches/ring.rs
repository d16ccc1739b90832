//! The most frequent actions of a member: answering a ping, receiving a known rumor, finding
//! nothing to send.

#![allow(missing_docs, reason = "criterion makes an undocumented function")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rand::SeedableRng;
use roost_ring::{
    Config, Envelope, Health, Input, Me, Member, MemberId, Membership, Now, Ring, Rumor, Stores,
    Swim, SwimKind,
};

const MEMBERS: u128 = 1000;

fn member(number: u128) -> Member {
    let offset = u32::try_from(number).unwrap_or_default();
    Member {
        id: MemberId::from_bits(number),
        incarnation: 0,
        address: Some(std::net::Ipv4Addr::from(0x0a00_0000 + offset)),
        swim_port: 9638,
        gossip_port: 9638,
        persistent: false,
        departed: false,
        probe_ping: false,
    }
}

fn ring() -> Ring {
    let members = (1..=MEMBERS)
        .map(|number| Membership { member: member(number), health: Health::Alive })
        .collect();
    let stores = Stores { members, ..Stores::default() };
    let me = Me { id: MemberId::from_bits(1), incarnation: 0, port: 9638, permanent: false };
    Ring::new(Config::default(), me, Some(stores), 1, Now(0))
}

fn plain(payload: Vec<u8>) -> Vec<u8> {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    Envelope::new(None).wrap(payload, &mut random).to_vec()
}

fn benches(criterion: &mut Criterion) {
    let mut calm = ring();
    let kind = SwimKind::Ping { from: member(2), forward_to: None };
    let ping = plain(Swim { kind, memberships: Vec::new() }.encode());
    let from = "10.0.0.2:9638".parse().expect("an address");
    criterion.bench_function("answer a ping", |bencher| {
        bencher.iter(|| {
            let _ = calm.handle(Now(1), Input::Datagram { from, bytes: &ping });
            while let Some(output) = calm.poll() {
                black_box(output);
            }
        });
    });
    let news = Membership { member: member(3), health: Health::Alive };
    let rumor = plain(Rumor::Member("x".into(), news).encode());
    criterion.bench_function("receive a known rumor", |bencher| {
        bencher.iter(|| calm.handle(Now(1), Input::Gossip { bytes: &rumor }));
    });
    let mut now = Now(1_000_000);
    criterion.bench_function("wake once per second in a calm ring", |bencher| {
        bencher.iter(|| {
            now = now.plus_ms(1000);
            calm.wake(now);
            while let Some(output) = calm.poll() {
                black_box(output);
            }
        });
    });
}

criterion_group!(all, benches);
criterion_main!(all);
