//! `hab pkg export tar`: exports packages as a tar archive to unpack at `/`.

use std::{
    fs::{self, File},
    io::BufWriter,
    path::PathBuf,
};

use anyhow::Context as _;
use flate2::{Compression, write::GzEncoder};
use roost_ident::{PackageIdent, time};
use roost_pkg::image::append_packages;

use crate::{
    cli::Run,
    cmd::exported::{members, resolve},
    context::Context,
    exit::Exit,
    ui::Verb,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The file to create [default: ORIGIN-NAME-VERSION-RELEASE.tar.gz]
    #[arg(short = 'o', long)]
    output: Option<PathBuf>,
    /// Identifiers of installed packages
    #[arg(required = true, value_name = "PKG_IDENT")]
    packages: Vec<String>,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let idents = self.packages.iter().map(|text| resolve(context, text));
        let idents = idents.collect::<anyhow::Result<Vec<_>>>()?;
        let first = idents.first().context("no package is given")?;
        let output = self.output.clone().unwrap_or_else(|| default_name(first).into());
        context.ui.begin(&format!("Exporting {first}"));
        let members = members(context, &idents)?;
        for member in &members {
            context.ui.status(Verb::Using, &member.ident.to_string());
        }
        let stamp_s = first.release.as_deref().and_then(time::parse_stamp).unwrap_or(0);
        let mtime_s = u64::try_from(stamp_s).unwrap_or(0);
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        let temporary = output.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let write = || -> anyhow::Result<()> {
            let file = File::create(&temporary).with_context(|| output.display().to_string())?;
            let gzip = GzEncoder::new(BufWriter::new(file), Compression::default());
            let mut tar = tar::Builder::new(gzip);
            append_packages(&mut tar, &members, mtime_s)?;
            let out = tar.into_inner()?.finish()?;
            out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
            Ok(fs::rename(&temporary, &output)?)
        };
        let written = write();
        if written.is_err() {
            // The caller needs the first error, not one of the cleanup.
            let _ = fs::remove_file(&temporary);
        }
        written?;
        context.ui.status(Verb::Creating, &output.display().to_string());
        context.ui.end(&format!("Exported {first} with {} packages", members.len()));
        Ok(Exit::Success)
    }
}

fn default_name(ident: &PackageIdent) -> String {
    format!("{}.tar.gz", ident.to_string().replace('/', "-"))
}
