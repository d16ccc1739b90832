//! `hab svc update`

use anyhow::bail;
use roost_ctl::Request;
use roost_ident::{
    BindingMode, ServiceBind, ServiceOptions, Topology, UpdateCondition, UpdateStrategy,
};

use crate::{
    cli::Run,
    cmd::loaded::Loaded,
    complete,
    context::Context,
    control::{RemoteArg, command_for_state},
    exit::Exit,
    options::{
        service::{parse_group, word},
        url::BldrUrl,
    },
    wait::{self, WaitUp},
};

/// Arguments of the command. Only given options are sent and changed.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    remote: RemoteArg,
    /// Receive updates from the specified release channel
    #[arg(long, hide = true)]
    channel: Option<String>,
    /// Specify an alternate Builder endpoint
    #[arg(short = 'u', long, hide = true)]
    url: Option<BldrUrl>,
    /// The service group with shared config and topology
    #[arg(long, value_parser = parse_group)]
    group: Option<String>,
    /// Service topology
    #[arg(short = 't', long, value_parser = word!(Topology))]
    topology: Option<Topology>,
    /// The update strategy
    #[arg(short = 's', long, value_parser = word!(UpdateStrategy), hide = true)]
    strategy: Option<UpdateStrategy>,
    /// The condition dictating when this service should update
    #[arg(long, value_parser = word!(UpdateCondition), hide = true)]
    update_condition: Option<UpdateCondition>,
    /// One or more service groups to bind to, NAME:SERVICE.GROUP[@ORG]; without value: no binds
    #[arg(long, num_args = 0..)]
    bind: Option<Vec<ServiceBind>>,
    /// Governs how the presence or absence of binds affects service startup
    #[arg(long, value_parser = word!(BindingMode))]
    binding_mode: Option<BindingMode>,
    /// The interval in seconds on which to run health checks
    #[arg(short = 'i', long)]
    health_check_interval: Option<u64>,
    /// Restart the service when this many health checks in a row were critical; 0 is never
    #[arg(long, value_name = "N")]
    restart_when_critical: Option<u32>,
    /// The delay in seconds after sending the shutdown signal to wait before killing the service
    /// process
    #[arg(long)]
    shutdown_timeout: Option<u32>,
    #[command(flatten)]
    wait: WaitUp,
    /// A loaded service: its package identifier (core/redis), its name (redis) or its group
    /// (redis.default)
    #[arg(value_name = "SERVICE", add = complete::services())]
    service: Loaded,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let options = ServiceOptions {
            group: self.group,
            topology: self.topology,
            update_strategy: self.strategy,
            update_condition: self.update_condition,
            binds: self.bind,
            binding_mode: self.binding_mode,
            bldr_url: self.url.map(String::from),
            channel: self.channel,
            health_check_interval_s: self.health_check_interval,
            shutdown_timeout_s: self.shutdown_timeout,
            config_from: None,
            svc_encrypted_password: None,
            restart_when_critical: self.restart_when_critical,
        };
        if options == ServiceOptions::default() {
            bail!("No fields specified for update");
        }
        let remote = self.remote.address(context);
        let ident = self.service.resolve(context, &remote)?;
        let before = self.wait.before(context, &remote, &ident)?;
        command_for_state(context, &remote, &Request::Update { ident: ident.clone(), options })?;
        self.wait.run(context, &remote, &ident, wait::Command::Change, before)?;
        Ok(Exit::Success)
    }
}
