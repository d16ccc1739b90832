//! The ring's files: `data/INCARNATION` and `data/<member id>.rst` (reference: ring §12).

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use roost_ring::{MemberId, Stores, datafile};

use crate::{
    files::{damage, store::Store},
    metrics::Metrics,
};

const MODE: u32 = 0o600;
/// Longest incarnation file that is read; the greatest number has 20 digits.
const INCARNATION_BYTES_MAX: u64 = 1024;

/// Location of the ring's state.
#[derive(Debug)]
pub(super) struct Disk {
    incarnation: PathBuf,
    stores: PathBuf,
    store: Store,
    metrics: Metrics,
}

impl Disk {
    pub(super) fn new(data: &Path, member_id: &str, store: Store, metrics: Metrics) -> Self {
        Self {
            incarnation: data.join("INCARNATION"),
            stores: data.join(format!("{member_id}.rst")),
            store,
            metrics,
        }
    }

    /// The incarnation; 0 for a new member. When it is lost, one higher than in the rumors of the
    /// last run. The ring may know a higher one still: the first answer contains it, and this
    /// member refutes it with the next.
    pub(super) fn read_incarnation(&self, me: &MemberId, restored: Option<&Stores>) -> u64 {
        let known = restored.and_then(|stores| {
            let own = stores.members.iter().filter(|membership| membership.member.id == *me);
            own.map(|membership| membership.member.incarnation).max()
        });
        let next = known.map_or(0, |known| known.saturating_add(1));
        let problem = match roost_files::read(&self.incarnation, INCARNATION_BYTES_MAX) {
            Ok(None) => None,
            Err(error) => Some(error.reason()),
            Ok(Some(bytes)) => {
                let text = std::str::from_utf8(&bytes).unwrap_or_default();
                match (damage::of_text(&bytes), text.trim().parse()) {
                    (None, Ok(incarnation)) => return incarnation,
                    (Some(problem), _) => Some(problem.into()),
                    (None, Err(_)) => Some("it holds no number".into()),
                }
            }
        };
        if let Some(problem) = problem {
            let instead = format!(
                "this member continues with incarnation {next}, and with a higher one as soon as \
                 the ring knows one"
            );
            damage::set_aside(&self.metrics, "INCARNATION", &self.incarnation, &problem, &instead);
        }
        self.store.write_later(&self.incarnation, next.to_string().into_bytes(), MODE);
        next
    }

    /// Writes the incarnation; logs a failure, and the write is tried again later.
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

    /// The rumors of the last run. An unusable file is set aside for diagnosis.
    pub(super) fn read_stores(&self) -> Option<Stores> {
        let problem = match self.read_data_file() {
            Ok(None) => return None,
            Ok(Some(bytes)) if bytes.is_empty() => "it is empty".into(),
            Ok(Some(bytes)) => match datafile::decode(&bytes) {
                Ok(stores) => return Some(stores),
                Err(error) => error.to_string(),
            },
            Err(problem) => problem,
        };
        let instead = "the ring starts empty, and others repeat what was in it";
        damage::set_aside(&self.metrics, "rumors", &self.stores, &problem, instead);
        None
    }

    /// The bytes of the data file, up to the length in its header: a damaged file can have any
    /// size.
    fn read_data_file(&self) -> Result<Option<Vec<u8>>, String> {
        let file = roost_files::open(&self.stores).map_err(|error| error.reason())?;
        let Some(mut file) = file else { return Ok(None) };
        let mut read = |bytes: &mut Vec<u8>, up_to: usize| {
            let missing = up_to.saturating_sub(bytes.len()) as u64;
            let read = Read::by_ref(&mut file).take(missing).read_to_end(bytes);
            read.map(drop).map_err(|error: io::Error| error.to_string())
        };
        let mut bytes = Vec::new();
        read(&mut bytes, datafile::HEADER_BYTES_MAX)?;
        if !bytes.is_empty() {
            let size = datafile::size(&bytes).map_err(|error| error.to_string())?;
            read(&mut bytes, size)?;
        }
        Ok(Some(bytes))
    }

    /// Writes the rumors soon.
    pub(super) fn write_stores(&self, stores: &Stores) {
        self.store.write_later(&self.stores, datafile::encode(stores), MODE);
    }

    /// Writes the rumors now.
    ///
    /// # Errors
    /// As [`Store::write`]: the file then has its former content.
    pub(super) fn write_stores_now(
        &self,
        stores: &Stores,
    ) -> impl Future<Output = io::Result<()>> + Send + use<> {
        let (store, path, bytes) =
            (self.store.clone(), self.stores.clone(), datafile::encode(stores));
        async move { store.write(&path, bytes, MODE).await }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Place {
        data: tempfile::TempDir,
        disk: Disk,
    }

    impl Place {
        fn new() -> Self {
            let data = tempfile::tempdir().unwrap();
            let metrics = Metrics::new(prometheus::Registry::new());
            let store = Store::start(metrics.clone()).unwrap();
            let disk = Disk::new(data.path(), "me", store, metrics);
            Self { data, disk }
        }

        fn restored(&self) -> Option<Stores> {
            self.disk.read_stores()
        }

        fn kept(&self, name: &str) -> Vec<u8> {
            fs::read(self.data.path().join(format!("{name}.corrupt"))).unwrap()
        }
    }

    #[tokio::test]
    async fn a_lost_incarnation_is_higher_than_what_the_rumors_say() {
        let stores = super::super::former_leader::tests::stores(&[]);
        let me = MemberId::new("me");
        for damaged in [b"".as_slice(), &[0; 8], b"\xff", b"-1", b"18446744073709551616"] {
            let place = Place::new();
            fs::write(&place.disk.incarnation, damaged).unwrap();
            assert_eq!(place.disk.read_incarnation(&me, Some(&stores)), 1);
            assert_eq!(place.kept("INCARNATION"), damaged);
            place.disk.store.flush().await;
            assert_eq!(place.disk.read_incarnation(&me, None), 1, "it is on disk again");
        }
        let place = Place::new();
        assert_eq!(place.disk.read_incarnation(&me, None), 0, "a new member");
    }

    #[tokio::test]
    async fn a_damaged_data_file_is_set_aside_whatever_it_is() {
        for damaged in [b"".as_slice(), &[0; 4096], b"\x02\xff\xff", b"damaged"] {
            let place = Place::new();
            fs::write(&place.disk.stores, damaged).unwrap();
            assert!(place.restored().is_none());
            assert_eq!(place.kept("me.rst"), damaged);
        }
        let place = Place::new();
        let stores = super::super::former_leader::tests::stores(&[]);
        place.disk.write_stores_now(&stores).await.unwrap();
        assert_eq!(place.restored().map(|stores| stores.services), Some(stores.services));
    }

    #[test]
    fn of_a_file_that_is_far_too_long_only_what_its_header_speaks_of_is_read() {
        let place = Place::new();
        let mut bytes = datafile::encode(&Stores::default());
        let size = bytes.len();
        bytes.extend([0; 100]);
        fs::write(&place.disk.stores, &bytes).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&place.disk.stores).unwrap();
        file.set_len(1 << 43).unwrap();
        assert_eq!(place.disk.read_data_file().unwrap().unwrap().len(), size);
        fs::write(&place.disk.stores, [0]).unwrap();
        file.set_len(1 << 43).unwrap();
        assert!(place.disk.read_data_file().unwrap_err().contains("version: 0"));
    }
}
