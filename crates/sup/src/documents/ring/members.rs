//! `/v1/ring/members`.

use std::collections::HashMap;

use roost_api::documents::ring::members::{MemberSource, RingMember};
use roost_ident::time::rfc3339_ms;
use roost_ring::{Listed, MemberId, Source, SysInfo, View};

use crate::{
    VERSION,
    ring::{
        Origin,
        gateway::{self, Here},
    },
};

/// What the services of a member announce about it.
#[derive(Default)]
struct Announced<'a> {
    groups: Vec<String>,
    sys: Option<&'a SysInfo>,
}

/// The members of a view by id, each with its place in the list.
pub(super) fn documents(
    view: &View,
    origin: &Origin,
    here: Here,
) -> Vec<(Option<usize>, RingMember)> {
    let mut announced: HashMap<&MemberId, Announced<'_>> = HashMap::new();
    for service in view.services.iter() {
        let entry = announced.entry(&service.member_id).or_default();
        entry.groups.push(service.group.clone());
        entry.sys = Some(&service.sys);
    }
    let mut members: Vec<_> = view
        .members
        .iter()
        .enumerate()
        .map(|(place, listed)| {
            let is_own = listed.member.id == view.id;
            let member = member(view, listed, origin, here, announced.remove(&listed.member.id));
            (Some(place).filter(|_| !is_own), if is_own { own(view, member) } else { member })
        })
        .collect();
    // Before others have mentioned it, this member is not in its own list.
    if view.members.get(&view.id).is_none() {
        let announced = announced.remove(&view.id).unwrap_or_default();
        let alone = RingMember {
            id: view.id.to_string(),
            hostname: announced.sys.map(|sys| sys.hostname.clone()),
            services: announced.groups,
            ..RingMember::default()
        };
        members.push((None, own(view, alone)));
    }
    members.sort_unstable_by(|(_, one), (_, other)| one.id.cmp(&other.id));
    members
}

/// This Supervisor knows itself better than the list does.
fn own(view: &View, member: RingMember) -> RingMember {
    RingMember {
        own: true,
        since: None,
        source: MemberSource::Own,
        reported_by: None,
        incarnation: view.incarnation,
        version: Some(VERSION.into()),
        ..member
    }
}

fn member(
    view: &View,
    listed: &Listed,
    origin: &Origin,
    here: Here,
    announced: Option<Announced<'_>>,
) -> RingMember {
    let Listed { member, health, since, source } = listed;
    let Announced { groups, sys } = announced.unwrap_or_default();
    let author = match source {
        Source::News(Some(place)) => view.members.at(*place),
        _ => None,
    };
    let source = match source {
        Source::Direct => MemberSource::Direct,
        Source::Probe => MemberSource::Probe,
        Source::News(_) => MemberSource::News,
        Source::Timeout => MemberSource::Timeout,
        Source::Command => MemberSource::Command,
        Source::Replaced => MemberSource::Replaced,
        Source::DataFile => MemberSource::DataFile,
    };
    let is_known = source != MemberSource::DataFile;
    let gateway = sys.and_then(|sys| match member.id == view.id {
        true => gateway::own(here, member, sys).ok(),
        false => gateway::of(here, member, sys).ok(),
    });
    RingMember {
        id: member.id.to_string(),
        own: false,
        state: (*health).into(),
        since: is_known.then(|| rfc3339_ms(origin.unix_ms(*since))),
        source,
        reported_by: author.map(|author| author.member.id.to_string()),
        incarnation: member.incarnation,
        hostname: sys.map(|sys| sys.hostname.clone()),
        address: member.address.map(|address| address.to_string()),
        swim_port: member.swim_port,
        gossip_port: member.gossip_port,
        http: gateway.map(|it| it.to_string()),
        version: None,
        services: groups,
        persistent: member.persistent,
        departed: member.departed,
        round_trip_ms: None,
        last_heard: None,
    }
}
