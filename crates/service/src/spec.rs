//! The desired configuration of one service.

use roost_ident::{
    BindingMode, DesiredState, PackageIdent, ServiceBind, Topology, UpdateCondition,
    UpdateStrategy,
    options::{BLDR_URL_DEFAULT, CHANNEL_DEFAULT, GROUP_DEFAULT, HEALTH_CHECK_INTERVAL_DEFAULT_S},
};

/// A duration as written in spec files and documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// Whole seconds.
    pub secs: u64,
    /// The rest, in nanoseconds.
    pub nanos: u32,
}

impl Default for Interval {
    /// Time between health checks where none was chosen.
    fn default() -> Self {
        Self::from_secs(HEALTH_CHECK_INTERVAL_DEFAULT_S)
    }
}

impl Interval {
    /// An interval of whole seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self { secs, nanos: 0 }
    }

    /// In milliseconds, rounded down, capped at the largest number.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.secs.saturating_mul(1_000).saturating_add(self.nanos as u64 / 1_000_000)
    }
}

/// The desired configuration of one service: the content of a spec file (reference: services §2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// The package; any part after the name may be missing.
    pub ident: PackageIdent,
    /// Name of the group.
    pub group: String,
    /// Address of Builder.
    pub bldr_url: String,
    /// Channel of Builder.
    pub channel: String,
    /// Topology of the group.
    pub topology: Topology,
    /// How to follow new releases.
    pub update_strategy: UpdateStrategy,
    /// Which release an update goes to.
    pub update_condition: UpdateCondition,
    /// Groups mapped to the package's binds.
    pub binds: Vec<ServiceBind>,
    /// Whether to wait for the binds.
    pub binding_mode: BindingMode,
    /// A directory whose configuration and hooks replace those of the package.
    pub config_from: Option<String>,
    /// Whether the service is to run.
    pub desired_state: DesiredState,
    /// Seconds until KILL.
    pub shutdown_timeout_s: Option<u32>,
    /// Encrypted password, meaningful on Windows only.
    pub svc_encrypted_password: Option<String>,
    /// Time between health checks.
    pub health_check_interval: Interval,
    /// Critical health checks in a row after which it is restarted; 0 is never.
    pub restart_when_critical: u32,
}

/// How two specs of one service differ, apart from the desired state (reference: services §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Not at all.
    None,
    /// Only in the source and strategy of updates, or in what its health leads to: the process is
    /// not touched.
    Swap,
    /// In a property that the process depends on: it is restarted.
    Restart,
}

impl ServiceSpec {
    /// The spec of a package with defaults for everything else.
    #[must_use]
    pub fn new(ident: PackageIdent) -> Self {
        Self {
            ident,
            group: GROUP_DEFAULT.into(),
            bldr_url: BLDR_URL_DEFAULT.into(),
            channel: CHANNEL_DEFAULT.into(),
            topology: Topology::default(),
            update_strategy: UpdateStrategy::default(),
            update_condition: UpdateCondition::default(),
            binds: Vec::new(),
            binding_mode: BindingMode::default(),
            config_from: None,
            desired_state: DesiredState::default(),
            shutdown_timeout_s: None,
            svc_encrypted_password: None,
            health_check_interval: Interval::default(),
            restart_when_critical: 0,
        }
    }

    /// The name of its file in the `specs` directory.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.spec", self.ident.name)
    }

    /// The option that starts and stops a service.
    pub const DESIRED_STATE: &'static str = "desired_state";

    /// The names of the options that are others in `new`, as in spec files.
    #[must_use]
    pub fn changed_options(&self, new: &Self) -> Vec<&'static str> {
        self.changes(new).map(|(option, _)| option).collect()
    }

    /// The effect of a change to `new` on a running service.
    #[must_use]
    pub fn difference(&self, new: &Self) -> Difference {
        self.changes(new).map(|(_, difference)| difference).max().unwrap_or(Difference::None)
    }

    /// The options that are others in `new`, each with its effect on a running service.
    fn changes(&self, new: &Self) -> impl Iterator<Item = (&'static str, Difference)> {
        use Difference::{None, Restart, Swap};
        // Destructured completely, so that the compiler rejects a forgotten new field.
        let Self {
            ident,
            group,
            bldr_url,
            channel,
            topology,
            update_strategy,
            update_condition,
            binds,
            binding_mode,
            config_from,
            desired_state,
            shutdown_timeout_s,
            svc_encrypted_password,
            health_check_interval,
            restart_when_critical,
        } = self;
        let password = *svc_encrypted_password != new.svc_encrypted_password;
        let interval = *health_check_interval != new.health_check_interval;
        let restart = *restart_when_critical != new.restart_when_critical;
        let options = [
            ("ident", Restart, *ident != new.ident),
            ("group", Restart, *group != new.group),
            ("bldr_url", Swap, *bldr_url != new.bldr_url),
            ("channel", Swap, *channel != new.channel),
            ("topology", Restart, *topology != new.topology),
            ("update_strategy", Swap, *update_strategy != new.update_strategy),
            ("update_condition", Swap, *update_condition != new.update_condition),
            ("binds", Restart, *binds != new.binds),
            ("binding_mode", Restart, *binding_mode != new.binding_mode),
            ("config_from", Restart, *config_from != new.config_from),
            (Self::DESIRED_STATE, None, *desired_state != new.desired_state),
            ("shutdown_timeout", Restart, *shutdown_timeout_s != new.shutdown_timeout_s),
            ("svc_encrypted_password", Restart, password),
            ("health_check_interval", Restart, interval),
            ("restart_when_critical", Swap, restart),
        ];
        options
            .into_iter()
            .filter(|(.., differs)| *differs)
            .map(|(option, difference, _)| (option, difference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Edit = fn(&mut ServiceSpec);

    #[test]
    fn changes_that_affect_the_process_restart_it() {
        let old = ServiceSpec::new(PackageIdent::new("o", "n", None, None));
        let edits: [Edit; 9] = [
            |spec| spec.ident.version = Some("1".into()),
            |spec| spec.group = "prod".into(),
            |spec| spec.topology = Topology::Leader,
            |spec| spec.binds = vec!["db:pg.default".parse().expect("a bind")],
            |spec| spec.binding_mode = BindingMode::Relaxed,
            |spec| spec.config_from = Some("/src".into()),
            |spec| spec.shutdown_timeout_s = Some(3),
            |spec| spec.svc_encrypted_password = Some("x".into()),
            |spec| spec.health_check_interval = Interval::from_secs(1),
        ];
        for edit in edits {
            let mut new = old.clone();
            edit(&mut new);
            assert_eq!(old.difference(&new), Difference::Restart, "{new:?}");
        }
    }

    #[test]
    fn changes_beside_the_process_only_swap_the_spec() {
        let old = ServiceSpec::new(PackageIdent::new("o", "n", None, None));
        let edits: [Edit; 5] = [
            |spec| spec.bldr_url = "http://x".into(),
            |spec| spec.channel = "dev".into(),
            |spec| spec.update_strategy = UpdateStrategy::AtOnce,
            |spec| spec.update_condition = UpdateCondition::TrackChannel,
            |spec| spec.restart_when_critical = 3,
        ];
        for edit in edits {
            let mut new = old.clone();
            edit(&mut new);
            assert_eq!(old.difference(&new), Difference::Swap, "{new:?}");
        }
    }

    #[test]
    fn the_desired_state_is_not_a_difference() {
        let old = ServiceSpec::new(PackageIdent::new("o", "n", None, None));
        let new = ServiceSpec { desired_state: DesiredState::Down, ..old.clone() };
        assert_eq!(old.difference(&new), Difference::None);
    }
}
