//! The fields of a load or update command, and merging them into a spec (reference: services §4.1,
//! control §6.1 and §6.2).

use roost_ident::{
    BindingMode, PackageIdent, ServiceBind, Topology, UpdateCondition, UpdateStrategy,
};

use crate::spec::{CHANNEL_DEFAULT, Interval, ServiceSpec};

/// The fields of a command; absent ones keep the value of the spec.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpecFields {
    /// Name of the group.
    pub group: Option<String>,
    /// Address of Builder.
    pub bldr_url: Option<String>,
    /// Channel of Builder; absent in a load means `base`.
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
    /// Directory with configuration and hooks; ignored by an update.
    pub config_from: Option<String>,
    /// Seconds until KILL.
    pub shutdown_timeout_s: Option<u32>,
    /// Encrypted password.
    pub svc_encrypted_password: Option<String>,
    /// Time between health checks.
    pub health_check_interval: Option<Interval>,
    /// Critical health checks in a row until a restart; 0 is never.
    pub restart_when_critical: Option<u32>,
}

fn replace<T>(place: &mut T, field: Option<T>) {
    if let Some(value) = field {
        *place = value;
    }
}

impl ServiceSpec {
    /// Merges a load: the identifier is replaced, an absent channel means `base`, and the
    /// desired state is never touched.
    pub fn merge_load(&mut self, ident: PackageIdent, mut fields: SpecFields) {
        self.ident = ident;
        if fields.channel.is_none() {
            fields.channel = Some(CHANNEL_DEFAULT.into());
        }
        if let Some(config_from) = fields.config_from.take() {
            self.config_from = Some(config_from);
        }
        self.merge_update(fields);
    }

    /// Merges an update: only present fields, and never `config_from`.
    pub fn merge_update(&mut self, fields: SpecFields) {
        let SpecFields {
            group,
            bldr_url,
            channel,
            topology,
            update_strategy,
            update_condition,
            binds,
            binding_mode,
            config_from: _,
            shutdown_timeout_s,
            svc_encrypted_password,
            health_check_interval,
            restart_when_critical,
        } = fields;
        replace(&mut self.group, group);
        replace(&mut self.bldr_url, bldr_url);
        replace(&mut self.channel, channel);
        replace(&mut self.topology, topology);
        replace(&mut self.update_strategy, update_strategy);
        replace(&mut self.update_condition, update_condition);
        replace(&mut self.binds, binds);
        replace(&mut self.binding_mode, binding_mode);
        replace(&mut self.health_check_interval, health_check_interval);
        replace(&mut self.restart_when_critical, restart_when_critical);
        if shutdown_timeout_s.is_some() {
            self.shutdown_timeout_s = shutdown_timeout_s;
        }
        if svc_encrypted_password.is_some() {
            self.svc_encrypted_password = svc_encrypted_password;
        }
    }
}

#[cfg(test)]
mod tests {
    use roost_ident::DesiredState;

    use super::*;

    fn loaded() -> ServiceSpec {
        let mut spec = ServiceSpec::new(PackageIdent::new("o", "n", None, None));
        spec.channel = "dev".into();
        spec.binds = vec!["db:pg.default".parse().expect("a bind")];
        spec.config_from = Some("/src".into());
        spec.desired_state = DesiredState::Down;
        spec
    }

    #[test]
    fn a_forced_load_keeps_absent_fields_except_the_channel() {
        let mut spec = loaded();
        let ident = PackageIdent::new("o", "n", Some("1"), None);
        spec.merge_load(
            ident.clone(),
            SpecFields { group: Some("prod".into()), ..SpecFields::default() },
        );
        let expected =
            ServiceSpec { ident, group: "prod".into(), channel: "base".into(), ..loaded() };
        assert_eq!(spec, expected);
    }

    #[test]
    fn an_update_takes_present_fields_except_config_from() {
        let mut spec = loaded();
        spec.merge_update(SpecFields {
            binds: Some(Vec::new()),
            config_from: Some("/other".into()),
            shutdown_timeout_s: Some(5),
            ..SpecFields::default()
        });
        let expected = ServiceSpec { binds: Vec::new(), shutdown_timeout_s: Some(5), ..loaded() };
        assert_eq!(spec, expected);
    }
}
