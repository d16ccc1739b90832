//! Contents of one push: the hot rumors for a member, as messages.

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;

use crate::{
    envelope::Envelope,
    heat::{Cursor, Hot},
    id::MemberId,
    rumor::{Rumor, RumorKind, Service},
    stores::RumorStores,
    table::Table,
};

/// Rumors of one class in one push; the rest follows at the next turn.
const PUSH_MESSAGES_MAX: usize = 1_000;
/// Size of one push beyond which no further rumor is added.
const PUSH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// State of the sending member that gossip reads.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) me: &'a MemberId,
    pub(crate) table: &'a mut Table,
    pub(crate) rumors: &'a RumorStores,
    pub(crate) envelope: &'a Envelope,
    pub(crate) rng: &'a mut ChaCha8Rng,
    /// Number of times a rumor is sent to each member.
    pub(crate) share_limit: u32,
}

/// A push for one member.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) messages: Vec<Bytes>,
    pub(crate) contents: Vec<Content>,
    /// The member's cursor among member rumors after this is sent.
    pub(crate) members: Cursor,
    /// Its cursor among other rumors.
    pub(crate) others: Cursor,
    /// There are further hot rumors.
    pub(crate) more: bool,
}

/// A message of a push, with its length.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) kind: RumorKind,
    pub(crate) bytes: usize,
}

impl Surroundings<'_> {
    /// The hot rumors for a member with these cursors. `None` when there are none.
    pub(crate) fn gather(&mut self, members: Cursor, others: Cursor) -> Option<Gathered> {
        let hot_members = hottest(self.table.heat.hot(members, self.share_limit));
        let hot_others = hottest(self.rumors.heat.hot(others, self.share_limit));
        if hot_members.is_empty() && hot_others.is_empty() {
            return None;
        }
        let mut push = Gathered {
            messages: Vec::new(),
            contents: Vec::new(),
            members: hot_members.last().map_or(members, |hot| hot.after),
            others,
            more: false,
        };
        let from_id = self.me.to_string();
        let mut size = 0;
        for hot in &hot_members {
            let membership = self.table.at(hot.rumor).membership();
            size += self.add(&mut push, &Rumor::Member(from_id.clone(), membership));
        }
        let mut elections = Vec::new();
        let mut included = 0;
        for hot in &hot_others {
            if size > PUSH_BYTES_MAX {
                break;
            }
            push.others = hot.after;
            included += 1;
            let Some(rumor) = self.rumors.rumor(hot.rumor) else { continue };
            if matches!(rumor, Rumor::Election(_) | Rumor::ElectionUpdate(_)) {
                elections.push(rumor);
            } else {
                size += self.add(&mut push, &rumor);
            }
        }
        // A real Supervisor dies if it learns of a leader before the leader's service. So elections
        // come last, and if this push was truncated, together with the services of their
        // candidates.
        let is_cut = included < hot_others.len() || hot_others.len() == PUSH_MESSAGES_MAX;
        for rumor in elections {
            // If that service is unknown here, the election is sent when it arrives.
            let Some(service) = self.service_of_candidate(&rumor) else { continue };
            if is_cut {
                self.add(&mut push, &Rumor::Service(service));
            }
            self.add(&mut push, &rumor);
        }
        push.more = is_cut || hot_members.len() == PUSH_MESSAGES_MAX;
        Some(push)
    }

    fn service_of_candidate(&self, rumor: &Rumor) -> Option<Service> {
        let election = match rumor {
            Rumor::Election(election) => election,
            Rumor::ElectionUpdate(election) => election,
            _ => return None,
        };
        let id = election.member_id.to_string();
        self.rumors.get::<Service>(&election.group, &id).map(|service| (**service).clone())
    }

    /// Adds a rumor to a push. Returns the added bytes.
    fn add(&mut self, push: &mut Gathered, rumor: &Rumor) -> usize {
        let message = self.envelope.wrap(rumor.encode(), self.rng);
        let bytes = message.len();
        push.contents.push(Content { kind: rumor.kind(), bytes });
        push.messages.push(message);
        bytes
    }
}

fn hottest(hot: impl Iterator<Item = Hot>) -> Vec<Hot> {
    hot.take(PUSH_MESSAGES_MAX).collect()
}
