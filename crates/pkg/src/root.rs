//! The tree below the root: one method per path (reference: packages §3.1).

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use roost_ident::{Hook, PackageIdent};

/// The directory used as `/`, from `FS_ROOT`. All returned paths include it; see
/// [`FsRoot::logical`] for paths as metafiles contain them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsRoot {
    path: PathBuf,
}

impl FsRoot {
    /// Uses a directory as root. A relative one is resolved against the current working directory,
    /// so that it does not move later; an empty one is `/`. It need not exist.
    ///
    /// # Errors
    /// When the path is relative and there is no working directory.
    pub fn new(path: PathBuf) -> io::Result<Self> {
        if path.as_os_str().is_empty() {
            return Ok(Self { path: PathBuf::from("/") });
        }
        Ok(Self { path: std::path::absolute(path)? })
    }

    /// Uses the value of the environment variable `FS_ROOT`; unset and empty mean `/`.
    ///
    /// # Errors
    /// As [`FsRoot::new`].
    pub fn from_env_value(value: Option<OsString>) -> io::Result<Self> {
        Self::new(value.map(PathBuf::from).unwrap_or_default())
    }

    /// The root itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory `hab` below it, which contains everything else.
    #[must_use]
    pub fn hab_dir(&self) -> PathBuf {
        self.path.join("hab")
    }

    /// A path below `hab/`.
    fn hab(&self, rest: &str) -> PathBuf {
        self.path.join("hab").join(rest)
    }

    /// Installed packages.
    #[must_use]
    pub fn pkgs(&self) -> PathBuf {
        self.hab("pkgs")
    }

    /// Directory of an identifier: of one release if it is fully qualified, else the parent of all
    /// that match. The identifier is not checked, see [`PackageIdent::validate`].
    #[must_use]
    pub fn pkg_path(&self, ident: &PackageIdent) -> PathBuf {
        let mut path = self.pkgs().join(&ident.origin).join(&ident.name);
        if let Some(version) = &ident.version {
            path.push(version);
            path.extend(&ident.release);
        }
        path
    }

    /// Parent of the service directories.
    #[must_use]
    pub fn svc_root(&self) -> PathBuf {
        self.hab("svc")
    }

    /// Directory of the service with this package name.
    #[must_use]
    pub fn svc(&self, name: &str) -> SvcPaths {
        SvcPaths { root: self.svc_root().join(name) }
    }

    /// The operator's overrides for a service: `hab/user/NAME/config/user.toml`.
    #[must_use]
    pub fn user_toml(&self, name: &str) -> PathBuf {
        self.hab("user").join(name).join("config/user.toml")
    }

    /// How the operator has a service watched: `hab/user/NAME/monitor.toml`.
    #[must_use]
    pub fn user_monitor(&self, name: &str) -> PathBuf {
        self.hab("user").join(name).join("monitor.toml")
    }

    /// State of the Supervisor.
    #[must_use]
    pub fn sup(&self) -> SupPaths {
        SupPaths { root: self.hab("sup/default") }
    }

    /// The launcher's process id, decimal.
    #[must_use]
    pub fn launcher_pid(&self) -> PathBuf {
        self.hab("launcher/PID")
    }

    /// Key cache of root; other users have theirs below `$HOME/.hab/cache`.
    #[must_use]
    pub fn cache_keys(&self) -> PathBuf {
        self.hab("cache/keys")
    }

    /// TLS material of the control gateway.
    #[must_use]
    pub fn cache_keys_ctl(&self) -> PathBuf {
        self.hab("cache/keys/ctl")
    }

    /// Cached archives of root.
    #[must_use]
    pub fn cache_artifacts(&self) -> PathBuf {
        self.hab("cache/artifacts")
    }

    /// Extra CA certificates of root.
    #[must_use]
    pub fn cache_ssl(&self) -> PathBuf {
        self.hab("cache/ssl")
    }

    /// Command-line configuration of root.
    #[must_use]
    pub fn cli_toml(&self) -> PathBuf {
        self.hab("etc/cli.toml")
    }

    /// The path as metafiles contain it, starting with `/hab`, without the root. A path outside the
    /// root is returned unchanged.
    #[must_use]
    pub fn logical(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.path)
            .map_or_else(|_| path.to_path_buf(), |rest| Path::new("/").join(rest))
    }
}

/// Paths of one service below `hab/svc/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SvcPaths {
    /// The service directory itself.
    pub root: PathBuf,
}

impl SvcPaths {
    /// Rendered configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("config")
    }
    /// Configuration for install and uninstall hooks.
    #[must_use]
    pub fn config_install(&self) -> PathBuf {
        self.root.join("config_install")
    }
    /// The service's own data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }
    /// Gossiped files.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.root.join("files")
    }
    /// Static content of the service.
    #[must_use]
    pub fn static_(&self) -> PathBuf {
        self.root.join("static")
    }
    /// Changing data such as sockets.
    #[must_use]
    pub fn var(&self) -> PathBuf {
        self.root.join("var")
    }
    /// Rendered hooks.
    #[must_use]
    pub fn hooks(&self) -> PathBuf {
        self.root.join("hooks")
    }
    /// Output of hooks other than `run`.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }
    /// Process id of the service, decimal.
    #[must_use]
    pub fn pid_file(&self) -> PathBuf {
        self.root.join("PID")
    }
    /// The executed file: a copy of the rendered run hook.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }
    /// One rendered hook.
    #[must_use]
    pub fn hook(&self, hook: Hook) -> PathBuf {
        self.hooks().join(hook.as_str())
    }
    /// Standard output of a hook's last run.
    #[must_use]
    pub fn stdout_log(&self, hook: Hook) -> PathBuf {
        self.logs().join(format!("{hook}.stdout.log"))
    }
    /// Standard error of a hook's last run.
    #[must_use]
    pub fn stderr_log(&self, hook: Hook) -> PathBuf {
        self.logs().join(format!("{hook}.stderr.log"))
    }
}

/// Paths of the Supervisor's state below `hab/sup/default` (reference: services §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupPaths {
    /// The state directory itself.
    pub root: PathBuf,
}

impl SupPaths {
    /// State of the ring.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }
    /// One spec file per service.
    #[must_use]
    pub fn specs(&self) -> PathBuf {
        self.root.join("specs")
    }
    /// One file per service that follows a plain directory.
    #[must_use]
    pub fn directories(&self) -> PathBuf {
        self.root.join("directories")
    }
    /// The spec file of a service.
    #[must_use]
    pub fn spec_file(&self, name: &str) -> PathBuf {
        self.specs().join(format!("{name}.spec"))
    }
    /// Directory of the releases that services last ran.
    #[must_use]
    pub fn releases(&self) -> PathBuf {
        self.root.join("releases")
    }
    /// File with the release that a service last ran: its identifier in one line.
    #[must_use]
    pub fn release_file(&self, name: &str) -> PathBuf {
        self.releases().join(name)
    }
    /// The last copy of each service's `user.toml` that could be used, by its name.
    #[must_use]
    pub fn user_copies(&self) -> PathBuf {
        self.root.join("user")
    }
    /// That of one service.
    #[must_use]
    pub fn user_copy(&self, name: &str) -> PathBuf {
        self.user_copies().join(format!("{name}.toml"))
    }
    /// The last copy of the operator's `monitor.toml` of a service that could be used, rendered.
    #[must_use]
    pub fn monitor_copy(&self, name: &str) -> PathBuf {
        self.user_copies().join(format!("{name}.monitor.toml"))
    }
    /// Identity of this ring member.
    #[must_use]
    pub fn member_id(&self) -> PathBuf {
        self.root.join("MEMBER_ID")
    }
    /// The journal of events.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.redb")
    }
    /// Lock that prevents a second Supervisor.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("LOCK")
    }
    /// Secret of the control gateway.
    #[must_use]
    pub fn ctl_secret(&self) -> PathBuf {
        self.root.join("CTL_SECRET")
    }
    /// Socket of the HTTP gateway, for tools on this machine.
    #[must_use]
    pub fn http_socket(&self) -> PathBuf {
        self.root.join("http.sock")
    }
    /// Where `hab sup token` keeps tokens of the HTTP API, unless another file is given.
    #[must_use]
    pub fn http_tokens(&self) -> PathBuf {
        self.root.join("http-tokens.toml")
    }
    /// Default configuration file of `hab sup run`.
    #[must_use]
    pub fn sup_toml(&self) -> PathBuf {
        self.root.join("config/sup.toml")
    }
    /// Logging configuration.
    #[must_use]
    pub fn log_yml(&self) -> PathBuf {
        self.root.join("config/log.yml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ident(text: &str) -> PackageIdent {
        text.parse().expect(text)
    }

    #[test]
    fn an_empty_or_missing_value_is_the_real_root() {
        for value in [None, Some(OsString::new())] {
            let root = FsRoot::from_env_value(value).expect("absolute");
            assert_eq!(root.path(), Path::new("/"));
            assert_eq!(root.pkgs(), Path::new("/hab/pkgs"));
        }
    }

    #[test]
    fn a_relative_root_is_made_absolute() {
        let root = FsRoot::new("./some/where/".into()).expect("working directory");
        let here = std::env::current_dir().expect("working directory");
        assert_eq!(root.path(), here.join("some/where"));
    }

    #[test]
    fn places_lie_below_the_root() {
        let root = FsRoot::new("/r".into()).expect("absolute");
        for (place, expected) in [
            (root.pkg_path(&ident("o/n/1/2")), "/r/hab/pkgs/o/n/1/2"),
            (root.pkg_path(&ident("o/n/1")), "/r/hab/pkgs/o/n/1"),
            (root.pkg_path(&PackageIdent::new("o", "n", None, Some("9"))), "/r/hab/pkgs/o/n"),
            (root.svc("n").hook(Hook::PostRun), "/r/hab/svc/n/hooks/post-run"),
            (root.svc("n").stderr_log(Hook::Init), "/r/hab/svc/n/logs/init.stderr.log"),
            (root.user_toml("n"), "/r/hab/user/n/config/user.toml"),
            (root.user_monitor("n"), "/r/hab/user/n/monitor.toml"),
            (root.sup().monitor_copy("n"), "/r/hab/sup/default/user/n.monitor.toml"),
            (root.sup().spec_file("n"), "/r/hab/sup/default/specs/n.spec"),
            (root.launcher_pid(), "/r/hab/launcher/PID"),
        ] {
            assert_eq!(place, Path::new(expected));
        }
    }

    #[test]
    fn a_logical_path_has_no_root() {
        let root = FsRoot::new("/r".into()).expect("absolute");
        assert_eq!(root.logical(&root.svc("n").data()), Path::new("/hab/svc/n/data"));
        assert_eq!(root.logical(Path::new("/etc/passwd")), Path::new("/etc/passwd"));
        let slash = FsRoot::new("/".into()).expect("absolute");
        assert_eq!(slash.logical(Path::new("/hab/svc")), Path::new("/hab/svc"));
    }
}
