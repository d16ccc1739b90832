//! What the fleet asks of the ring.

use roost_fleet::RingAction;
use roost_ident::SysInfo;
use roost_ring::{Command, OwnService};
use roost_template::exports::rumor_cfg;

use crate::services::built::Built;

/// The command of an action; `addresses` are those of this Supervisor.
pub(crate) fn command(action: RingAction<Built>, addresses: &SysInfo) -> Command {
    match action {
        RingAction::Announce { group, release, cfg } => Command::PublishService(OwnService {
            group,
            pkg: release.package.ident.to_string(),
            cfg: rumor_cfg(&cfg, &release.package.exports).into_bytes().into(),
            sys: addresses.clone(),
            pkg_incarnation: 0,
        }),
        RingAction::StartElection { group } => Command::StartElection { group, suitability: 0 },
        RingAction::Suitability { group, term, value } => {
            Command::Suitability { group, term, value }
        }
        RingAction::Leave => Command::LeaveGracefully,
    }
}
