//! The document that templates are rendered with. Names and order of keys are part of the contract:
//! `toJson` and `each` expose them (reference: templates §3).

use std::collections::BTreeMap;

use roost_ident::{PackageIdent, SysInfo};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// `sys`: the local Supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sys {
    /// Version of the Supervisor.
    pub version: String,
    /// 32 lower-case hex digits.
    pub member_id: String,
    /// Where it listens.
    #[serde(flatten)]
    pub addresses: SysInfo,
    /// `--permanent-peer`.
    pub permanent: bool,
}

/// `pkg`: the running package. Its paths include `FS_ROOT`. Serialises as service templates see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pkg {
    /// The fully qualified identifier.
    pub ident: PackageIdent,
    /// Transitive dependencies, in the order of the file `TDEPS`.
    pub deps: Vec<PackageIdent>,
    /// Run-time environment, with `PATH`.
    pub env: BTreeMap<String, String>,
    /// Ports of the file `EXPOSES`, as text.
    pub exposes: Vec<String>,
    /// Public key to path in the configuration, of the file `EXPORTS`.
    pub exports: BTreeMap<String, String>,
    /// Install directory.
    pub path: String,
    /// `<root>/hab/svc/<name>`; the paths below it are derived.
    pub svc_path: String,
    /// User that the service runs as.
    pub svc_user: String,
    /// Group that the service runs as.
    pub svc_group: String,
}

impl Serialize for Pkg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        PkgDocument::new(self, false).serialize(serializer)
    }
}

/// [`Pkg`] with all keys in their order.
#[derive(Serialize)]
struct PkgDocument<'a> {
    ident: String,
    origin: &'a str,
    name: &'a str,
    version: &'a str,
    release: &'a str,
    deps: &'a [PackageIdent],
    env: &'a BTreeMap<String, String>,
    exposes: &'a [String],
    exports: &'a BTreeMap<String, String>,
    path: &'a str,
    svc_path: &'a str,
    svc_config_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    svc_config_install_path: Option<String>,
    svc_data_path: String,
    svc_files_path: String,
    svc_static_path: String,
    svc_var_path: String,
    svc_pid_file: String,
    svc_run: String,
    svc_user: &'a str,
    svc_group: &'a str,
}

impl<'a> PkgDocument<'a> {
    fn new(pkg: &'a Pkg, for_install: bool) -> Self {
        let below = |name: &str| format!("{}/{name}", pkg.svc_path);
        Self {
            ident: pkg.ident.to_string(),
            origin: &pkg.ident.origin,
            name: &pkg.ident.name,
            version: pkg.ident.version.as_deref().unwrap_or_default(),
            release: pkg.ident.release.as_deref().unwrap_or_default(),
            deps: &pkg.deps,
            env: &pkg.env,
            exposes: &pkg.exposes,
            exports: &pkg.exports,
            path: &pkg.path,
            svc_path: &pkg.svc_path,
            svc_config_path: below("config"),
            svc_config_install_path: for_install.then(|| below("config_install")),
            svc_data_path: below("data"),
            svc_files_path: below("files"),
            svc_static_path: below("static"),
            svc_var_path: below("var"),
            svc_pid_file: below("PID"),
            svc_run: below("run"),
            svc_user: &pkg.svc_user,
            svc_group: &pkg.svc_group,
        }
    }
}

/// The context of `config/` and of the service's hooks. `svc` and `bind` are the documents of the
/// census; `cfg` is the merged configuration.
#[must_use]
pub fn service_context(sys: &Sys, pkg: &Pkg, cfg: Value, svc: Value, bind: Value) -> Value {
    object([("sys", json(sys)), ("pkg", json(pkg)), ("cfg", cfg), ("svc", svc), ("bind", bind)])
}

/// The context of `config_install/` and of the hooks `install` and `uninstall`: only `pkg`, plus
/// `svc_config_install_path`, and `cfg` without the gossip layer.
#[must_use]
pub fn install_context(pkg: &Pkg, cfg: Value) -> Value {
    object([("pkg", json(&PkgDocument::new(pkg, true))), ("cfg", cfg)])
}

fn object<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Object(Map::from_iter(entries.map(|(key, value)| (key.to_owned(), value))))
}

fn json(document: &impl Serialize) -> Value {
    serde_json::to_value(document).expect("text, numbers and text-keyed maps have a JSON form")
}
