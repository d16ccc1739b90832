//! Install hooks, which run once per installed release before the service starts
//! (reference: services §5.2 and §6.1).

use std::{collections::BTreeMap, env, path::PathBuf};

use roost_ident::{Hook, PackageIdent};
use roost_pkg::{
    FsRoot, Package, SvcPaths, dirs,
    env::{hook_environment, interpreter_path},
    sources,
    user::{self, Credentials},
};
use roost_template::{
    config::{self, Layers},
    context::{Pkg, install_context},
    value::to_json,
};

use super::{built::toml_fault, environment, rendering::render_install, user_layer};

/// An install hook, rendered and ready to run.
#[derive(Debug)]
pub struct InstallHook {
    /// The package that has it.
    pub package: PackageIdent,
    /// Where its status is written.
    pub package_path: PathBuf,
    /// Directories of the service.
    pub svc: SvcPaths,
    /// Whom it runs as; `None` as this process.
    pub credentials: Option<Credentials>,
    /// Variables of the package, on top of those of this process.
    pub environment: BTreeMap<String, String>,
    /// What rendering changed, as key and text of lines.
    pub lines: Vec<(&'static str, String)>,
    /// How long each hook may run, in seconds, as far as the package states it.
    pub timeouts_s: BTreeMap<Hook, u32>,
}

/// Renders the install and uninstall hooks of a release. Reads and writes files.
///
/// # Errors
/// A line for the user.
pub fn prepare(
    root: &FsRoot,
    ident: &PackageIdent,
    interpreter: &PackageIdent,
) -> Result<InstallHook, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let package = Package::load(root, ident.clone()).map_err(|error| text(&error))?;
    let names = user::names(&package).map_err(|error| text(&error))?;
    let credentials = match user::capable() {
        true => Some(user::credentials(&names).map_err(|error| text(&error))?),
        false => None,
    };
    let svc = root.svc(&ident.name);
    dirs::prepare(&svc, credentials.as_ref()).map_err(|error| text(&error))?;
    let interpreter = interpreter_path(root, interpreter).map_err(|error| text(&error))?;
    let environment = hook_environment(
        &package,
        &interpreter,
        env::var("PATH").ok().as_deref(),
        env::var_os("SSL_CERT_FILE").is_some(),
    );
    let (cfg, _) = layers(root, &package)?.merged();
    let pkg = Pkg {
        ident: ident.clone(),
        deps: package.tdeps.clone(),
        env: environment.clone(),
        exposes: package.exposes.clone(),
        exports: package.exports.clone(),
        path: package.path.display().to_string(),
        svc_path: svc.root.display().to_string(),
        svc_user: names.user,
        svc_group: names.group,
    };
    let context = install_context(&pkg, to_json(&cfg));
    let prefix = root.path().display().to_string();
    let lines = render_install(&package, &svc, credentials.as_ref(), &prefix, &context)?;
    Ok(InstallHook {
        package: ident.clone(),
        package_path: package.path,
        timeouts_s: package.hook_timeouts_s,
        svc,
        credentials,
        environment,
        lines,
    })
}

/// Default, environment and user layers of the package itself.
fn layers(root: &FsRoot, package: &Package) -> Result<Layers, String> {
    let name = &package.ident.name;
    let default = sources::default_toml(&package.path).map_err(|error| error.to_string())?;
    let path = package.path.join("default.toml").display().to_string();
    let default = default
        .map(|text| config::parse_toml(&text))
        .transpose()
        .map_err(|error| toml_fault(&path, &error));
    let environment = environment::configuration(name);
    let environment = environment.map(|text| config::parse_environment(name, &text)).transpose();
    Ok(Layers {
        default: default?,
        environment: environment.map_err(|error| error.to_string())?,
        user: user_layer::read_or_kept(root, name)?.table,
        gossip: None,
    })
}
