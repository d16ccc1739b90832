//! Commands of the local Supervisor.

use super::Ring;
use crate::{
    dropped::Dropped,
    input::Command,
    names::checked_group,
    rooms::Origin,
    rumor::{CLIENT_ID, Departure, ElectionKind, Rumor, ServiceConfig, ServiceFile},
    time::Now,
};

impl Ring {
    pub(super) fn obey(&mut self, now: Now, command: Command) -> Result<(), Dropped> {
        match command {
            Command::PublishService(service) => self.publish_service(now, service),
            Command::StartElection { group, suitability } => {
                self.start_election(now, ElectionKind::Leader, &group, suitability)
            }
            Command::StartUpdateElection { group, suitability } => {
                self.start_election(now, ElectionKind::Update, &group, suitability)
            }
            Command::Suitability { group, term, value } => {
                self.suitability_known(now, &group, term, value);
                Ok(())
            }
            Command::TriggerElection { group } => {
                self.trigger_election(now, &group);
                Ok(())
            }
            Command::SetServiceConfig { group, incarnation, encrypted, config } => {
                let group = checked_group(Some(group))?;
                let from_id = CLIENT_ID.into();
                let config = ServiceConfig { from_id, group, incarnation, encrypted, config };
                self.receive_rumor(now, Origin::Client, Rumor::ServiceConfig(config))
            }
            Command::SetServiceFile { group, incarnation, encrypted, filename, body } => {
                let group = checked_group(Some(group))?;
                let from_id = CLIENT_ID.into();
                let file = ServiceFile { from_id, group, incarnation, encrypted, filename, body };
                self.receive_rumor(now, Origin::Client, Rumor::ServiceFile(file))
            }
            Command::DepartMember(member_id) => {
                self.receive_rumor(now, Origin::Client, Rumor::Departure(Departure { member_id }))
            }
            Command::LeaveGracefully => {
                self.leave(now);
                Ok(())
            }
            Command::SetInitialPeers(peers) => {
                self.prober.set_initial_peers(now, &peers);
                Ok(())
            }
        }
    }
}
