//! Keys on disk and the cryptography of Habitat: the ring's secretbox, signed boxes of service
//! configuration (BOX-1), origin signatures, the BLAKE2b hash.
//!
//! | module | holds |
//! |---|---|
//! | [`name`] | names of keys, `<name>-<revision>` |
//! | [`key`] | the kinds of keys, their text format and operations |
//! | [`boxed`] | BOX-1, encrypted service configuration and files |
//! | [`hash`] | BLAKE2b |
//! | [`cache`] | the directory of key files; the only module with file access |
//!
//! Formats are those of Habitat 2.1.78 (reference: packages §6 and §7, ring §2). Secrets are wiped
//! when dropped and never part of debug output or of an error.
//!
//! ```
//! use roost_crypto::{KeyFile, NamedRevision, RingKey, random_nonce};
//!
//! let key = RingKey::generate(NamedRevision::parse("dev-20250101000000")?)?;
//! let nonce = random_nonce()?;
//! let sealed = key.seal(&nonce, b"rumor");
//! let same = RingKey::parse(&key.to_text())?;
//! assert_eq!(same.open(&nonce, &sealed)?, b"rumor");
//! # Ok::<(), roost_crypto::Error>(())
//! ```

pub mod boxed;
pub mod cache;
mod error;
pub mod hash;
pub mod key;
pub mod name;
mod random;

pub use boxed::BoxMessage;
pub use cache::KeyCache;
pub use error::{Error, Result};
pub use key::{
    BoxPublicKey, BoxSecretKey, KeyFile, RingKey, SIGNATURE_BYTES, SigningPublicKey,
    SigningSecretKey,
};
pub use name::{NamedRevision, Revision};
pub use random::{NONCE_BYTES, Nonce, random_bytes, random_nonce};
