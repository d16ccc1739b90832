//! `/v1/ring/matrix`: how all members see each other.

use std::{collections::BTreeMap, sync::Arc};

use roost_api::{
    Snapshot,
    documents::ring::{
        health::{RingAnswer, RingSource},
        matrix::{RingMatrix, RingMatrixMember},
        members::{MemberState, RingMember},
    },
};
use roost_ident::time::rfc3339_ms;

use super::{
    Fanout, Outcome, Target, ask, before_asking,
    compare::{self, Observer, Sight},
    read::View,
};
use crate::clock::unix_ms;

/// Members of a matrix; it has a place for each pair.
const MEMBERS_MAX: usize = 1_000;

/// A row while the members are asked.
struct Row {
    member: RingMatrixMember,
    sees: Option<Vec<Sight>>,
}

/// What a member answered, by the places of the members.
struct Sees {
    source: RingSource,
    sights: Vec<Sight>,
}

/// Asks all members of a snapshot. Those that are dead for this Supervisor are asked too, after
/// the others: in a split ring, the other half is dead for this one.
pub(super) async fn round(snapshot: &Snapshot, fanout: &Fanout) -> RingMatrix {
    let at = rfc3339_ms(unix_ms());
    let all = snapshot.ring().members.iter().map(|(_, member)| member);
    let mut present: Vec<_> =
        all.clone().filter(|member| member.state != MemberState::Departed).collect();
    // This Supervisor first, so that its own view is in each matrix.
    present.sort_by_key(|member| (!member.own, member.state));
    let left_out = present.len().saturating_sub(MEMBERS_MAX);
    present.truncate(MEMBERS_MAX);

    let mut ids: Vec<String> = present.iter().map(|member| member.id.clone()).collect();
    ids.sort();
    let ids: Arc<[String]> = ids.into();
    let own_view: View = all.map(|member| (member.id.clone(), member.state)).collect();
    let mut rows: BTreeMap<String, Row> =
        present.iter().map(|it| (it.id.clone(), unasked(it, &own_view, &ids))).collect();
    let is_open = |member: &&&RingMember| {
        rows.get(&member.id).is_some_and(|row| row.member.result == RingAnswer::NotAsked)
    };
    let targets = present.iter().filter(is_open).filter_map(|member| Target::of(member)).collect();
    let question = |target: Target, token: Option<Arc<str>>| {
        let ids = Arc::clone(&ids);
        async move {
            let seen = ask::view(target.gateway, &target.id, token.as_deref()).await?;
            Ok(Sees { source: seen.source, sights: sights(&seen.view, &ids, &target.id) })
        }
    };
    fanout
        .ask(targets, question, |answer| {
            if let Some(row) = rows.get_mut(&answer.id) {
                take(row, answer.outcome);
            }
        })
        .await;

    let observers: Vec<Observer> = rows
        .values_mut()
        .map(|row| Observer {
            id: row.member.id.clone(),
            hostname: row.member.hostname.clone(),
            sees: row.sees.take(),
        })
        .collect();
    let compared = compare::compare(&observers);
    let members: Vec<_> = rows
        .into_values()
        .zip(&observers)
        .map(|(row, observer)| RingMatrixMember {
            sees: observer.sees.as_ref().map(|sees| sees.iter().map(|it| it.letter()).collect()),
            ..row.member
        })
        .collect();
    RingMatrix {
        at,
        partial: members.iter().any(|member| member.sees.is_none()),
        left_out,
        members,
        findings: compared.findings,
        more_findings: compared.more,
    }
}

/// The row of a member that has not answered yet; of this Supervisor, its own view.
fn unasked(member: &RingMember, own_view: &View, ids: &[String]) -> Row {
    let known = RingMatrixMember {
        id: member.id.clone(),
        hostname: member.hostname.clone(),
        state: member.state,
        ..RingMatrixMember::default()
    };
    let mut row = Row { member: known, sees: None };
    if member.own {
        take(
            &mut row,
            Ok(Sees { source: RingSource::Own, sights: sights(own_view, ids, &member.id) }),
        );
        return row;
    }
    let (result, reason) = before_asking(member);
    row.member.result = result;
    row.member.reason = Some(reason.into());
    row
}

fn take(row: &mut Row, outcome: Outcome<Sees>) {
    let member = &mut row.member;
    match outcome {
        Ok(Sees { source, sights }) => {
            member.result = RingAnswer::Answered;
            member.reason = None;
            member.source = Some(source);
            member.at = Some(rfc3339_ms(unix_ms()));
            row.sees = Some(sights);
        }
        Err(failure) => {
            member.result = failure.result;
            member.reason = Some(failure.reason);
        }
    }
}

/// How the member with the id `own` sees these. It answered, so it is alive for itself; a lone
/// Supervisor of Habitat does not list itself.
fn sights(view: &View, ids: &[String], own: &str) -> Vec<Sight> {
    let sight = |id: &String| match view.get(id) {
        _ if id == own => Sight::Alive,
        Some(MemberState::Alive) => Sight::Alive,
        Some(MemberState::Suspect) => Sight::Suspect,
        Some(MemberState::Confirmed | MemberState::Departed) => Sight::Dead,
        None => Sight::Unlisted,
    };
    ids.iter().map(sight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_has_a_place_for_each_member() {
        let view = [
            ("a1", MemberState::Confirmed),
            ("b2", MemberState::Suspect),
            ("c3", MemberState::Departed),
            ("z9", MemberState::Alive),
        ];
        let view = view.map(|(id, state)| (id.to_owned(), state)).into();
        let ids = ["a1", "b2", "c3", "d4"].map(str::to_owned);
        let letters: String = sights(&view, &ids, "a1").iter().map(|it| it.letter()).collect();
        assert_eq!(letters, ".?x_");
    }
}
