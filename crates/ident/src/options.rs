//! What an operator can choose about a service, and what holds where nothing was chosen.

use crate::{BindingMode, ServiceBind, Topology, UpdateCondition, UpdateStrategy};

/// Group of a service.
pub const GROUP_DEFAULT: &str = "default";
/// Address of Builder.
pub const BLDR_URL_DEFAULT: &str = "https://bldr.habitat.sh";
/// Channel of Builder.
pub const CHANNEL_DEFAULT: &str = "base";
/// Seconds between health checks.
pub const HEALTH_CHECK_INTERVAL_DEFAULT_S: u64 = 30;

/// Options of a load or an update, from the command line to the spec. What is `None` was not
/// chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceOptions {
    /// Name of the group.
    pub group: Option<String>,
    /// Address of Builder.
    pub bldr_url: Option<String>,
    /// Channel of Builder; absent in a load means [`CHANNEL_DEFAULT`].
    pub channel: Option<String>,
    /// Topology of the group.
    pub topology: Option<Topology>,
    /// How to follow new releases.
    pub update_strategy: Option<UpdateStrategy>,
    /// Which release an update goes to.
    pub update_condition: Option<UpdateCondition>,
    /// Binds; an empty list clears them.
    pub binds: Option<Vec<ServiceBind>>,
    /// Whether to wait for the binds.
    pub binding_mode: Option<BindingMode>,
    /// Directory with configuration and hooks in place of the package's; ignored by an update.
    pub config_from: Option<String>,
    /// Seconds until KILL.
    pub shutdown_timeout_s: Option<u32>,
    /// Encrypted password, meaningful on Windows only.
    pub svc_encrypted_password: Option<String>,
    /// Seconds between health checks.
    pub health_check_interval_s: Option<u64>,
    /// Critical health checks in a row until a restart; 0 is never. Extension of Roost.
    pub restart_when_critical: Option<u32>,
}
