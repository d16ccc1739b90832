//! Whether a group gives what a bind needs (reference: services §11.1).

use std::collections::BTreeSet;

use roost_ident::ServiceGroup;

use crate::census::Census;

/// A bind of a service: the name in its package, the group that the user mapped it to, and the
/// exports that the package asks for.
#[derive(Debug, Clone, Copy)]
pub struct Bind<'a> {
    /// Name in `BINDS` or `BINDS_OPTIONAL`.
    pub name: &'a str,
    /// The group that shall give it.
    pub group: &'a ServiceGroup,
    /// Exports that the group must have.
    pub exports: &'a [String],
}

/// Whether a group gives what a bind needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindState {
    /// It does.
    Satisfied,
    /// The census does not know the group.
    GroupMissing,
    /// None of its members is alive or suspect.
    NoActiveMember,
    /// Its leader, or without one its first active member, lacks these exports.
    MissingExports(BTreeSet<String>),
}

impl Census {
    /// The state of a bind.
    #[must_use]
    pub fn check_bind(&self, bind: &Bind<'_>) -> BindState {
        let Some(group) = self.group(bind.group) else { return BindState::GroupMissing };
        let Some(first_active) = group.active_members().next() else {
            return BindState::NoActiveMember;
        };
        let exports = group.leader().unwrap_or(first_active).cfg.table();
        let missing: BTreeSet<String> =
            bind.exports.iter().filter(|export| !exports.contains_key(*export)).cloned().collect();
        if missing.is_empty() { BindState::Satisfied } else { BindState::MissingExports(missing) }
    }
}
