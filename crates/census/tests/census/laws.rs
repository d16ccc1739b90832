//! Properties of every census.

use std::sync::Arc;

use proptest::prelude::*;
use roost_census::{Census, Update};
use roost_ident::{ElectionStatus, MemberHealth};

use crate::{
    ring::{Content, Ring, Service},
    support::{content, group, member, service},
};

fn any_health() -> impl Strategy<Value = MemberHealth> {
    prop::sample::select(MemberHealth::ALL)
}

prop_compose! {
    fn any_ring()(
        services in prop::collection::vec(
            ("[a-d]", "[wx]", 1..3_u64, "[a-c]( = [0-9])?", 0..3_u64), 0..8,
        ),
        members in prop::collection::vec(("[a-e]", any_health()), 0..6),
        election in prop::option::of(("[wx]", "[a-f]", 1..4_usize)),
        contents in prop::collection::vec(("[wxy]", "[fg]", 0..3_u64, any::<bool>(), ".{0,6}"), 0..4),
    ) -> Ring {
        let name = |letter: &str| format!("{letter}.default");
        // A store has one rumor for each member and group, and so on.
        let mut ring = Ring::default();
        for (group, file, incarnation, encrypted, text) in contents {
            let content = content(&name(&group), &file, incarnation, &text);
            let content = Content { encrypted, ..content };
            ring.configs.retain(|old| old.group != content.group);
            ring.configs.push(content.clone());
            ring.files.retain(|old| (&old.group, &old.filename) != (&content.group, &file));
            ring.files.push(content);
        }
        for (id, group, incarnation, cfg, pkg_incarnation) in services {
            let rumor = service(&id, &name(&group), incarnation, &cfg);
            ring.services.retain(|old| (&old.member_id, &old.group) != (&id, &rumor.group));
            ring.services.push(Service { pkg_incarnation, ..rumor });
        }
        for (id, health) in members {
            ring.members.retain(|old| old.0 != id);
            ring.members.push(member(&id, health));
        }
        ring.elections.extend(election.map(|(group, id, status)| {
            (name(&group), id, ElectionStatus::ALL[status])
        }));
        ring
    }
}

proptest! {
    #[test]
    fn whatever_the_ring_does_the_census_holds_its_laws(
        rings in prop::collection::vec(any_ring(), 1..6),
    ) {
        let mut census = Census::new("a");
        for ring in &rings {
            let before: Vec<_> = census.groups().cloned().collect();
            let sights: Vec<_> = before.iter()
                .map(|group| census.sight(&group.service_group, []))
                .collect();
            let svc_before: Vec<_> = before.iter()
                .map(|group| census.svc_value(&group.service_group))
                .collect();
            let update = ring.update(&mut census);
            for ((old, sight), svc) in before.iter().zip(sights).zip(svc_before) {
                let new = census.group(&old.service_group).expect("a group stays");
                prop_assert!(old.population.keys().all(|id| new.population.contains_key(id)));
                prop_assert!(new.pkg_incarnation >= old.pkg_incarnation);
                prop_assert!(update.changed || Arc::ptr_eq(old, new));
                let same_sight = census.sight(&old.service_group, []) == sight;
                let same_svc = census.svc_value(&old.service_group) == svc;
                prop_assert!(!same_sight || same_svc, "a change out of sight");
            }
            for group in census.groups() {
                let leaders = group.population.values().filter(|member| member.leader).count();
                prop_assert_eq!(leaders, usize::from(group.leader_id.is_some()));
                let is_me = |id: &String| id == "a";
                let me = group.population.keys().any(is_me);
                prop_assert_eq!(census.svc_value(&group.service_group).is_some(), me);
            }
            let again = ring.update(&mut census);
            prop_assert_eq!(again, Update { changed: false, warnings: vec![] });
        }
    }

    /// Property of [`roost_census::input`]: changed parts suffice.
    #[test]
    fn partial_input_gives_the_same_result(
        rings in prop::collection::vec(any_ring(), 1..6),
    ) {
        let (mut whole, mut partly) = (Census::new("a"), Census::new("a"));
        let mut told = Ring::default();
        for mut ring in rings {
            // A real ring never forgets a service, file, config or member.
            told.carry_over(&mut ring);
            let news = told.what_is_new_in(&ring);
            let mut expected = ring.update(&mut whole);
            let mut update = news.update(&mut partly);
            expected.warnings.sort();
            update.warnings.sort();
            prop_assert_eq!(update, expected);
            prop_assert_eq!(format!("{:?}", partly.groups().collect::<Vec<_>>()),
                format!("{:?}", whole.groups().collect::<Vec<_>>()));
            for name in ["w.default", "x.default"] {
                let name = group(name);
                prop_assert_eq!(partly.sight(&name, []), whole.sight(&name, []));
            }
            told = ring;
        }
    }
}
