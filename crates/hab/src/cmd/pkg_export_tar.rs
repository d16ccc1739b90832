//! `hab pkg export tar`: exports packages as a tar archive to unpack at `/`.

use std::{
    fs::{self, File},
    io::BufWriter,
    path::PathBuf,
};

use anyhow::Context as _;
use flate2::{Compression, write::GzEncoder};
use roost_ident::time;
use roost_pkg::image::append_packages;

use crate::{cli::Run, cmd::exported::Exported, complete, context::Context, exit::Exit, ui::Verb};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The file to create [default: ORIGIN-NAME-VERSION-RELEASE.tar.gz]
    #[arg(short = 'o', long)]
    output: Option<PathBuf>,
    /// Installed packages (acme/web) or archives (acme-web-1.0-20250101000000-x86_64-linux.hart)
    #[arg(required = true, value_name = "PKG_IDENT_OR_ARTIFACT", add = complete::packages())]
    packages: Vec<String>,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let exported = Exported::gather(context, &self.packages, self.output.as_deref(), "tar.gz")?;
        let Exported { ident, output, members, .. } = &exported;
        let stamp_s = ident.release.as_deref().and_then(time::parse_stamp).unwrap_or(0);
        let mtime_s = u64::try_from(stamp_s).unwrap_or(0);
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        let temporary = output.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let write = || -> anyhow::Result<()> {
            let file = File::create(&temporary).with_context(|| output.display().to_string())?;
            let gzip = GzEncoder::new(BufWriter::new(file), Compression::default());
            let mut tar = tar::Builder::new(gzip);
            append_packages(&mut tar, members, mtime_s)?;
            let out = tar.into_inner()?.finish()?;
            out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
            Ok(fs::rename(&temporary, output)?)
        };
        let written = write();
        if written.is_err() {
            // The caller needs the first error, not one of the cleanup.
            let _ = fs::remove_file(&temporary);
        }
        written?;
        context.ui.status(Verb::Creating, &output.display().to_string());
        context.ui.end(&format!("Exported {ident} with {} packages", members.len()));
        Ok(Exit::Success)
    }
}
