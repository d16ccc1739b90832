//! What services see of the ring, and what follows when that changes.

use roost_events::Cause;
use roost_service::MachineEvent;

use super::{Fleet, record::FROM_RING};
use crate::{configuration::Merged, job::Job, release::Release};

impl<R: Release> Fleet<R> {
    /// Each service takes what it sees of the ring. What was not parsed yet is parsed first, beside
    /// the fleet.
    pub(super) fn look_at_ring(&mut self) {
        if self.is_ending() || self.read_contents() {
            return;
        }
        for name in self.names(|_| true) {
            let configured = self.take_gossip(&name);
            if configured {
                self.announce_again(&name);
            }
            self.write_files(&name, false);
            let has_news =
                self.services.get(&name).is_some_and(|service| self.context.has_news(service));
            if configured || has_news {
                self.refresh(&name);
            }
        }
    }

    /// Has what services here can see of the ring parsed; false when all of it is.
    pub(super) fn read_contents(&mut self) -> bool {
        if self.context.is_read {
            return true;
        }
        let unread = self.context.unread(self.services.values());
        if unread.is_empty() {
            return false;
        }
        self.context.is_read = true;
        self.actions.work(Job::ReadContents(unread));
        true
    }

    /// Takes a newer gossiped configuration; true when there was one.
    pub(super) fn take_gossip(&mut self, name: &str) -> bool {
        let Some(service) = self.services.get_mut(name) else { return false };
        let group = self.context.census.group(service.machine.group());
        let config = group.and_then(|group| group.service_config.as_ref());
        // One that is not parsed yet is taken once it is.
        let Some(config) = config.filter(|config| config.value.is_read()) else { return false };
        let taken = service.configuration.take_gossip(config.incarnation, config.value.table());
        let Some(merged) = taken else { return false };
        let was_read = service.built.is_some();
        self.touched.insert(name.into());
        self.report_merge(name, &merged, was_read.then_some(FROM_RING));
        true
    }

    /// Reports what came of a change of a layer. `from` is where it comes from, unless the service
    /// was not read before.
    pub(super) fn report_merge(&mut self, name: &str, merged: &Merged, from: Option<&str>) {
        for error in &merged.errors {
            self.say(name, "CF", error.to_string());
        }
        self.record_merge(name, merged, from);
    }

    /// Hands a service's machine what has changed of binds, election and context.
    pub(super) fn refresh(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else { return };
        if service.built.is_some() {
            if self.context.sees_clearly(service) {
                self.look_clearly(name);
            } else {
                self.read_contents();
            }
        }
        self.drive(name);
    }

    fn look_clearly(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else { return };
        service.known.sight = Some(self.context.sight(service));
        // Before what may start a hook: it is to see who leads, and where its binds are.
        if service.rendering.is_some() {
            service.change = Cause::Unknown;
            self.render(name);
        } else if let Some(seen) = &service.known.seen {
            let sees = self.context.seen(service);
            if *seen != sees {
                service.known.seen = Some(sees);
                let cause = std::mem::take(&mut service.change);
                service.machine.because(cause).handle(self.now, MachineEvent::ContextChanged);
            }
        }
        let Some(service) = self.services.get_mut(name) else { return };
        let binds = self.context.reports(&service.binds());
        if service.known.binds.as_ref() != Some(&binds) {
            service.known.binds = Some(binds.clone());
            service.machine.handle(self.now, MachineEvent::Binds(binds));
        }
        let election = self.context.election(service.group());
        if service.known.election.as_ref() != Some(&election) {
            service.known.election = Some(election.clone());
            let (status, leader) = (election.status, election.leader);
            service.machine.handle(self.now, MachineEvent::Election { status, leader });
        }
        let topology = service.spec().topology;
        let group = self.context.census.group(service.group());
        if let Some(advice) = group.and_then(|group| group.advice(topology)) {
            self.advise(&advice.to_string());
        }
    }
}
