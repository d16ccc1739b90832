//! Members that lie. A liar is a member like others, which answers and gossips correctly; its lies
//! are additional messages, built from what the wire allows any holder of the ring key.

use bytes::Bytes;
use serde::Deserialize;

/// Package that forged services name.
pub const FORGED_PACKAGE: &str = "forged/lie/6.6.6/20250101000000";

/// Kinds of lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lie {
    /// Another member is Suspect.
    Suspect,
    /// Another member is Confirmed.
    Confirmed,
    /// Another member is Departed.
    Departed,
    /// Another member is not alive, in the highest possible incarnation, which it cannot exceed.
    Highest,
    /// Another member is alive in a new incarnation, at the liar's address.
    Hijack,
    /// A PING in the name of another member.
    Impersonate,
    /// An answer in the name of another member, perhaps a dead one, as if it were relayed.
    Vouch,
    /// Another member's goodbye.
    Goodbye,
    /// Another member's service in a new incarnation, with other content.
    Service,
    /// The liar is a candidate with the greatest suitability and the votes of all members.
    Candidate,
    /// An election that had no votes is finished: the winner is the liar, another member or a
    /// stranger.
    Finished,
    /// Another member was departed manually.
    Departure,
    /// A recorded message, in the name of its sender.
    Replay,
    /// A recorded message, with a few bytes changed.
    Garble,
    /// Members that do not exist.
    Invent,
    /// Services of members that do not exist, in groups that do not exist.
    InventServices,
}

/// A message in transit.
#[derive(Debug, Clone)]
pub enum Message {
    /// A datagram.
    Datagram(Bytes),
    /// A rumor.
    Gossip(Bytes),
}

/// A recorded message and its sender.
pub type Recorded = (usize, Message);
