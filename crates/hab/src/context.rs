//! Environment of every command: the root, the user, the terminal.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use roost_crypto::KeyCache;
use roost_pkg::{FsRoot, artifacts::Artifacts, setup::Setup};

use crate::ui::Ui;

/// Environment of a command.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The root that contains `hab/`, from `FS_ROOT`.
    pub(crate) root: FsRoot,
    /// Home of a user other than root.
    home: Option<PathBuf>,
    /// Output of the command.
    pub(crate) ui: Ui,
}

impl Context {
    /// Reads the environment.
    pub(crate) fn new(ui: Ui) -> anyhow::Result<Self> {
        let root = FsRoot::from_env_value(env::var_os("FS_ROOT"))
            .context("FS_ROOT is relative and there is no working directory")?;
        let is_root = rustix::process::geteuid().is_root();
        let home = env::var_os("HOME").filter(|home| !is_root && !home.is_empty());
        Ok(Self { root, home: home.map(PathBuf::from), ui })
    }

    /// Configuration of the command line: one per machine for root, one per home directory for
    /// others.
    pub(crate) fn cli_toml(&self) -> PathBuf {
        self.own("etc/cli.toml").unwrap_or_else(|| self.root.cli_toml())
    }

    /// The default directory of keys.
    pub(crate) fn key_cache_dir(&self) -> PathBuf {
        self.own("cache/keys").unwrap_or_else(|| self.root.cache_keys())
    }

    /// The key cache in the given directory, or in the default one.
    pub(crate) fn key_cache(&self, given: Option<&Path>) -> KeyCache {
        KeyCache::new(given.map_or_else(|| self.key_cache_dir(), Path::to_owned))
    }

    /// The cache of package archives.
    pub(crate) fn artifacts(&self) -> Artifacts {
        let own = self.own("cache/artifacts");
        Artifacts::new(own.unwrap_or_else(|| self.root.cache_artifacts()))
    }

    /// Caches with public keys of origins: the given one, and the default one.
    pub(crate) fn public_keys(&self, given: Option<&Path>) -> Vec<KeyCache> {
        let given = given.map(Path::to_owned);
        let usual = self.key_cache_dir();
        let mut places: Vec<PathBuf> = given.into_iter().chain([usual]).collect();
        places.dedup();
        places.into_iter().map(KeyCache::new).collect()
    }

    /// Installs below a root, from the cache of archives. Releases below the other root count as
    /// installed too.
    pub(crate) fn setup<'a>(&self, root: &'a FsRoot, beside: Option<&'a FsRoot>) -> Setup<'a> {
        let keys = variable("HAB_CACHE_KEY_PATH");
        let keys = self.public_keys(keys.as_deref().map(Path::new));
        Setup { root, beside, artifacts: self.artifacts(), keys }
    }

    /// Directory of the file that records an accepted licence.
    pub(crate) fn licenses(&self) -> PathBuf {
        self.own("accepted-licenses")
            .unwrap_or_else(|| self.root.path().join("hab/accepted-licenses"))
    }

    /// Path of TLS material as given, with the default directory below the root.
    pub(crate) fn tls_path(&self, given: &Path) -> PathBuf {
        if given == Path::new(TLS_DIRECTORY) {
            self.root.cache_keys_ctl()
        } else {
            given.to_owned()
        }
    }

    fn own(&self, place: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(".hab").join(place))
    }
}

/// Value of a TLS option without an argument, and the default of `sup secret generate-tls`;
/// relative to the root.
pub(crate) const TLS_DIRECTORY: &str = "/hab/cache/keys/ctl";

/// The user and the root, as a sentence for messages.
pub(crate) fn surroundings() -> String {
    let user = roost_pkg::user::current_user();
    match variable("FS_ROOT") {
        Some(root) => format!("This is user {user}, and FS_ROOT is {root}."),
        None => format!("This is user {user}, and FS_ROOT is not set: paths begin at /."),
    }
}

/// An environment variable; empty or non-UTF-8 counts as unset.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
