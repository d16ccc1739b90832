//! What the templates and binds of services see of the ring.

use std::sync::Arc;

use roost_census::{Bind, Census, Content, Sight};
use roost_ident::ServiceGroup;
use roost_service::BindReport;
use roost_template::value::to_json;
use toml::Table;

use crate::{
    job::Scope,
    release::Release,
    service::{Election, Seen, Service},
};

/// The census, and whether what it holds is being parsed.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) census: Census,
    /// What services see of the ring is being parsed beside the fleet.
    pub(crate) is_read: bool,
}

impl Context {
    pub(crate) fn new(member_id: &str) -> Self {
        Self { census: Census::new(member_id).read_beside(), is_read: false }
    }

    /// What services here can see of the ring and was not parsed yet.
    pub(crate) fn unread<'a, R>(
        &self,
        services: impl Iterator<Item = &'a Service<R>>,
    ) -> Vec<Arc<Content>>
    where
        R: Release + 'a,
    {
        let groups = services.flat_map(|it| std::iter::once(it.group()).chain(it.bound()));
        self.census.unread(groups)
    }

    /// True when a service can look at the ring without anything being parsed.
    pub(crate) fn sees_clearly<R: Release>(&self, service: &Service<R>) -> bool {
        self.unread(std::iter::once(service)).is_empty()
    }

    /// What the census shows a service.
    pub(crate) fn sight<R: Release>(&self, service: &Service<R>) -> Sight {
        self.census.sight(service.group(), service.bound())
    }

    /// What the templates of a service see.
    pub(crate) fn seen<R: Release>(&self, service: &Service<R>) -> Seen {
        Seen { sight: self.sight(service), revision: service.configuration.revision() }
    }

    /// True when the census shows a service something else than its machine knows. Most changes of
    /// a large ring concern no service here.
    pub(crate) fn has_news<R: Release>(&self, service: &Service<R>) -> bool {
        service.rendering.is_some() || service.known.sight.as_ref() != Some(&self.sight(service))
    }

    /// State of binds.
    pub(crate) fn reports(&self, binds: &[Bind<'_>]) -> Vec<BindReport> {
        let report = |bind: &Bind<'_>| BindReport {
            name: bind.name.into(),
            group: bind.group.to_string(),
            state: self.census.check_bind(bind),
        };
        binds.iter().map(report).collect()
    }

    /// How far the election of a group is.
    pub(crate) fn election(&self, group: &ServiceGroup) -> Election {
        let group = self.census.group(group);
        Election {
            status: group.map(|group| group.election_status).unwrap_or_default(),
            leader: group.and_then(|group| group.leader_id.clone()),
        }
    }

    /// What templates see; `None` before the census has this service, and while what it sees of
    /// the ring is being parsed.
    pub(crate) fn scope(
        &self,
        cfg: &Table,
        group: &ServiceGroup,
        binds: &[Bind<'_>],
    ) -> Option<Scope> {
        let groups = std::iter::once(group).chain(binds.iter().map(|bind| bind.group));
        if !self.census.unread(groups).is_empty() {
            return None;
        }
        let svc = self.census.svc_value(group)?;
        Some(Scope { cfg: to_json(cfg), svc, bind: self.census.bind_value(binds) })
    }
}
