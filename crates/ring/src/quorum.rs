//! The arithmetic of elections (reference: ring §10.1).

use crate::member::Health;

/// How many members of a group are needed for a leader, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quorum {
    /// Members with a service in the group that are not Departed.
    pub electorate: usize,
    /// The alive ones among them.
    pub alive: usize,
}

impl Quorum {
    /// Counts the members of a group by their health; `None` for one that is not in the list.
    #[must_use]
    pub fn of(members: impl IntoIterator<Item = Option<Health>>) -> Self {
        let mut quorum = Self::default();
        for health in members {
            match health {
                Some(Health::Alive) => {
                    quorum.electorate += 1;
                    quorum.alive += 1;
                }
                Some(Health::Suspect | Health::Confirmed) => quorum.electorate += 1,
                Some(Health::Departed) | None => {}
            }
        }
        quorum
    }

    /// Alive members that an election needs: more than half. There is no minimum of three.
    #[must_use]
    pub const fn needed(self) -> usize {
        self.electorate / 2 + 1
    }

    /// True when enough are alive.
    #[must_use]
    pub const fn is_reached(self) -> bool {
        self.alive >= self.needed()
    }

    /// Alive members that may fail before there is no quorum.
    #[must_use]
    pub const fn spare(self) -> usize {
        self.alive.saturating_sub(self.needed())
    }

    /// True when one member fewer would bear as many failures.
    #[must_use]
    pub const fn is_even(self) -> bool {
        self.electorate > 0 && self.electorate.is_multiple_of(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_of_those_that_did_not_depart_are_needed() {
        // members alive, suspect, departed: needed, reached, spare, even
        for (alive, suspect, departed, needed, reached, spare, even) in [
            (0, 0, 0, 1, false, 0, false),
            (1, 0, 0, 1, true, 0, false),
            (1, 1, 0, 2, false, 0, true),
            (2, 1, 0, 2, true, 0, false),
            (3, 0, 5, 2, true, 1, false),
            (2, 2, 0, 3, false, 0, true),
            (3, 1, 0, 3, true, 0, true),
            (3, 2, 0, 3, true, 0, false),
            (5, 0, 0, 3, true, 2, false),
        ] {
            let members = std::iter::repeat_n(Some(Health::Alive), alive)
                .chain(std::iter::repeat_n(Some(Health::Confirmed), suspect))
                .chain(std::iter::repeat_n(Some(Health::Departed), departed))
                .chain([None]);
            let quorum = Quorum::of(members);
            assert_eq!(
                (quorum.needed(), quorum.is_reached(), quorum.spare(), quorum.is_even()),
                (needed, reached, spare, even),
                "{alive} {suspect} {departed}"
            );
        }
    }
}
