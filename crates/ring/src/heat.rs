//! How often each rumor was sent to each member (reference: ring §9), in space proportional to
//! rumors plus members instead of their product.
//!
//! Every change of a rumor gets the next number. A member's [`Cursor`] holds the number up to which
//! it was sent everything once, and the one up to which twice. Rumors are sent in the order of
//! their numbers, so two cursors per member represent all counts. Habitat leaves the order among
//! equally cool rumors open; here it is the order of change.
//!
//! A rumor that came back from many others is known everywhere. It is then no longer sent to
//! members that were present when it arose (they received it too), only to those that were not. So
//! a change costs each member some thirty messages instead of two for each other member.

/// Number of times a rumor must come back before it counts as known everywhere. Each time a random
/// member has sent it, so one is missed with a probability of at most e^-24.
const SATURATED: u8 = 24;

/// Reserved numbers. One input starts each member and each rumor hot a few times at most.
const RESERVE: u32 = 1 << 24;

/// What one member has been sent: everything up to `once` at least once, up to `twice` twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) once: u32,
    pub(crate) twice: u32,
    /// It has been reachable since this number was assigned; later rumors reach it from others too.
    pub(crate) present: u32,
}

impl Default for Cursor {
    /// Cursor of a member that was sent nothing and may have received nothing.
    fn default() -> Self {
        Self { once: 0, twice: 0, present: u32::MAX }
    }
}

impl Cursor {
    /// Resets to the earlier cursor when messages turn out not to have been sent.
    pub(crate) fn back_to(&mut self, before: Self) {
        self.once = self.once.min(before.once);
        self.twice = self.twice.min(before.twice);
    }
}

/// A rumor to send, and the member's cursor after it and all before it were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hot {
    pub(crate) rumor: u32,
    pub(crate) after: Cursor,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    number: u32,
    rumor: u32,
}

/// Rumors of one class in the order of their last change. Rumors are small dense numbers assigned
/// by the owner of this structure.
#[derive(Debug, Default)]
pub(crate) struct Heat {
    /// Sorted by number; a slot counts only while it is its rumor's current one.
    slots: Vec<Slot>,
    /// By rumor: the number of its last change, 0 when it is not offered.
    current: Vec<u32>,
    /// By rumor: how often it was received since its last change.
    heard: Vec<u8>,
    /// The last assigned number.
    last: u32,
    stale: usize,
}

/// Number of tolerated stale slots before a sweep.
const STALE_MAX: usize = 64;

impl Heat {
    /// True when [`Heat::renumber`] is due. The remaining numbers suffice for everything that one
    /// input can start hot.
    pub(crate) const fn is_nearly_used_up(&self) -> bool {
        self.last > u32::MAX - RESERVE
    }

    /// Starts a rumor hot: it is sent to all members again.
    pub(crate) fn start(&mut self, rumor: u32) {
        self.cool(rumor);
        self.last = self.last.saturating_add(1);
        let number = self.last;
        self.slots.push(Slot { number, rumor });
        self.current[rumor as usize] = number;
        self.heard[rumor as usize] = 0;
        if self.stale > STALE_MAX + self.slots.len() / 4 {
            let current = &self.current;
            self.slots.retain(|slot| current[slot.rumor as usize] == slot.number);
            self.stale = 0;
        }
    }

    /// Stops offering a rumor until it is started again.
    pub(crate) fn cool(&mut self, rumor: u32) {
        let place = rumor as usize;
        if self.current.len() <= place {
            self.current.resize(place + 1, 0);
            self.heard.resize(place + 1, 0);
        }
        if self.current[place] != 0 {
            self.stale += 1;
            self.current[place] = 0;
        }
    }

    /// The current version of a rumor was received again.
    pub(crate) fn heard(&mut self, rumor: u32) {
        if let Some(heard) = self.heard.get_mut(rumor as usize) {
            *heard = heard.saturating_add(1);
        }
    }

    /// The cursor of a member that was sent everything.
    pub(crate) const fn all_sent(&self) -> Cursor {
        Cursor { once: self.last, twice: self.last, present: self.last }
    }

    /// From now on a member receives what others do; it may have missed earlier rumors.
    pub(crate) const fn is_back(&self, cursor: &mut Cursor) {
        cursor.present = self.last;
    }

    /// Live slots with numbers in `(after, up_to]`.
    fn between(&self, after: u32, up_to: u32) -> impl Iterator<Item = Slot> {
        let start = self.slots.partition_point(|slot| slot.number <= after);
        self.slots[start..]
            .iter()
            .take_while(move |slot| slot.number <= up_to)
            .filter(|slot| self.current[slot.rumor as usize] == slot.number)
            .copied()
    }

    /// Hot rumors for a member, those sent once first. Take them in this order; the `after` of the
    /// last one taken becomes the member's cursor.
    pub(crate) fn hot(&self, cursor: Cursor, share_limit: u32) -> impl Iterator<Item = Hot> {
        let once_end = if share_limit >= 2 { cursor.once } else { cursor.twice };
        let never_end = if share_limit >= 1 { u32::MAX } else { cursor.once };
        let mut after = cursor;
        let sent_once = self.between(cursor.twice, once_end).map(|slot| (slot, false));
        let never_sent = self.between(cursor.once, never_end).map(|slot| (slot, true));
        let wanted = move |(slot, _): &(Slot, bool)| {
            slot.number <= cursor.present || self.heard[slot.rumor as usize] < SATURATED
        };
        sent_once.chain(never_sent).filter(wanted).map(move |(slot, never)| {
            if never {
                after.once = slot.number;
            } else {
                after.twice = slot.number;
            }
            Hot { rumor: slot.rumor, after }
        })
    }

    /// Renumbers the live slots 1, 2, 3 … and adjusts all cursors. Needed once in four thousand
    /// million changes.
    pub(crate) fn renumber<'a>(&mut self, cursors: impl Iterator<Item = &'a mut Cursor>) {
        let current = &self.current;
        self.slots.retain(|slot| current[slot.rumor as usize] == slot.number);
        self.stale = 0;
        let slots = &self.slots;
        let renumbered =
            |old: u32| slots.partition_point(|slot| slot.number <= old).try_into().unwrap_or(0);
        for cursor in cursors {
            *cursor = Cursor {
                once: renumbered(cursor.once),
                twice: renumbered(cursor.twice),
                present: renumbered(cursor.present),
            };
        }
        self.last = 0;
        for slot in &mut self.slots {
            self.last += 1;
            slot.number = self.last;
            self.current[slot.rumor as usize] = self.last;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Habitat's table of counts, for comparison.
    #[derive(Default)]
    struct Counts(BTreeMap<u32, u32>);

    #[derive(Debug, Clone)]
    enum Step {
        Start(u32),
        Cool(u32),
        Take(usize),
        Renumber,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..8u32).prop_map(Step::Start),
            1 => (0..8u32).prop_map(Step::Cool),
            3 => (1..6usize).prop_map(Step::Take),
            1 => Just(Step::Renumber),
        ]
    }

    proptest! {
        #[test]
        fn two_cursors_count_like_a_table(limit in 0..3u32, steps in prop::collection::vec(step(), 0..200)) {
            let (mut heat, mut cursor, mut counts) = (Heat::default(), Cursor::default(), Counts::default());
            for step in steps {
                match step {
                    Step::Start(rumor) => {
                        heat.start(rumor);
                        counts.0.insert(rumor, 0);
                    }
                    Step::Cool(rumor) => {
                        heat.cool(rumor);
                        counts.0.remove(&rumor);
                    }
                    Step::Renumber => heat.renumber(std::iter::once(&mut cursor)),
                    Step::Take(wanted) => {
                        let taken: Vec<Hot> = heat.hot(cursor, limit).take(wanted).collect();
                        let hot = counts.0.values().filter(|count| **count < limit).count();
                        prop_assert_eq!(taken.len(), hot.min(wanted));
                        // sent once first: no skipped rumor is nearer to the limit
                        let lowest = taken.iter().map(|hot| counts.0[&hot.rumor]).min();
                        let taken_rumors: Vec<u32> = taken.iter().map(|hot| hot.rumor).collect();
                        for (rumor, count) in &counts.0 {
                            if *count < limit && !taken_rumors.contains(rumor) {
                                prop_assert!(Some(*count) <= lowest);
                            }
                        }
                        for hot in taken {
                            *counts.0.get_mut(&hot.rumor).unwrap() += 1;
                            cursor = hot.after;
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_rumor_known_everywhere_is_sent_only_to_members_that_were_away() {
        let mut heat = Heat::default();
        let mut present = heat.all_sent();
        heat.start(0);
        let mut away = heat.all_sent();
        (away.once, away.twice) = (0, 0);
        let told = |heat: &Heat, cursor| heat.hot(cursor, 2).count();
        for _ in 1..SATURATED {
            heat.heard(0);
        }
        assert_eq!((told(&heat, present), told(&heat, away)), (1, 1));
        heat.heard(0);
        assert_eq!((told(&heat, present), told(&heat, away)), (0, 1));
        assert_eq!(told(&heat, Cursor::default()), 1, "a stranger knows nothing");
        heat.is_back(&mut present);
        assert_eq!(told(&heat, present), 1, "it may have missed it");
        heat.is_back(&mut away);
        heat.start(0);
        assert_eq!(told(&heat, away), 1, "a new version is news");
    }

    #[test]
    fn used_up_numbers_are_reassigned() {
        let mut heat = Heat::default();
        heat.start(0);
        heat.start(1);
        assert!(!heat.is_nearly_used_up());
        heat.last = u32::MAX - RESERVE + 1;
        assert!(heat.is_nearly_used_up());
        let mut cursor = Cursor { once: 1, ..Cursor::default() };
        heat.renumber(std::iter::once(&mut cursor));
        heat.start(0);
        let hot: Vec<u32> = heat.hot(cursor, 2).map(|hot| hot.rumor).collect();
        assert_eq!(hot, [1, 0], "0 changed after 1");
    }
}
