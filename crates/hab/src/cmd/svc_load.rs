//! `hab svc load`

use std::path::Path;

use roost_ctl::Request;
use roost_ident::{PackageIdent, options::BLDR_URL_DEFAULT};
use roost_pkg::stage::{StageOptions, stage_directory};

use crate::{
    cli::Run,
    complete,
    context::{Context, surroundings, variable},
    control::{RemoteArg, command},
    exit::{Advised, Exit, UsageError},
    options::{archive, generate, given::keys, service::ServiceArgs, source::Source},
    wait::{self, WaitUp},
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Load or reload an already loaded service
    #[arg(short = 'f', long)]
    force: bool,
    #[command(flatten)]
    remote: RemoteArg,
    #[command(flatten)]
    options: ServiceArgs,
    #[command(flatten)]
    wait: WaitUp,
    /// Print the effective settings as a configuration file and exit
    #[arg(long, hide = true)]
    generate_config: bool,
    /// A package identifier (core/redis), or an archive or directory on the Supervisor's machine
    #[arg(
        value_name = "PKG_IDENT",
        required_unless_present = "generate_config",
        add = complete::packages()
    )]
    pkg_ident: Option<String>,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        if self.generate_config {
            return self.print_config(context);
        }
        let text = self.pkg_ident.unwrap_or_default();
        let options = self.options.to_load();
        let mut directory = None;
        let archive = archive::install_named(context, &text, "[PKG_IDENT]")?;
        // What became a package here, below the root of this machine.
        let mut made = archive.is_some().then_some("archive");
        let source = archive
            .map_or_else(|| Source::parse(&text, &context.root), |ident| Ok(Source::Ident(ident)));
        let ident = match source {
            Ok(Source::Ident(ident)) => ident,
            Ok(Source::Directory(path)) => {
                let ident = stage(context, &path)?;
                directory = Some(path.to_string_lossy().into_owned());
                made = Some("directory");
                // A change of the directory makes a new release.
                PackageIdent { version: None, release: None, ..ident }
            }
            Err(error) => {
                let text = format!("invalid value '{text}' for '[PKG_IDENT]': {error}");
                return Err(UsageError(text).into());
            }
        };
        let remote = self.remote.address(context);
        let request = Request::Load { ident: ident.clone(), force: self.force, directory, options };
        let before = self.wait.before(context, &remote, &ident)?;
        command(context, &remote, &request).map_err(|error| match made {
            // The Supervisor has its own root.
            Some(source) if error.to_string().contains("Cannot find") => {
                let advice = format!(
                    "The {source} was installed as the package {ident} below {}. The Supervisor must be on \
                     this machine and have the same FS_ROOT. {}",
                    context.root.path().display(),
                    surroundings()
                );
                Advised::wrap(error, advice)
            }
            _ => error,
        })?;
        self.wait.run(context, &remote, &ident, wait::Command::Change, before)?;
        Ok(Exit::Success)
    }
}

impl Arguments {
    fn print_config(self, context: &Context) -> anyhow::Result<Exit> {
        let mut values = toml::Table::try_from(ServiceArgs::defaults())?;
        values.extend(toml::Table::try_from(&self.options)?);
        let url = self.options.bldr_url_or_env().unwrap_or_else(|| BLDR_URL_DEFAULT.into());
        values.insert("bldr_url".into(), url.into());
        values.insert("force".into(), self.force.into());
        values.insert("remote_sup".into(), self.remote.address(context).to_string().into());
        if let Some(ident) = self.pkg_ident {
            values.insert("pkg_ident".into(), ident.into());
        }
        let command = <Self as clap::Args>::augment_args(clap::Command::new("load"));
        let own = ["pkg_ident", "force", "remote_sup"].map(str::to_owned);
        let keys = [own.to_vec(), keys::<ServiceArgs>()].concat();
        context.ui.info(&generate::render(&command, &keys, &values));
        Ok(Exit::Success)
    }
}

/// Makes a release of a plain directory, in the tree of this machine.
fn stage(context: &Context, path: &Path) -> anyhow::Result<PackageIdent> {
    let options = StageOptions { origin_env: variable("HAB_ORIGIN"), ..StageOptions::default() };
    let staged = stage_directory(&context.root, path, &options)?;
    for warning in &staged.warnings {
        context.ui.warn(warning);
    }
    Ok(staged.ident)
}
