//! Shared parts of commands about keys: the cache, names with the current revision, encryption.

use std::{
    io::{self, Read},
    path::PathBuf,
};

use anyhow::bail;
use roost_crypto::{
    BoxPublicKey, BoxSecretKey, Error, KeyCache, KeyFile, NamedRevision, Revision, boxed,
    cache::KEY_FILE_BYTES_MAX, random_nonce,
};
use roost_ident::ServiceGroup;
use zeroize::Zeroizing;

use crate::{clock, context::Context};

/// The option that names the key cache.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CacheArg {
    /// Cache for creating and searching for encryption keys
    #[arg(long, env = "HAB_CACHE_KEY_PATH")]
    cache_key_path: Option<PathBuf>,
}

impl CacheArg {
    /// The cache.
    pub(crate) fn open(&self, context: &Context) -> KeyCache {
        context.key_cache(self.cache_key_path.as_deref())
    }
}

/// Reads a key file from standard input. What is not text becomes text that is not a key.
///
/// # Errors
/// When it is longer than any key file, or cannot be read.
pub(crate) fn from_stdin() -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(512));
    io::stdin().take(KEY_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > KEY_FILE_BYTES_MAX {
        bail!("Standard input is longer than {KEY_FILE_BYTES_MAX} bytes, so it is not a key.");
    }
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The name with the current time as revision.
pub(crate) fn new_revision(name: &str) -> Result<NamedRevision, Error> {
    NamedRevision::new(name, Revision::from_unix_seconds(clock::unix_s()))
}

/// Generates a key pair for boxes and stores it.
pub(crate) fn generate_pair(cache: &KeyCache, name: &str) -> Result<NamedRevision, Error> {
    let secret = BoxSecretKey::generate(new_revision(name)?)?;
    cache.write_pair(&secret.public_key(), &secret)?;
    Ok(secret.named_revision().clone())
}

/// An encrypted payload and the keys it was made with.
pub(crate) struct Encrypted {
    /// The message.
    pub(crate) text: Vec<u8>,
    /// The user's key.
    pub(crate) sender: NamedRevision,
    /// The group's key.
    pub(crate) recipient: NamedRevision,
}

/// Encrypts from the newest key of the user to the newest key of the group, each from the first
/// cache that has one.
pub(crate) fn encrypt(
    caches: &[KeyCache],
    user: &str,
    group: &ServiceGroup,
    plain: &[u8],
) -> Result<Encrypted, Error> {
    let sender: BoxSecretKey = newest(caches, user)?;
    let recipient: BoxPublicKey = newest(caches, group.as_str())?;
    let text = boxed::encrypt(plain, &sender, &recipient, &random_nonce()?);
    Ok(Encrypted {
        text: text.into_bytes(),
        sender: sender.named_revision().clone(),
        recipient: recipient.named_revision().clone(),
    })
}

fn newest<K: KeyFile>(caches: &[KeyCache], name: &str) -> Result<K, Error> {
    let mut result = Err(Error::NoRevisions(name.into()));
    for cache in caches {
        result = cache.latest(name);
        if !matches!(result, Err(Error::NoRevisions(_))) {
            break;
        }
    }
    result
}
