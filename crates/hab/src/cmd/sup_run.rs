//! `hab sup run`: checks its options, then becomes the launcher, which starts this program again as
//! Supervisor with the same options.

use std::{collections::BTreeMap, env, ffi::OsString, io, path::Path, process::ExitCode};

use anyhow::Context as _;
use clap::Parser;
use roost_ctl::tls::{self, TlsError};
use roost_launch::exec_launcher;
use roost_sup::{SupConfig, config::CtlConfig};
use rustix::fs::{Access, AtFlags, CWD};

use crate::{
    cli::Run,
    context::{Context, surroundings},
    exit::{self, Exit, StartError, UsageError},
    log,
    options::{
        archive, event_stream, generate,
        run::{Merged, RunArgs, RunOptions, generated_keys},
    },
    ui::Ui,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    run: RunArgs,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        if self.run.generate_config {
            return print_config(self.run, context);
        }
        let named_here = !self.run.sources().is_empty();
        let mut options = self.run.merged(context)?.options;
        let installed = install_archives(&mut options.pkg_ident_or_artifact, context)?;
        // The command line takes precedence over configuration files.
        let instead = match named_here || installed.is_empty() {
            true => Vec::new(),
            false => options.pkg_ident_or_artifact.clone(),
        };
        // Built here to report errors before anything starts.
        let config = options.into_config(context)?;
        check_tls_files(&config.ctl)?;
        check_place(context.root.path())?;
        let own = own_arguments()
            .map(|argument| installed.get(&argument).map_or(argument, OsString::from));
        let arguments = instead.into_iter().map(OsString::from).chain(own);
        Err(exec_launcher(arguments)).context("cannot start the launcher")
    }
}

/// Whether this user may write the state directory of a Supervisor.
fn check_place(root: &Path) -> Result<(), StartError> {
    for place in ["hab/sup/default", "hab/launcher"].map(|place| root.join(place)) {
        // Missing directories are created below the nearest existing one.
        let Some(found) = place.ancestors().find(|path| path.exists()) else { continue };
        let wanted = Access::WRITE_OK | Access::EXEC_OK;
        let allowed = rustix::fs::accessat(CWD, found, wanted, AtFlags::EACCESS);
        let Err(error) = allowed.map_err(io::Error::from) else { continue };
        return Err(StartError(format!(
            "Can't create directory '{}': {error}\n{} This user may not write in '{}'. Run it as \
             root, or set FS_ROOT to a directory of this user: everything is kept below it.",
            place.display(),
            surroundings(),
            found.display()
        )));
    }
    Ok(())
}

/// Installs the archives among the sources, and replaces them by identifiers: the Supervisor may be
/// restarted with the same arguments after the archives are gone.
fn install_archives(
    sources: &mut [String],
    context: &Context,
) -> anyhow::Result<BTreeMap<OsString, String>> {
    let mut installed = BTreeMap::new();
    for source in sources {
        let found = match archive::installed_before(context, source) {
            Some(ident) => Some(ident),
            None => archive::install_named(context, source, "[PKG_IDENT_OR_ARTIFACT]")?,
        };
        if let Some(ident) = found {
            installed.insert(source.clone().into(), ident.to_string());
            *source = ident.to_string();
        }
    }
    Ok(installed)
}

/// Unreadable files are wrong options (reference: control §4.1); files that do not match are
/// settings that a Supervisor cannot start with.
fn check_tls_files(ctl: &CtlConfig) -> anyhow::Result<()> {
    let [key, certificates, client_ca] =
        [&ctl.tls_key, &ctl.tls_certs, &ctl.tls_client_ca].map(Option::as_deref);
    match tls::server_config(key, certificates, client_ca) {
        Ok(_) => Ok(()),
        Err(error @ (TlsError::NoCertificate | TlsError::Settings(_))) => {
            Err(StartError(error.to_string()).into())
        }
        Err(error) => Err(UsageError(error.to_string()).into()),
    }
}

/// Arguments after `hab sup run`.
fn own_arguments() -> impl Iterator<Item = OsString> {
    env::args_os().skip_while(|argument| argument != "run").skip(1)
}

fn print_config(run: RunArgs, context: &Context) -> anyhow::Result<Exit> {
    let Merged { options, warnings } = run.merged(context)?;
    if let Some(url) = &options.event_stream_url {
        event_stream::server(url)?;
    }
    warnings.iter().for_each(|warning| context.ui.warn(warning));
    let mut values = toml::Table::try_from(RunOptions::defaults())?;
    values.extend(toml::Table::try_from(&options)?);
    // A single package is a string, as Habitat reads it.
    match options.pkg_ident_or_artifact.as_slice() {
        [] => drop(values.remove("pkg_ident_or_artifact")),
        [one] => drop(values.insert("pkg_ident_or_artifact".into(), one.clone().into())),
        _ => {}
    }
    values.insert("config_files".into(), toml::Value::Array(Vec::new()));
    values.insert("generate_config".into(), true.into());
    let command = <RunArgs as clap::Args>::augment_args(clap::Command::new("run"));
    context.ui.raw(&generate::render(&command, &generated_keys(), &values));
    Ok(Exit::Success)
}

/// Runs this process as the launcher, with the arguments of `hab sup run`.
pub(crate) fn launcher() -> ExitCode {
    roost_launch::run(env::args_os().skip(2))
}

/// Runs this process as the Supervisor, with the arguments of `hab sup run`.
pub(crate) fn supervisor() -> ExitCode {
    roost_launch::name_process(roost_launch::line::SUPERVISOR);
    let ui = Ui::new();
    let config = Context::new(ui).and_then(|context| {
        let config = configuration(&context)?;
        log::start_supervisor(&context.root.sup().root.join("config/log.yml"), config.style);
        Ok(config)
    });
    match config {
        Ok(config) => roost_sup::run(config).code().into(),
        // `hab sup run` accepted these options: a file or an address has changed since.
        Err(error) => exit::report(&StartError(format!("{error:#}")).into(), &ui).into(),
    }
}

fn configuration(context: &Context) -> anyhow::Result<SupConfig> {
    /// The options without the rest of the program.
    #[derive(Parser)]
    #[command(name = "hab sup run")]
    struct Options {
        #[command(flatten)]
        run: RunArgs,
    }
    let arguments = env::args_os().skip(2);
    let options = Options::try_parse_from(std::iter::once("hab sup run".into()).chain(arguments))?;
    let Merged { options, warnings } = options.run.merged(context)?;
    warnings.iter().for_each(|warning| context.ui.warn(warning));
    options.into_config(context)
}
