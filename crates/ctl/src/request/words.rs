//! Words encoded as numbers on the wire: the index in a list.

use roost_ident::{BindingMode, Topology, UpdateCondition, UpdateStrategy};

/// Topologies in the order of their numbers.
pub(super) const TOPOLOGIES: [Topology; 2] = [Topology::Standalone, Topology::Leader];
/// Update strategies in the order of their numbers.
pub(super) const STRATEGIES: [UpdateStrategy; 3] =
    [UpdateStrategy::None, UpdateStrategy::AtOnce, UpdateStrategy::Rolling];
/// Update conditions in the order of their numbers.
pub(super) const CONDITIONS: [UpdateCondition; 2] =
    [UpdateCondition::Latest, UpdateCondition::TrackChannel];
/// Binding modes in the order of their numbers.
pub(super) const BINDING_MODES: [BindingMode; 2] = [BindingMode::Relaxed, BindingMode::Strict];

/// The word for a number. An unknown number, perhaps of a newer client, counts as absent.
pub(super) fn word<T: Copy>(number: Option<i32>, words: &[T]) -> Option<T> {
    words.get(usize::try_from(number?).ok()?).copied()
}

/// The number for a word.
pub(super) fn number<T: PartialEq>(word: Option<T>, words: &[T]) -> Option<i32> {
    let word = word?;
    words.iter().position(|other| *other == word).and_then(|index| i32::try_from(index).ok())
}
