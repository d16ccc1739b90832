//! Which process belongs to which service.

use std::collections::HashMap;

/// How a process is related to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) session: u32,
}

/// Where a process is in the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Unknown,
    /// Its ancestors are being searched.
    Visited,
    /// Root, or `None` for a process of no service.
    Of(Option<u32>),
}

/// The root of each process, in the order given: the service's first process, in whose session it
/// is, or which is an ancestor. A root that does not lead a session is not the process that the
/// launcher started, but another one that got its number.
pub(crate) fn roots_of(processes: &[Relation], roots: &[u32]) -> Vec<Option<u32>> {
    let index: HashMap<u32, usize> =
        processes.iter().enumerate().map(|(index, process)| (process.pid, index)).collect();
    let leads = |root: &u32| {
        let process = index.get(root).map(|index| processes[*index]);
        process.is_some_and(|process| process.session == *root)
    };
    let roots: Vec<u32> = roots.iter().copied().filter(leads).collect();
    let mut places: Vec<Place> = processes
        .iter()
        .map(|process| match roots.contains(&process.session) {
            true => Place::Of(Some(process.session)),
            false => Place::Unknown,
        })
        .collect();
    for start in 0..processes.len() {
        let mut way = Vec::new();
        let mut at = start;
        let found = loop {
            match places[at] {
                Place::Of(root) => break root,
                // Parents change while processes are read: they may seem to form a circle.
                Place::Visited => break None,
                Place::Unknown => {}
            }
            places[at] = Place::Visited;
            way.push(at);
            match index.get(&processes[at].parent) {
                Some(parent) => at = *parent,
                None => break None,
            }
        };
        for visited in way {
            places[visited] = Place::Of(found);
        }
    }
    let root = |place| match place {
        Place::Of(root) => root,
        Place::Unknown | Place::Visited => None,
    };
    places.into_iter().map(root).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn process(pid: u32, parent: u32, session: u32) -> Relation {
        Relation { pid, parent, session }
    }

    #[test]
    fn a_service_is_its_session_and_all_descendants() {
        let processes = [
            process(1, 0, 1),
            process(10, 1, 10),
            // a root, its child, a grandchild with a session of its own, and that one's child
            process(20, 10, 20),
            process(21, 20, 20),
            process(22, 21, 22),
            process(23, 22, 22),
            // orphaned, but still in the session
            process(24, 1, 20),
            // another root, and a hook
            process(30, 10, 30),
            process(40, 10, 40),
        ];
        let found = roots_of(&processes, &[20, 30]);
        let of_20 = Some(20);
        assert_eq!(found, [None, None, of_20, of_20, of_20, of_20, of_20, Some(30), None]);
    }

    #[test]
    fn a_service_within_a_service_is_its_own() {
        let processes = [process(20, 1, 20), process(21, 20, 21), process(22, 21, 22)];
        assert_eq!(roots_of(&processes, &[20, 21]), [Some(20), Some(21), Some(21)]);
    }

    #[test]
    fn a_reused_number_is_not_the_service() {
        let processes = [process(20, 5, 5), process(21, 20, 5)];
        assert_eq!(roots_of(&processes, &[20]), [None, None]);
        assert_eq!(roots_of(&processes, &[99]), [None, None]);
    }

    proptest! {
        #[test]
        fn any_relations_give_an_answer(
            relations in prop::collection::vec((0u32..20, 0u32..20, 0u32..20), 0..40),
            roots in prop::collection::vec(0u32..20, 0..4),
        ) {
            let processes: Vec<Relation> =
                relations.iter().map(|(pid, parent, session)| process(*pid, *parent, *session)).collect();
            let found = roots_of(&processes, &roots);
            prop_assert_eq!(found.len(), processes.len());
            prop_assert!(found.iter().flatten().all(|root| roots.contains(root)));
        }
    }
}
