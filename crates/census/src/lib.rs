//! The census: what the ring's rumors add up to. Service groups, their members, leaders, binds,
//! and what templates see of them (`svc`, `bind`).
//!
//! Pure: the caller hands in a view of the rumor stores, the census keeps what lasts (groups
//! and members are never removed, a leader is kept during a re-election) and answers questions.
//! Facts are those of the HTTP API chapter 12, the ring chapter 15.1, the templates chapter 3
//! and the services chapter 11.1.
//!
//! ```text
//! struct Input<'a> { services: Vec<ServiceFact<'a>>, elections: Vec<ElectionFact<'a>>, update_elections: Vec<ElectionFact<'a>>,
//!                    configs: Vec<ConfigFact<'a>>, files: Vec<FileFact<'a>>, members: Vec<MemberFact<'a>>, counters: Counters }
//! ServiceFact  { member_id, group: &ServiceGroup, incarnation, pkg_incarnation, pkg: &str, cfg: &[u8], sys: SysInfo (cloned) }
//! ElectionFact { group: &str, candidate: &str, status: ElectionStatus }
//! ConfigFact   { group: &ServiceGroup, incarnation, encrypted: bool, config: &[u8] }
//! FileFact     { group: &ServiceGroup, filename, incarnation, encrypted: bool, body: &[u8] }
//! MemberFact   { member_id, address, gossip_port: u16, health: MemberHealth }
//! Counters     { service, election, update_election, membership, service_config, service_file: u64 }
//!
//! Census::new(local_member_id) -> Census
//! Census::update(&mut self, &Input, decrypt: &mut dyn FnMut(&[u8]) -> Result<Vec<u8>, String>) -> Update { changed, warnings: Vec<String> }
//! .local_member_id() .counters() .groups() -> iterator of &Group in name order   .group(&ServiceGroup) -> Option<&Group>
//!
//! Group  { service_group, election_status, update_election_status, pkg_incarnation, leader_id, update_leader_id,
//!          service_config: Option<Arc<ServiceConfig>>, population: BTreeMap<String, Arc<Member>>,
//!          changed_service_files: Vec<String>, service_files: BTreeMap<String, Arc<ServiceFile>> }
//!   .leader() .update_leader() .first() .active_members() .previous_peer(member_id) -> Option<&Arc<Member>>
//! Member { member_id, pkg: PackageIdent, package: String, pkg_incarnation, service_group, persistent, leader, follower, update_leader,
//!          update_follower, election_status, update_election_status, sys: SysInfo, health: Option<MemberHealth>, cfg: serde_json::Map }
//! ServiceConfig { incarnation, value: toml::Table }      ServiceFile { filename, incarnation, body: Vec<u8> }
//!
//! .svc_value(&ServiceGroup) -> Option<Value>     None until the own service rumor has been taken in
//! .bind_value(&[Bind { name, group: &ServiceGroup, exports: &[String] }]) -> Value     satisfied binds only, sorted by name
//! .check_bind(&Bind) -> BindState { Satisfied, GroupMissing, NoActiveMember, MissingExports(BTreeSet<String>) };  bind.report(&BindState) -> String
//! .sight(&ServiceGroup own, bound: impl Iterator<&ServiceGroup>) -> Sight       equal Sights: templates see the same
//! ```
