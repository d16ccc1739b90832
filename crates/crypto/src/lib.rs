//! Keys on disk and the cryptography of Habitat: the ring's secretbox, signed boxes of service
//! configuration (BOX-1), origin signatures, the BLAKE2b hash.
//!
//! Everything but `cache` works on values; `cache` alone reads and writes files. Facts are
//! those of the packages chapter, sections 6 and 7, and of the ring chapter, section 2.
//!
//! ```text
//! Revision::parse(&str) -> Result<Revision>            14 digits; Revision::from_unix_seconds(u64)
//! NamedRevision::new(name, Revision) / parse("name-20240102030405"), .name(), .revision(), Display
//!
//! trait KeyFile: TAG, SUFFIX, MODE; named_revision(), parse(&str) -> Result<Self>, to_text() -> Zeroizing<String>
//!   RingKey            SYM-SEC-1   .sym.key   generate(name, Revision), seal(&Nonce, &[u8]) -> Vec<u8>,
//!                                             open(&[u8] nonce, &[u8]) -> Result<Vec<u8>>
//!   BoxPublicKey       BOX-PUB-1   .pub
//!   BoxSecretKey       BOX-SEC-1   .box.key   generate, public_key() -> BoxPublicKey
//!   SigningPublicKey   SIG-PUB-1   .pub       verify(&[u8], &[u8; 64]) -> Result<()>
//!   SigningSecretKey   SIG-SEC-1   .sig.key   generate, public_key(), sign(&[u8]) -> [u8; 64]
//!
//! type Nonce = [u8; 24];  random_nonce() -> Result<Nonce>;  random_bytes::<N>() -> Result<[u8; N]>
//!
//! boxed::encrypt(&[u8], &BoxSecretKey sender, &BoxPublicKey recipient, &Nonce) -> String     (BOX-1 text)
//! boxed::BoxMessage::parse(&[u8]) -> Result<BoxMessage>   fields sender, recipient; decrypt(&BoxPublicKey, &BoxSecretKey)
//!
//! hash::hash_bytes(&[u8]) -> [u8; 32];  hash::hash_hex(&[u8]) -> String
//!
//! KeyCache::new(dir), .dir()
//!   .get::<K>(&NamedRevision) -> Result<K>       .latest::<K>(name) -> Result<K>
//!   .write(&K) -> Result<()>                     .write_pair(&public, &secret) -> Result<()>
//!   .import::<K>(&str) -> Result<K>              .import_signing_key(&str) -> Result<NamedRevision>
//!   .decrypt(&[u8] BOX-1 text) -> Result<Vec<u8>>   with the very keys the message names
//!
//! Error: its Display starts with "Crypto error: "
//! ```
