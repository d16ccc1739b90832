//! The members of a large ring that send their knowledge to a newcomer.

use crate::{
    id::MemberId,
    member::Health,
    table::{Place, Table},
};

/// Number of greeters. The ids determine them, so that all members agree without messages.
const GREETERS: usize = 4;

/// True when `me` is among the few ids nearest to the newcomer's, by a hash that all members
/// compute in the same way.
pub(crate) fn greets(me: &MemberId, table: &Table, newcomer: Place) -> bool {
    let newcomer = &table.at(newcomer).id;
    let mine = distance(me, newcomer);
    let nearer = table
        .entries
        .iter()
        .filter(|other| other.health == Health::Alive)
        .filter(|other| other.id != *newcomer && other.id != *me)
        .filter(|other| distance(&other.id, newcomer) < mine);
    nearer.take(GREETERS).count() < GREETERS
}

/// A pseudo-random number that is the same for all members: FNV-1a over both ids, mixed.
fn distance(member: &MemberId, newcomer: &MemberId) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |text: &str| {
        for byte in text.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    member.with_text(&mut add);
    newcomer.with_text(&mut add);
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
