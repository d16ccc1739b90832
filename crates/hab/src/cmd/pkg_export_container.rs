//! `hab pkg export container`: exports a package as an OCI image.

use std::{env, path::PathBuf};

use roost_ident::PackageIdent;
use roost_pkg::image::{ImageOptions, check_program, write_directory, write_tar};

use crate::{cli::Run, cmd::exported::Exported, complete, context::Context, exit::Exit, ui::Verb};

/// The package that provides the shell of most hooks.
const INTERPRETER: &str = "busybox-static";

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The file or directory to create; a name that ends in .tar gives a tar archive for docker
    /// load [default: ORIGIN-NAME-VERSION-RELEASE.tar]
    #[arg(short = 'o', long)]
    output: Option<PathBuf>,
    /// The program that runs as process 1, without shared libraries [default: this program]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// NAME:TAG of the image [default: ORIGIN/NAME:VERSION-RELEASE]
    #[arg(short = 't', long)]
    tag: Option<String>,
    /// The service to run, then further packages to include: installed ones (acme/web), or
    /// archives (acme-web-1.0-20250101000000-x86_64-linux.hart)
    #[arg(required = true, value_name = "PKG_IDENT_OR_ARTIFACT", add = complete::packages())]
    packages: Vec<String>,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => env::current_exe()?,
        };
        check_program(&program)?;
        let exported = Exported::gather(context, &self.packages, self.output.as_deref(), "tar")?;
        let Exported { ident: service, output, members, .. } = &exported;
        let package = exported.package()?;
        if !package.is_runnable() {
            anyhow::bail!("Package is not runnable: {service}");
        }
        if members.iter().all(|member| member.ident.name != INTERPRETER) {
            context.ui.warn(
                "No package provides a shell: hooks that start with #!/bin/sh do not run in this \
                 image. Add core/busybox-static.",
            );
        }
        let reference = self.tag.clone().unwrap_or_else(|| default_reference(service));
        let options = ImageOptions {
            service,
            members,
            program: &program,
            ports: &package.exposes,
            reference: &reference,
        };
        let image = if output.extension().is_some_and(|extension| extension == "tar") {
            write_tar(output, &options)?
        } else {
            write_directory(output, &options)?
        };
        context.ui.status(Verb::Creating, &output.display().to_string());
        context.ui.end(&format!("Exported {service} as {reference}, {}", image.digest));
        Ok(Exit::Success)
    }
}

/// Repository names allow only lower-case letters, tags allow no `+`.
fn default_reference(ident: &PackageIdent) -> String {
    let tag = format!(
        "{}-{}",
        ident.version.as_deref().unwrap_or_default(),
        ident.release.as_deref().unwrap_or_default()
    );
    let tag: String = tag
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
        .take(128)
        .collect();
    format!("{}/{}:{tag}", ident.origin, ident.name).to_lowercase()
}
