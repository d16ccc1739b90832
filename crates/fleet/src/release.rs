//! What the fleet needs to know of a release, without knowing how it was read.

use std::fmt::Debug;

use roost_ident::{Hook, PackageIdent};
use roost_service::Plan;
use roost_template::config::Layers;

/// What a service is made of, read from disk by the shell. The fleet hands it back with the actions
/// that need it and looks at nothing but this.
pub trait Release: Debug + Sized {
    /// An install hook that is rendered and ready to run.
    type InstallHook: Debug;
    /// What an operator agreed to by loading a plain directory, beside its path and origin.
    type Rights: Debug + Clone + PartialEq;

    /// The release, fully qualified.
    fn ident(&self) -> &PackageIdent;
    /// The facts that the machine of the service decides by.
    fn plan(&self) -> Plan;
    /// True when it has this hook.
    fn has(&self, hook: Hook) -> bool;
    /// The layers of the configuration that come from files and the environment.
    fn layers(&self) -> &Layers;
    /// Packages with an install hook that has not succeeded yet, dependencies first.
    fn installs(&self) -> &[PackageIdent];
    /// Why `user.toml` is not in force as it is now, for the user.
    fn user_fault(&self) -> Option<&str>;
    /// What the copy of `user.toml` is to hold, if it does not.
    fn user_to_keep(&self) -> Option<&str>;
    /// Lines for the user about what of it cannot be used, key `HK`.
    fn complaints(&self) -> &[String];
    /// What the package asks its bind of this name to export.
    fn exports_of(&self, bind: &str) -> &[String];
}
