//! Whether a group satisfies a bind (reference: services §11.1).

use std::collections::BTreeSet;

use roost_ident::{BindState, ServiceGroup};

use crate::census::Census;

/// A bind of a service: its name in the package, the mapped group, and the required exports.
#[derive(Debug, Clone, Copy)]
pub struct Bind<'a> {
    /// Name in `BINDS` or `BINDS_OPTIONAL`.
    pub name: &'a str,
    /// The mapped group.
    pub group: &'a ServiceGroup,
    /// Exports that the group must have.
    pub exports: &'a [String],
}

impl Census {
    /// The state of a bind.
    #[must_use]
    pub fn check_bind(&self, bind: &Bind<'_>) -> BindState {
        let Some(group) = self.group(bind.group) else { return BindState::Absent };
        let Some(first_active) = group.active_members().next() else {
            return BindState::Inactive;
        };
        let exports = group.leader().unwrap_or(first_active).cfg.table();
        let missing: BTreeSet<String> =
            bind.exports.iter().filter(|export| !exports.contains_key(*export)).cloned().collect();
        if missing.is_empty() { BindState::Satisfied } else { BindState::MissingExports(missing) }
    }
}
