//! What a service is made of, as the fleet sees it.

use roost_fleet::Release;
use roost_ident::{Hook, PackageIdent};
use roost_pkg::stage::Rights;
use roost_service::Plan;
use roost_template::config::Layers;

use super::{built::Built, install::InstallHook};

impl Release for Built {
    type InstallHook = InstallHook;
    type Rights = Rights;

    fn ident(&self) -> &PackageIdent {
        &self.package.ident
    }

    fn plan(&self) -> Plan {
        Built::plan(self)
    }

    fn has(&self, hook: Hook) -> bool {
        self.hooks.contains_key(&hook)
    }

    fn layers(&self) -> &Layers {
        &self.layers
    }

    fn installs(&self) -> &[PackageIdent] {
        &self.installs
    }

    fn user_fault(&self) -> Option<&str> {
        self.user_fault.as_deref()
    }

    fn user_to_keep(&self) -> Option<&str> {
        self.user_to_keep.as_deref()
    }

    fn complaints(&self) -> &[String] {
        &self.complaints
    }

    fn exports_of(&self, bind: &str) -> &[String] {
        let declared = self.package.all_binds().find(|declared| declared.name == bind);
        declared.map_or(&[], |bind| bind.exports.as_slice())
    }
}
