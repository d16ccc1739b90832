//! Merging the options of a load or update into a spec (reference: services §4.1, control §6.1 and
//! §6.2).

use roost_ident::{PackageIdent, ServiceOptions, options::CHANNEL_DEFAULT};

use crate::spec::{Interval, ServiceSpec};

fn replace<T>(place: &mut T, field: Option<T>) {
    if let Some(value) = field {
        *place = value;
    }
}

impl ServiceSpec {
    /// Merges a load: the identifier is replaced, an absent channel means `base`, and the
    /// desired state is never touched.
    pub fn merge_load(&mut self, ident: PackageIdent, mut options: ServiceOptions) {
        self.ident = ident;
        if options.channel.is_none() {
            options.channel = Some(CHANNEL_DEFAULT.into());
        }
        if let Some(config_from) = options.config_from.take() {
            self.config_from = Some(config_from);
        }
        self.merge_update(options);
    }

    /// Merges an update: only present options, and never `config_from`.
    pub fn merge_update(&mut self, options: ServiceOptions) {
        let ServiceOptions {
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
            health_check_interval_s,
            restart_when_critical,
        } = options;
        replace(&mut self.group, group);
        replace(&mut self.bldr_url, bldr_url);
        replace(&mut self.channel, channel);
        replace(&mut self.topology, topology);
        replace(&mut self.update_strategy, update_strategy);
        replace(&mut self.update_condition, update_condition);
        replace(&mut self.binds, binds);
        replace(&mut self.binding_mode, binding_mode);
        replace(&mut self.health_check_interval, health_check_interval_s.map(Interval::from_secs));
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
            ServiceOptions { group: Some("prod".into()), ..ServiceOptions::default() },
        );
        let expected =
            ServiceSpec { ident, group: "prod".into(), channel: "base".into(), ..loaded() };
        assert_eq!(spec, expected);
    }

    #[test]
    fn an_update_takes_present_fields_except_config_from() {
        let mut spec = loaded();
        spec.merge_update(ServiceOptions {
            binds: Some(Vec::new()),
            config_from: Some("/other".into()),
            shutdown_timeout_s: Some(5),
            ..ServiceOptions::default()
        });
        let expected = ServiceSpec { binds: Vec::new(), shutdown_timeout_s: Some(5), ..loaded() };
        assert_eq!(spec, expected);
    }
}
