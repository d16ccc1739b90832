//! `/census`: service groups of the whole ring (reference: http-api §12, §12.2, §12.3).

use std::{collections::BTreeMap, sync::Arc};

use roost_ident::{ElectionStatus, GroupFile, PackageIdent, SysInfo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ConfigTable;

/// What this Supervisor knows about all service groups.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Census {
    /// True when it differs from the snapshot before.
    pub changed: bool,
    /// Groups by `service.group[@org]`.
    pub census_groups: BTreeMap<String, Arc<CensusGroup>>,
    /// This Supervisor.
    pub local_member_id: String,
    /// Accepted changes of service rumors.
    pub last_service_counter: u64,
    /// Accepted changes of election rumors.
    pub last_election_counter: u64,
    /// Accepted changes of update election rumors.
    pub last_election_update_counter: u64,
    /// Accepted changes of the member list.
    pub last_membership_counter: u64,
    /// Accepted changes of service config rumors.
    pub last_service_config_counter: u64,
    /// Accepted changes of service file rumors.
    pub last_service_file_counter: u64,
}

/// One service group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CensusGroup {
    /// Its name.
    pub service_group: String,
    /// State of its leader election.
    pub election_status: ElectionStatus,
    /// State of its update leader election.
    pub update_election_status: ElectionStatus,
    /// Highest package incarnation ever seen.
    pub pkg_incarnation: u64,
    /// The leader; the old one while an election runs.
    pub leader_id: Option<String>,
    /// Newest service config that could be read.
    pub service_config: Option<GroupConfig>,
    /// This Supervisor, even if it is not in the group.
    pub local_member_id: String,
    /// Members by id.
    pub population: BTreeMap<String, Arc<CensusMember>>,
    /// The update leader.
    pub update_leader_id: Option<String>,
    /// Names of files that changed with the last rebuild.
    pub changed_service_files: Vec<String>,
    /// Uploaded files by name.
    pub service_files: BTreeMap<String, GroupFile>,
}

/// A configuration that was applied to a group, decrypted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CensusServiceConfig)]
pub struct GroupConfig {
    /// Its version.
    pub incarnation: u64,
    /// What was applied.
    pub value: ConfigTable,
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "these are the keys of the document")]
pub struct CensusMember {
    /// Its id.
    pub member_id: String,
    /// The package it runs.
    pub pkg: PackageIdent,
    /// Incarnation of the package.
    pub pkg_incarnation: u64,
    /// The package as text.
    pub package: String,
    /// Name of the service.
    pub service: String,
    /// Name of the group.
    pub group: String,
    /// Organization.
    pub org: Option<String>,
    /// True for every member found in the member list.
    pub persistent: bool,
    /// Leader by the last finished election.
    pub leader: bool,
    /// Follower by the last finished election.
    pub follower: bool,
    /// Update leader by the last finished election.
    pub update_leader: bool,
    /// Update follower by the last finished election.
    pub update_follower: bool,
    /// An election runs.
    pub election_is_running: bool,
    /// It has no quorum.
    pub election_is_no_quorum: bool,
    /// It is finished.
    pub election_is_finished: bool,
    /// An update election runs.
    pub update_election_is_running: bool,
    /// It has no quorum.
    pub update_election_is_no_quorum: bool,
    /// It is finished.
    pub update_election_is_finished: bool,
    /// Its addresses.
    pub sys: SysInfo,
    /// It answers.
    pub alive: bool,
    /// It did not answer a probe.
    pub suspect: bool,
    /// It is dead.
    pub confirmed: bool,
    /// It left.
    pub departed: bool,
    /// Exported configuration.
    pub cfg: ConfigTable,
}
