//! The ring's files: `data/INCARNATION` and `data/<member id>.rst` (ring chapter 12).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use roost_ring::{Stores, datafile};

use super::RingError;
use crate::files::store::Store;

const MODE: u32 = 0o600;

/// Where the ring's state is kept.
#[derive(Debug)]
pub(super) struct Disk {
    incarnation: PathBuf,
    stores: PathBuf,
    store: Store,
}

impl Disk {
    pub(super) fn new(data: &Path, member_id: &str, store: Store) -> Self {
        Self {
            incarnation: data.join("INCARNATION"),
            stores: data.join(format!("{member_id}.rst")),
            store,
        }
    }

    /// The incarnation; 0 for a member that was never here.
    ///
    /// # Errors
    /// When the file holds something else than a number: nobody can know then what the ring
    /// thinks of this member.
    pub(super) fn read_incarnation(&self) -> Result<u64, RingError> {
        let bad = |reason: String| RingError::Incarnation {
            path: self.incarnation.display().to_string(),
            reason,
        };
        match fs::read_to_string(&self.incarnation) {
            Ok(text) => text.trim().parse().map_err(|error| bad(format!("{error}"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.store.write_later(&self.incarnation, b"0".to_vec(), MODE);
                Ok(0)
            }
            Err(error) => Err(bad(error.to_string())),
        }
    }

    /// Writes the incarnation; a failure is told, and the write tried again later.
    pub(super) async fn write_incarnation(store: Store, path: PathBuf, incarnation: u64) {
        let bytes = incarnation.to_string().into_bytes();
        if let Err(error) = store.write(&path, bytes.clone(), MODE).await {
            tracing::error!("Unable to write {}: {error}", path.display());
            store.write_later(&path, bytes, MODE);
        }
    }

    pub(super) fn incarnation_file(&self) -> (Store, PathBuf) {
        (self.store.clone(), self.incarnation.clone())
    }

    /// The rumors of the last run. A file that cannot be used is kept aside for whoever wants
    /// to look at it.
    pub(super) fn read_stores(&self) -> Option<Stores> {
        let bytes = match fs::read(&self.stores) {
            Ok(bytes) if bytes.is_empty() => return None,
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::error!("Unable to read {}: {error}", self.stores.display());
                return None;
            }
        };
        match datafile::decode(&bytes) {
            Ok(stores) => Some(stores),
            Err(error) => {
                let aside = self.stores.with_extension("rst.corrupt");
                let kept = fs::rename(&self.stores, &aside);
                tracing::error!(
                    "The rumor file {} is damaged ({error}); starting with an empty ring. {}",
                    self.stores.display(),
                    match kept {
                        Ok(()) => format!("It is kept as {}.", aside.display()),
                        Err(error) => format!("It could not be kept aside: {error}"),
                    }
                );
                None
            }
        }
    }

    /// Writes the rumors some time soon.
    pub(super) fn write_stores(&self, stores: &Stores) {
        self.store.write_later(&self.stores, datafile::encode(stores), MODE);
    }
}
