//! The source files of a staged release with their states and digests, so that only files that may
//! have changed are read again, and unchanged ones are not copied again.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use blake2::{Blake2b, Digest, digest::consts::U32};

use super::{
    StageError,
    others::{Kind, Other, Stat},
    reach::{Dir, Node},
};
use crate::read::read_text;

/// The metafile with the record.
pub(super) const NAME: &str = "STAGED_FILES";
/// Largest record that is read: paths of the largest number of files.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// A file modified this shortly before it was read may change again without a new timestamp: clocks
/// of file systems are coarse.
const COARSE_NS: i128 = 2_000_000_000;
/// Placeholder for an unreliable state.
const UNSURE: &str = "-";

/// Digests by path, each with the state of the file when it was read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Record(BTreeMap<String, (String, String)>);

impl Record {
    /// The record of a release; empty when it has none.
    pub(super) fn of(release: &Path) -> Self {
        let text = read_text(&release.join(NAME), MAX_BYTES).ok().flatten().unwrap_or_default();
        let entry = |line: &str| {
            let mut words = line.splitn(3, ' ').map(str::to_owned);
            let (state, digest) = (words.next()?, words.next()?);
            Some((words.next()?, (state, digest)))
        };
        Self(text.lines().filter_map(entry).collect())
    }

    /// Reads the files whose state differs from the previous record.
    pub(super) fn make(
        context: &Dir,
        others: &BTreeMap<String, Other>,
        before: &Self,
    ) -> Result<Self, StageError> {
        let mut record = Self::default();
        for (name, other) in others {
            let Kind::File(stat) = &other.kind else { continue };
            let state = stat.word();
            let known = before.0.get(name).filter(|(known, _)| *known == state);
            let entry = match known {
                Some(known) => known.clone(),
                None => {
                    let Some(Node::File(mut file)) = context.get_itself(name)? else {
                        return Err(changing(&context.path().join(name)));
                    };
                    let digest = copy(&mut file.file, &mut io::sink())
                        .map_err(|error| StageError::io(&file.path, error))?;
                    let state = if is_coarse(stat) { UNSURE.into() } else { state };
                    (state, digest)
                }
            };
            record.0.insert(name.clone(), entry);
        }
        Ok(record)
    }

    pub(super) fn digest(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|(_, digest)| digest.as_str())
    }

    pub(super) fn to_text(&self) -> String {
        self.0.iter().map(|(name, (state, digest))| format!("{state} {digest} {name}\n")).collect()
    }

    /// The first file that differs.
    pub(super) fn difference(&self, before: &Self) -> Option<String> {
        let names = self.0.keys().chain(before.0.keys());
        let mut changed: Vec<_> =
            names.filter(|name| self.digest(name) != before.digest(name)).collect();
        changed.sort();
        changed.first().map(|name| (*name).clone())
    }
}

/// The error for a file that changed since it was listed.
pub(super) fn changing(path: &Path) -> StageError {
    let problem = "changes while it is staged; it is staged again when the writes end".into();
    StageError::Refused { path: path.into(), problem }
}

fn is_coarse(stat: &Stat) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ns = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX);
    stat.changed_ns.max(stat.modified_ns) > now_ns - COARSE_NS
}

/// Copies, and returns the digest of the copied bytes.
pub(super) fn copy(mut from: impl Read, to: &mut impl Write) -> io::Result<String> {
    let mut hash = Blake2b::<U32>::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
