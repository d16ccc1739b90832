//! A release that exists in memory alone.

use roost_fleet::Release;
use roost_ident::{Hook, PackageIdent};
use roost_service::Plan;
use roost_template::config::Layers;

#[derive(Debug, Clone)]
pub(crate) struct Made {
    ident: PackageIdent,
    hooks: Vec<Hook>,
    layers: Layers,
    installs: Vec<PackageIdent>,
}

impl Made {
    pub(crate) fn new(service: &str, release: u32, hooks: &[Hook], installs: bool) -> Self {
        let release = format!("2025010100000{release}");
        let ident = PackageIdent::new("acme", service, Some("1"), Some(&release));
        let installs = if installs { vec![ident.clone()] } else { Vec::new() };
        Self { ident, hooks: hooks.to_vec(), layers: Layers::default(), installs }
    }
}

impl Release for Made {
    type InstallHook = ();
    type Rights = ();

    fn ident(&self) -> &PackageIdent {
        &self.ident
    }

    fn plan(&self) -> Plan {
        let (hooks, installs) = (self.hooks.clone(), !self.installs.is_empty());
        Plan { hooks, installs, ..Plan::bare(&self.ident.to_string()) }
    }

    fn has(&self, hook: Hook) -> bool {
        self.hooks.contains(&hook)
    }

    fn layers(&self) -> &Layers {
        &self.layers
    }

    fn installs(&self) -> &[PackageIdent] {
        &self.installs
    }

    fn user_fault(&self) -> Option<&str> {
        None
    }

    fn user_to_keep(&self) -> Option<&str> {
        None
    }

    fn complaints(&self) -> &[String] {
        &[]
    }

    fn exports_of(&self, _bind: &str) -> &[String] {
        &[]
    }
}
