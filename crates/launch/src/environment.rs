//! The variables of the Supervisor's environment that reach services, hooks and its other children.
//!
//! The only list of all variables that the program uses. Every other name that begins with `HAB_`
//! is the configuration of the service of that name, and only that service gets it. All other
//! variables are inherited.

/// Use of a variable, which determines who gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A secret: no child gets it, whatever its origin.
    Secret,
    /// Between launcher, Supervisor and systemd: treated like a secret, because a child could
    /// impersonate the Supervisor with it.
    Internal,
    /// A setting of the Supervisor or of one command: not inherited.
    Setting,
    /// A setting that commands started by hooks need too: inherited.
    Shared,
    /// The configuration of one service: only that one gets it.
    Service,
    /// Not used by Roost: inherited.
    Foreign,
}

/// All variables that the program uses. Documented in the operator guide.
pub const VARIABLES: &[(&str, Use)] = &[
    ("CREDENTIALS_DIRECTORY", Use::Secret),
    ("HAB_AUTH_TOKEN", Use::Secret),
    ("HAB_AUTOMATE_AUTH_TOKEN", Use::Secret),
    ("HAB_CTL_SECRET", Use::Secret),
    ("HAB_RING_KEY", Use::Secret),
    ("HAB_SUP_GATEWAY_AUTH_TOKEN", Use::Secret),
    ("HAB_LAUNCHER_PID", Use::Internal),
    ("HAB_LAUNCHER_PIPE", Use::Internal),
    ("LISTEN_FDNAMES", Use::Internal),
    ("LISTEN_FDS", Use::Internal),
    ("LISTEN_PID", Use::Internal),
    ("NOTIFY_SOCKET", Use::Internal),
    ("ROOST_LAUNCHER_FD", Use::Internal),
    ("ROOST_LAUNCHER_PROTOCOL", Use::Internal),
    ("ROOST_PROGRAM", Use::Internal),
    ("WATCHDOG_PID", Use::Internal),
    ("WATCHDOG_USEC", Use::Internal),
    ("HABITAT_ORG", Use::Setting),
    ("HAB_BINLINK_DIR", Use::Setting),
    ("HAB_BLDR_CHANNEL", Use::Setting),
    ("HAB_BLDR_URL", Use::Setting),
    ("HAB_CACHE_KEY_PATH", Use::Setting),
    ("HAB_DEPOT_URL", Use::Setting),
    ("HAB_EVENT_STREAM_CONNECT_TIMEOUT", Use::Setting),
    ("HAB_FEAT_REDACT_HTTP", Use::Setting),
    ("HAB_FEAT_TRIGGER_ELECTION", Use::Setting),
    ("HAB_GLYPH_STYLE", Use::Setting),
    ("HAB_HART_COMPRESSION_LEVEL", Use::Setting),
    ("HAB_HEALTH_CHECK_TIMEOUT_SECS", Use::Setting),
    ("HAB_FILE_UPDATED_TIMEOUT_SECS", Use::Setting),
    ("HAB_INIT_TIMEOUT_SECS", Use::Setting),
    ("HAB_INSTALL_TIMEOUT_SECS", Use::Setting),
    ("HAB_POST_RUN_TIMEOUT_SECS", Use::Setting),
    ("HAB_POST_STOP_TIMEOUT_SECS", Use::Setting),
    ("HAB_RECONFIGURE_TIMEOUT_SECS", Use::Setting),
    ("HAB_SUITABILITY_TIMEOUT_SECS", Use::Setting),
    ("HAB_UNINSTALL_TIMEOUT_SECS", Use::Setting),
    ("HAB_INTERPRETER_IDENT", Use::Setting),
    ("HAB_KEEP_LATEST_PACKAGES", Use::Setting),
    ("HAB_LISTEN_CTL", Use::Setting),
    ("HAB_LISTEN_GOSSIP", Use::Setting),
    ("HAB_LISTEN_HTTP", Use::Setting),
    ("HAB_ORIGIN", Use::Setting),
    ("HAB_OUTBOUND_IP_ADDR_LOOKUP_SOCKET_ADDR", Use::Setting),
    ("HAB_OUTPUT_PATH", Use::Setting),
    ("HAB_PERSIST_LOOP_PERIOD_SECS", Use::Setting),
    ("HAB_PKG_RELEASE", Use::Setting),
    ("HAB_RING", Use::Setting),
    ("HAB_RUMOR_SHARE_LIMIT", Use::Setting),
    ("HAB_SUP_BINARY", Use::Setting),
    ("HAB_SUP_HTTP_THREADS", Use::Setting),
    ("HAB_HTTP_TOKENS", Use::Setting),
    ("HAB_LICENSE", Use::Shared),
    ("HAB_NOCOLORING", Use::Shared),
    ("HAB_NONINTERACTIVE", Use::Shared),
];

/// The use of a variable with this name.
#[must_use]
pub fn use_of(name: &str) -> Use {
    let listed = VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, of)| *of);
    listed.unwrap_or(if name.starts_with("HAB_") { Use::Service } else { Use::Foreign })
}

/// Whether no child may ever have a variable of this name, nor may a service be configured by it.
#[must_use]
pub fn is_private(name: &str) -> bool {
    matches!(use_of(name), Use::Secret | Use::Internal)
}

/// Whether a child inherits a variable of this name. `own` is the variable that configures its
/// service.
#[must_use]
pub fn is_inherited(name: &str, own: &str) -> bool {
    match use_of(name) {
        Use::Secret | Use::Internal | Use::Setting => false,
        Use::Service => name == own,
        Use::Shared | Use::Foreign => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn a_service_gets_what_is_its_own() {
        let own = "HAB_WEB";
        for name in ["HAB_WEB", "PATH", "FS_ROOT", "HOME", "HAB_LICENSE", "RUST_LOG"] {
            assert!(is_inherited(name, own), "{name}");
        }
        for name in ["HAB_DB", "HAB_RING_KEY", "HAB_LISTEN_HTTP", "NOTIFY_SOCKET", "HAB_FEAT_NEW"] {
            assert!(!is_inherited(name, own), "{name}");
        }
        // a package called `ring-key` must not expose the key
        assert!(!is_inherited("HAB_RING_KEY", "HAB_RING_KEY"));
        assert!(is_private("HAB_RING_KEY") && !is_private("HAB_RING") && !is_private("HAB_DB"));
    }

    fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// Names of variables in string literals: `"HAB_X"`.
    fn names(text: &str) -> impl Iterator<Item = &str> {
        let is_ours = |name: &&str| {
            ["HAB_", "HABITAT_", "ROOST_"].iter().any(|prefix| name.starts_with(prefix))
                && !name.ends_with('_')
                && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        };
        text.split('"').filter(is_ours)
    }

    #[test]
    fn every_variable_that_the_program_knows_is_listed() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        for entry in fs::read_dir(crates).expect("readable").flatten() {
            let src = entry.path().join("src");
            if src.is_dir() {
                sources(&src, &mut files);
            }
        }
        let listed: BTreeSet<&str> = VARIABLES.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed.len(), VARIABLES.len(), "each once");
        let mut seen = 0;
        for file in files {
            // this one contains examples
            if file.ends_with("launch/src/environment.rs")
                || file.ends_with("template/src/environment.rs")
            {
                continue;
            }
            let text = fs::read_to_string(&file).expect("readable");
            for name in names(&text).filter(|name| !name.starts_with("ROOST_TEST_")) {
                assert!(listed.contains(name), "{name} of {} is not listed", file.display());
                seen += 1;
            }
        }
        assert!(seen > 30, "the sources were found");
    }

    #[test]
    fn the_operator_guide_has_every_variable_in_its_table() {
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operator-guide.md");
        let guide = fs::read_to_string(guide).expect("readable");
        let start = guide.find("\n### Environment of services\n").expect("the section");
        let section = guide[start..].split("\n## ").next().unwrap_or_default();
        for (of, row) in [
            (Use::Secret, "| secrets |"),
            (Use::Internal, "| between launcher, Supervisor and systemd |"),
            (Use::Setting, "| settings of the Supervisor and of commands |"),
            (Use::Shared, "| shared settings |"),
        ] {
            let line = section.lines().find(|line| line.starts_with(row)).expect(row);
            for (name, _) in VARIABLES.iter().filter(|(_, found)| *found == of) {
                assert!(line.contains(&format!("`{name}`")), "{name} is missing in: {row}");
            }
        }
    }
}
