//! What was named when the Supervisor was started.

use std::path::Path;

use roost_ctl::reply::ErrorCode;
use roost_ident::PackageIdent;
use roost_pkg::followed::{self, Followed};

use super::{
    SpecWriter,
    staging::{Wanted, stage},
};
use crate::{config::LoadSource, services::DISK_PATIENCE, vital};

impl SpecWriter {
    /// Loads what was named at the start; not after a restart of the Supervisor, since the user may
    /// have changed or unloaded it. An error in files of what an earlier start has loaded costs
    /// neither that service nor the others: it continues with what it ran from.
    ///
    /// # Errors
    /// The text for the user.
    pub(crate) async fn load_given(&self) -> Result<(), String> {
        for source in &self.config.load {
            let (ident, followed) = match source {
                LoadSource::Ident(ident) => (ident.clone(), None),
                LoadSource::Directory(directory) => {
                    let Some(followed) = self.stage_given(directory).await? else {
                        continue;
                    };
                    // Without version and release: a change of the directory is a new release.
                    let ident = PackageIdent::new(&followed.origin, &followed.name, None, None);
                    (ident, Some(followed))
                }
            };
            let fields = self.config.load_options.clone();
            let loaded = self.load(&ident, true, fields, followed.as_ref(), None).await;
            match loaded {
                Ok(loaded) => self.output.line("hab-sup", "AG", &loaded.line),
                // Options of this start can only be mended at this start.
                Err(failure) if failure.code == ErrorCode::InvalidPayload as i32 => {
                    return Err(failure.to_string());
                }
                Err(failure) if self.stored(&ident).await.is_none() => {
                    return Err(failure.to_string());
                }
                Err(failure) => {
                    self.output.sup(&failure.text);
                    self.output.sup(&format!("{ident} stays as it was loaded before"));
                }
            }
        }
        Ok(())
    }

    /// Stages a directory that was named at the start. When one that was loaded by
    /// an earlier start is gone or broken, the Supervisor starts nevertheless: a warning is logged,
    /// `None` is returned, and the service goes on with the files and rights that were staged then.
    async fn stage_given(&self, directory: &Path) -> Result<Option<Followed>, String> {
        let known = followed::read_all(&self.config.root).0;
        let known = known.into_iter().find(|known| known.path == directory);
        let wanted = Wanted {
            root: self.config.root.clone(),
            directory: directory.to_owned(),
            origin: None,
            keep: known.iter().filter_map(|known| known.release.clone()).collect(),
            pinned: known.as_ref().map(Followed::pinned),
        };
        let mut staging = vital::spawn_blocking("staging", move || stage(wanted));
        let staged = match &known {
            None => Some((&mut staging).await),
            Some(_) => tokio::time::timeout(DISK_PATIENCE, &mut staging).await.ok(),
        };
        let problem = match staged {
            Some(Ok(Ok(staged))) => {
                staged.warnings.iter().for_each(|warning| self.output.sup(warning));
                return Ok(Some(Followed::new(directory, &staged)));
            }
            Some(Ok(Err(error))) => error.into_text(),
            Some(Err(error)) => error.to_string(),
            None => format!(
                "{}: could not be read within {} secs; does a file system not answer?",
                directory.display(),
                DISK_PATIENCE.as_secs()
            ),
        };
        let Some(known) = known else { return Err(problem) };
        problem.lines().for_each(|line| self.output.sup(line));
        self.output.sup(&format!("{} goes on with what was staged before", known.name));
        Ok(None)
    }
}
