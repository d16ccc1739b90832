//! Spec files: their text format, in Habitat's order of keys (reference: services §2.3).

use roost_ident::{
    BindingMode, DesiredState, PackageIdent, ServiceBind, ServiceGroup, Topology, UpdateCondition,
    UpdateStrategy,
    options::{BLDR_URL_DEFAULT, CHANNEL_DEFAULT, GROUP_DEFAULT},
};
use serde::Deserialize;

use crate::spec::{Interval, ServiceSpec};

/// Largest spec file.
pub const SPEC_SIZE_MAX_BYTES: usize = 64 * 1024;

/// Why a spec file is not used; [`SpecError::line`] shows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// It is larger than [`SPEC_SIZE_MAX_BYTES`].
    #[error("File has {0} bytes, more than the {SPEC_SIZE_MAX_BYTES} allowed")]
    TooLarge(usize),
    /// It is not TOML, or a value does not fit its key; with the place.
    #[error("{0}")]
    Invalid(String),
    /// There is no `ident`.
    #[error("Missing required ident field: (example: ident = \"core/redis\")")]
    MissingIdent,
    /// The file name is that of another package.
    #[error(
        "File name does not match ident name '{name}' from ident = \"{ident}\", it should be \
         called '{name}.spec'"
    )]
    FileName {
        /// Name of the package.
        name: String,
        /// The identifier in the file.
        ident: String,
    },
}

impl SpecError {
    /// The line for the user, preamble `hab-sup`, key `SD`.
    #[must_use]
    pub fn line(&self, path: &str) -> String {
        format!(
            "Error when loading service spec file '{path}' ({self}). This file will be skipped."
        )
    }
}

/// The keys of the file; unknown ones are ignored.
#[derive(Deserialize)]
struct Keys {
    ident: Option<String>,
    group: Option<String>,
    bldr_url: Option<String>,
    channel: Option<String>,
    #[serde(default)]
    topology: Topology,
    #[serde(default)]
    update_strategy: UpdateStrategy,
    #[serde(default)]
    update_condition: UpdateCondition,
    #[serde(default)]
    binds: Vec<ServiceBind>,
    #[serde(default)]
    binding_mode: BindingMode,
    config_from: Option<String>,
    #[serde(default, deserialize_with = "desired_state")]
    desired_state: DesiredState,
    shutdown_timeout: Option<u32>,
    svc_encrypted_password: Option<String>,
    health_check_interval: Option<Interval>,
    /// Roost's own; Habitat ignores keys that it does not know.
    #[serde(default)]
    restart_when_critical: u32,
}

fn desired_state<'de, D: serde::Deserializer<'de>>(source: D) -> Result<DesiredState, D::Error> {
    let word = String::deserialize(source)?;
    DesiredState::from_spec_word(&word).ok_or_else(|| {
        serde::de::Error::custom(format!("'{word}' is not a desired state; use one of up, down"))
    })
}

impl ServiceSpec {
    /// Reads a spec file.
    ///
    /// # Errors
    /// When the file is too large, not TOML, has an invalid value, names no package, or has the
    /// wrong name.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, SpecError> {
        if text.len() > SPEC_SIZE_MAX_BYTES {
            return Err(SpecError::TooLarge(text.len()));
        }
        let keys: Keys = toml::from_str(text)
            .map_err(|error| SpecError::Invalid(error.to_string().trim_end().into()))?;
        let ident = keys.ident.ok_or(SpecError::MissingIdent)?;
        let ident = ident
            .parse()
            .and_then(PackageIdent::validate)
            .map_err(|error| SpecError::Invalid(error.to_string()))?;
        let group = keys.group.unwrap_or_else(|| GROUP_DEFAULT.into());
        ServiceGroup::new(&ident.name, &group, None)
            .map_err(|error| SpecError::Invalid(error.to_string()))?;
        let spec = Self {
            ident,
            group,
            bldr_url: keys.bldr_url.unwrap_or_else(|| BLDR_URL_DEFAULT.into()),
            channel: keys.channel.unwrap_or_else(|| CHANNEL_DEFAULT.into()),
            topology: keys.topology,
            update_strategy: keys.update_strategy,
            update_condition: keys.update_condition,
            binds: keys.binds,
            binding_mode: keys.binding_mode,
            config_from: keys.config_from,
            desired_state: keys.desired_state,
            shutdown_timeout_s: keys.shutdown_timeout,
            svc_encrypted_password: keys.svc_encrypted_password,
            health_check_interval: keys.health_check_interval.unwrap_or_default(),
            restart_when_critical: keys.restart_when_critical,
        };
        if spec.file_name() == file_name {
            Ok(spec)
        } else {
            Err(SpecError::FileName {
                name: spec.ident.name.clone(),
                ident: spec.ident.to_string(),
            })
        }
    }

    /// The text of its file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut key = |name: &str, value: String| {
            text.push_str(name);
            text.push_str(" = ");
            text.push_str(&value);
            text.push('\n');
        };
        key("ident", quote(&self.ident.to_string()));
        key("group", quote(&self.group));
        key("bldr_url", quote(&self.bldr_url));
        key("channel", quote(&self.channel));
        key("topology", quote(self.topology.as_str()));
        key("update_strategy", quote(self.update_strategy.as_str()));
        key("update_condition", quote(self.update_condition.as_str()));
        let binds: Vec<String> = self.binds.iter().map(|bind| quote(&bind.to_string())).collect();
        key("binds", format!("[{}]", binds.join(", ")));
        key("binding_mode", quote(self.binding_mode.as_str()));
        if let Some(directory) = &self.config_from {
            key("config_from", quote(directory));
        }
        key("desired_state", quote(self.desired_state.spec_word()));
        if let Some(timeout_s) = self.shutdown_timeout_s {
            key("shutdown_timeout", timeout_s.to_string());
        }
        if let Some(password) = &self.svc_encrypted_password {
            key("svc_encrypted_password", quote(password));
        }
        if self.restart_when_critical > 0 {
            key("restart_when_critical", self.restart_when_critical.to_string());
        }
        let Interval { secs, nanos } = self.health_check_interval;
        // The limit of TOML numbers; a control command may exceed it.
        let secs = secs.min(i64::MAX as u64);
        text.push_str(&format!("\n[health_check_interval]\nsecs = {secs}\nnanos = {nanos}\n"));
        text
    }
}

/// A TOML string.
fn quote(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Written by Habitat 2.1.78 for `hab svc load example/full --health-check-interval 5`.
    const RECORDED: &str = include_str!("../tests/fixtures/full.spec");

    fn parse(text: &str) -> Result<ServiceSpec, String> {
        ServiceSpec::parse(text, "n.spec").map_err(|error| error.to_string())
    }

    #[test]
    fn a_recorded_spec_is_read_and_written_byte_for_byte() {
        let spec = ServiceSpec::parse(RECORDED, "full.spec").expect("a spec");
        assert_eq!(spec.health_check_interval, Interval::from_secs(5));
        assert_eq!(spec.to_toml(), RECORDED);
    }

    #[test]
    fn every_key_is_written_in_its_place() {
        let spec = ServiceSpec {
            binds: vec![
                "db:pg.default@acme".parse().expect("a bind"),
                "q:mq.prod".parse().expect("a bind"),
            ],
            config_from: Some("/src/x".into()),
            desired_state: DesiredState::Down,
            shutdown_timeout_s: Some(3),
            svc_encrypted_password: Some("se\"cret".into()),
            restart_when_critical: 5,
            ..ServiceSpec::new(PackageIdent::new("o", "n", Some("1"), None))
        };
        let text = "ident = \"o/n/1\"\ngroup = \"default\"\n\
            bldr_url = \"https://bldr.habitat.sh\"\nchannel = \"base\"\n\
            topology = \"standalone\"\nupdate_strategy = \"none\"\n\
            update_condition = \"latest\"\nbinds = [\"db:pg.default@acme\", \"q:mq.prod\"]\n\
            binding_mode = \"strict\"\nconfig_from = \"/src/x\"\ndesired_state = \"down\"\n\
            shutdown_timeout = 3\nsvc_encrypted_password = 'se\"cret'\n\
            restart_when_critical = 5\n\n\
            [health_check_interval]\nsecs = 30\nnanos = 0\n";
        assert_eq!(spec.to_toml(), text);
        assert_eq!(parse(text), Ok(spec));
    }

    #[test]
    fn an_ident_alone_is_a_spec_and_unknown_keys_are_ignored() {
        let spec = ServiceSpec::new(PackageIdent::new("o", "n", None, None));
        assert_eq!(parse("ident = \"o/n\""), Ok(spec.clone()));
        assert_eq!(
            parse("ident = \"o/n\"\napplication_environment = \"a.b\"\ndesired_state = \"UP\""),
            Ok(spec)
        );
        let legacy = parse("ident = \"o/n\"\nbinds = [\"db:app.env#pg.default\"]").expect("a spec");
        assert_eq!(legacy.binds[0].to_string(), "db:pg.default");
    }

    #[test]
    fn errors_say_what_is_wrong() {
        assert_eq!(
            parse("group = \"x\""),
            Err("Missing required ident field: (example: ident = \"core/redis\")".into())
        );
        assert_eq!(
            parse("ident = \"o/other/1\""),
            Err("File name does not match ident name 'other' from ident = \"o/other/1\", it \
                 should be called 'other.spec'"
                .into())
        );
        for text in [
            "ident = \"n\"",
            "ident = \"o/../1\"",
            "ident = 3",
            "ident = \"o/n\"\nident = \"o/n\"",
            "ident = \"o/n\"\ngroup = \"a.b\"",
            "ident = \"o/n\"\ntopology = \"Leader\"",
            "ident = \"o/n\"\nbinds = [\"db\"]",
            "ident = \"o/n\"\nshutdown_timeout = -1",
            "ident = \"o/n\"\nrestart_when_critical = -1",
            "ident = \"o/n\"\ndesired_state = \"sideways\"",
            "ident = \"o/n\"\n[health_check_interval]\nsecs = 3",
            "ident",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let large = format!("ident = \"o/n\"\n#{}", "x".repeat(SPEC_SIZE_MAX_BYTES));
        assert!(matches!(ServiceSpec::parse(&large, "n.spec"), Err(SpecError::TooLarge(_))));
        assert_eq!(
            SpecError::MissingIdent.line("/hab/sup/default/specs/n.spec"),
            "Error when loading service spec file '/hab/sup/default/specs/n.spec' (Missing \
             required ident field: (example: ident = \"core/redis\")). This file will be skipped."
        );
    }

    #[test]
    fn an_interval_beyond_the_range_of_toml_is_written_as_the_largest() {
        let mut spec = ServiceSpec::new(PackageIdent::new("o", "n", None, None));
        spec.health_check_interval = Interval::from_secs(u64::MAX);
        let read = parse(&spec.to_toml()).expect("a spec");
        assert_eq!(read.health_check_interval.secs, i64::MAX as u64);
    }

    prop_compose! {
        fn specs()(
            name in "[a-z][a-z0-9_-]{0,8}",
            group in "[a-z0-9é]([a-z0-9_ é-]{0,6}[a-z0-9é])?",
            words in ["\\PC{0,12}", "[ -~\n\t]{0,12}"],
            version in proptest::option::of("[a-z0-9][a-z0-9.+~_-]{0,5}"),
            choices in (0..2usize, 0..3usize, 0..2usize, 0..2usize, 0..2usize),
            binds in proptest::collection::vec("[a-z]{1,4}:[a-z]{1,4}\\.[a-z]{1,4}(@[a-z]{1,3})?", 0..4),
            config_from in proptest::option::of("\\PC{0,12}"),
            password in proptest::option::of(any::<String>()),
            timeout in any::<Option<u32>>(),
            secs in 0..i64::MAX as u64,
            nanos in any::<u32>(),
            restart_when_critical in any::<u32>(),
        ) -> ServiceSpec {
            let [bldr_url, channel] = words;
            ServiceSpec {
                ident: PackageIdent::new("o", &name, version.as_deref(), None),
                group,
                bldr_url,
                channel,
                topology: Topology::ALL[choices.0],
                update_strategy: UpdateStrategy::ALL[choices.1],
                update_condition: UpdateCondition::ALL[choices.2],
                binds: binds.iter().map(|bind| bind.parse().expect("a bind")).collect(),
                binding_mode: BindingMode::ALL[choices.3],
                config_from,
                desired_state: DesiredState::ALL[choices.4],
                shutdown_timeout_s: timeout,
                svc_encrypted_password: password,
                health_check_interval: Interval { secs, nanos },
                restart_when_critical,
            }
        }
    }

    proptest! {
        #[test]
        fn specs_read_what_they_write(spec in specs()) {
            let text = spec.to_toml();
            prop_assert_eq!(ServiceSpec::parse(&text, &spec.file_name()), Ok(spec));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[ -~\n]{0,200}") {
            let _ = ServiceSpec::parse(&text, "n.spec");
        }
    }
}
