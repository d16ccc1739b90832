//! The key cache: a directory of key files. The only module of this crate that touches files.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{
    boxed::BoxMessage,
    error::{Error, Result},
    hash::hash_hex,
    key::{BoxPublicKey, BoxSecretKey, KeyFile, SigningPublicKey, SigningSecretKey, file_name},
    name::{NamedRevision, Revision},
    random::random_bytes,
};

/// Longest key file that is read. Real ones have less than 400 bytes.
pub const KEY_FILE_BYTES_MAX: u64 = 4096;

/// A directory of keys, `/hab/cache/keys` for root, created when the first key is written.
#[derive(Debug, Clone)]
pub struct KeyCache {
    dir: PathBuf,
}

impl KeyCache {
    /// The cache in a directory, which need not exist.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Path of the directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads one revision of a key.
    ///
    /// # Errors
    /// When the file is missing, unreadable or not a key of this kind.
    pub fn get<K: KeyFile>(&self, named: &NamedRevision) -> Result<K> {
        let path = self.dir.join(file_name::<K>(named));
        if !path.is_file() {
            return Err(Error::NotFound(path));
        }
        K::parse(&read_text(&path)?)
    }

    /// Reads the newest revision of a key. Only files named `<name>-` + 14 digits + suffix count,
    /// and files with a key of another kind are skipped (public signing and box keys share a
    /// suffix). There is no fallback from a broken file to an older revision.
    ///
    /// # Errors
    /// When there is no such key, or the newest one is unreadable or broken.
    pub fn latest<K: KeyFile>(&self, name: &str) -> Result<K> {
        for named in self.revisions::<K>(name)?.into_iter().rev() {
            match self.get(&named) {
                Err(Error::UnsupportedKeyVersion(_)) => {}
                other => return other,
            }
        }
        Err(Error::NoRevisions(name.into()))
    }

    /// All revisions of a name, from the file names, oldest first.
    fn revisions<K: KeyFile>(&self, name: &str) -> Result<Vec<NamedRevision>> {
        let failed = |source| Error::Io { action: "list", path: self.dir.clone(), source };
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let file_name = entry.file_name();
            let revision = file_name
                .to_str()
                .and_then(|text| text.strip_prefix(name)?.strip_prefix('-'))
                .and_then(|text| Revision::parse(text.strip_suffix(K::SUFFIX)?).ok());
            // is_file() follows links: a link to a key is valid.
            if let Some(revision) = revision
                && entry.path().is_file()
            {
                found.push(NamedRevision::new(name, revision)?);
            }
        }
        found.sort();
        Ok(found)
    }

    /// Writes a key with the mode of its kind, durably. A file with the same content stays
    /// unchanged.
    ///
    /// # Errors
    /// When a file of that name has other content, or the directory cannot be written.
    pub fn write<K: KeyFile>(&self, key: &K) -> Result<()> {
        self.write_text(&key.file_name(), &key.to_text(), K::MODE)
    }

    /// Writes both halves of a pair, the public one first.
    ///
    /// # Errors
    /// As [`KeyCache::write`].
    pub fn write_pair<P: KeyFile, S: KeyFile>(&self, public: &P, secret: &S) -> Result<()> {
        self.write(public)?;
        self.write(secret)
    }

    /// Imports a key from text that the user pipes in; trims white space.
    ///
    /// # Errors
    /// When the text is not a key of this kind, or as [`KeyCache::write`].
    pub fn import<K: KeyFile>(&self, text: &str) -> Result<K> {
        let text = text.trim();
        let key = K::parse(text)?;
        // The original text: Habitat stores and compares it unchanged.
        self.write_text(&key.file_name(), text, K::MODE)?;
        Ok(key)
    }

    /// Imports either half of an origin signing pair.
    ///
    /// # Errors
    /// When the text is neither, or as [`KeyCache::write`].
    pub fn import_signing_key(&self, text: &str) -> Result<NamedRevision> {
        let text = text.trim();
        match text.lines().next() {
            Some(SigningPublicKey::TAG) => {
                self.import::<SigningPublicKey>(text).map(|key| key.named_revision().clone())
            }
            Some(SigningSecretKey::TAG) => {
                self.import::<SigningSecretKey>(text).map(|key| key.named_revision().clone())
            }
            _ => Err(Error::NotASigningKey),
        }
    }

    /// Decrypts a BOX-1 message with exactly the keys that it names.
    ///
    /// # Errors
    /// When the message is malformed, a key is missing, or decryption fails.
    pub fn decrypt(&self, message: &[u8]) -> Result<Vec<u8>> {
        let message = BoxMessage::parse(message)?;
        let sender: BoxPublicKey = self.get(&message.sender)?;
        let recipient: BoxSecretKey = self.get(&message.recipient)?;
        message.decrypt(&sender, &recipient)
    }

    fn write_text(&self, file_name: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.dir.join(file_name);
        match fs::metadata(&path) {
            Ok(_) => {
                let existing = read_text(&path)?;
                if *existing == text {
                    return Ok(());
                }
                let existing = hash_hex(existing.as_bytes());
                return Err(Error::Conflict {
                    path,
                    existing,
                    incoming: hash_hex(text.as_bytes()),
                });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(Error::Io { action: "look at", path, source }),
        }
        let number = u64::from_le_bytes(random_bytes()?);
        let temporary = self.dir.join(format!(".{number:016x}.tmp"));
        let written = roost_files::create_directories(&self.dir, roost_files::PUBLIC_DIRECTORY)
            .and_then(|()| write_new(&temporary, text, mode))
            .and_then(|()| fs::rename(&temporary, &path))
            .and_then(|()| File::open(&self.dir)?.sync_all());
        written.map_err(|source| {
            // It exists only after an incomplete write; a failure here adds nothing to the first
            // error.
            let _ = fs::remove_file(&temporary);
            Error::Io { action: "write", path, source }
        })
    }
}

fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?; // overrides the umask
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn read_text(path: &Path) -> Result<Zeroizing<String>> {
    let failed = |source| Error::Io { action: "read", path: path.into(), source };
    let file = match roost_files::open(path) {
        Ok(Some(file)) => file,
        Ok(None) => return Err(failed(ErrorKind::NotFound.into())),
        Err(roost_files::ReadError::Io { source, .. }) => return Err(failed(source)),
        Err(error) => return Err(failed(io::Error::other(error.reason()))),
    };
    // One buffer that never moves, so that no copy of a secret remains.
    let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES_MAX as usize * 2));
    file.take(KEY_FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > KEY_FILE_BYTES_MAX {
        return Err(Error::TooLong { path: path.into(), limit: KEY_FILE_BYTES_MAX });
    }
    Ok(text)
}
