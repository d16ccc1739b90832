//! When members of the ring were heard last, and how fast they answer. This changes with each
//! datagram, so it is beside the snapshots: no client is woken by it.

use std::sync::{Arc, PoisonError, RwLock};

/// How one member answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contact {
    /// Smoothed time from a ping to the direct answer, in microseconds.
    pub round_trip_us: Option<u32>,
    /// When a datagram of it arrived last, in milliseconds since 1970.
    pub heard_unix_ms: Option<u64>,
}

/// The contacts of all members, by their place in the member list. Cheap to clone. 24 bytes for
/// each member.
#[derive(Debug, Clone, Default)]
pub struct Contacts(Arc<RwLock<Vec<Contact>>>);

impl Contacts {
    /// Replaces the contacts at these places.
    pub fn update(&self, news: impl IntoIterator<Item = (usize, Contact)>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (place, contact) in news {
            if all.len() <= place {
                all.resize(place + 1, Contact::default());
            }
            all[place] = contact;
        }
    }

    /// The contact at a place.
    pub(crate) fn get(&self, place: usize) -> Contact {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(place).copied().unwrap_or_default()
    }
}
