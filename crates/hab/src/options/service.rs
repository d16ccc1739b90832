//! Options of a service: of `svc load`, `svc update` and, for the package to start, of
//! `sup run` (reference: control §14.1).

use std::path::PathBuf;

use clap::Args;
use roost_ident::{
    BindingMode, ServiceBind, ServiceGroup, ServiceGroupError, ServiceOptions, Topology,
    UpdateCondition, UpdateStrategy,
    options::{BLDR_URL_DEFAULT, CHANNEL_DEFAULT, GROUP_DEFAULT, HEALTH_CHECK_INTERVAL_DEFAULT_S},
};
use serde::{Deserialize, Serialize};

use super::url::BldrUrl;
use crate::context::variable;

/// A parser for the words of an enumeration, which are case-sensitive.
macro_rules! word {
    ($kind:ident) => {
        clap::builder::TypedValueParser::try_map(
            clap::builder::PossibleValuesParser::new($kind::ALL.iter().map(|word| word.as_str())),
            |text| text.parse::<$kind>(),
        )
    };
}
pub(crate) use word;

/// The name of a group, by the rule for all names.
pub(crate) fn parse_group(text: &str) -> Result<String, ServiceGroupError> {
    // Only the group is validated here.
    ServiceGroup::new("service", text, None).map(|group| group.group().into())
}

/// Options of a load; absent ones stay open.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ServiceArgs {
    /// Receive updates from the specified release channel (not supported yet)
    #[arg(long, hide = true)]
    pub(crate) channel: Option<String>,
    /// Specify an alternate Builder endpoint (not supported yet)
    #[arg(short = 'u', long = "url", value_name = "BLDR_URL", hide = true)]
    pub(crate) bldr_url: Option<BldrUrl>,
    /// The service group with shared config and topology [default: default]
    #[arg(long, value_parser = parse_group)]
    pub(crate) group: Option<String>,
    /// Service topology
    #[arg(short = 't', long, value_parser = word!(Topology))]
    pub(crate) topology: Option<Topology>,
    /// The update strategy [default: none] (not supported yet)
    #[arg(short = 's', long, value_parser = word!(UpdateStrategy), hide = true)]
    pub(crate) strategy: Option<UpdateStrategy>,
    /// The condition dictating when this service should update [default: latest] (not supported
    /// yet)
    #[arg(long, value_parser = word!(UpdateCondition), hide = true)]
    pub(crate) update_condition: Option<UpdateCondition>,
    /// One or more service groups to bind to, NAME:SERVICE.GROUP[@ORG]
    #[arg(long, num_args = 1.., value_delimiter = ' ')]
    pub(crate) bind: Vec<ServiceBind>,
    /// Governs how the presence or absence of binds affects service startup [default: strict]
    #[arg(long, value_parser = word!(BindingMode))]
    pub(crate) binding_mode: Option<BindingMode>,
    /// The interval in seconds on which to run health checks [default: 30]
    #[arg(long)]
    pub(crate) health_check_interval: Option<u64>,
    /// Restart the service when this many health checks in a row were critical; 0 is never
    /// [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) restart_when_critical: Option<u32>,
    /// The delay in seconds after sending the shutdown signal to wait before killing the service
    /// process
    #[arg(long)]
    pub(crate) shutdown_timeout: Option<u32>,
    /// Use the package config from this path rather than the package itself
    #[arg(long)]
    pub(crate) config_from: Option<PathBuf>,
}

impl ServiceArgs {
    /// Defaults of a load.
    pub(crate) fn defaults() -> Self {
        Self {
            group: Some(GROUP_DEFAULT.into()),
            strategy: Some(UpdateStrategy::None),
            update_condition: Some(UpdateCondition::Latest),
            binding_mode: Some(BindingMode::Strict),
            health_check_interval: Some(HEALTH_CHECK_INTERVAL_DEFAULT_S),
            restart_when_critical: Some(0),
            ..Self::default()
        }
    }

    /// Address of Builder: as given, else from the environment.
    pub(crate) fn bldr_url_or_env(&self) -> Option<String> {
        let given = self.bldr_url.clone().map(String::from);
        given.or_else(|| variable("HAB_BLDR_URL")).or_else(|| variable("HAB_DEPOT_URL"))
    }

    /// The options of a load request. Habitat's client always sends most of them, given or not.
    pub(crate) fn to_load(&self) -> ServiceOptions {
        let (given, default) = (self.clone(), Self::defaults());
        ServiceOptions {
            group: given.group.or(default.group),
            topology: given.topology,
            update_strategy: given.strategy.or(default.strategy),
            update_condition: given.update_condition.or(default.update_condition),
            binds: (!given.bind.is_empty()).then_some(given.bind),
            binding_mode: given.binding_mode.or(default.binding_mode),
            bldr_url: Some(self.bldr_url_or_env().unwrap_or_else(|| BLDR_URL_DEFAULT.into())),
            channel: Some(given.channel.unwrap_or_else(|| CHANNEL_DEFAULT.into())),
            health_check_interval_s: given.health_check_interval.or(default.health_check_interval),
            shutdown_timeout_s: given.shutdown_timeout,
            config_from: given.config_from.map(|path| path.to_string_lossy().into_owned()),
            svc_encrypted_password: None,
            restart_when_critical: given.restart_when_critical,
        }
    }
}
