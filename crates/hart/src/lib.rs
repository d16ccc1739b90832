//! Package archives (`.hart`): signed header, compressed tar, safe unpacking, reproducible making.
//!
//! ```text
//! HART-1 LF
//! <signer's key, name-revision> LF
//! BLAKE2b LF
//! <signature, base64> LF
//! LF
//! <tar, as one xz stream or uncompressed>
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`header`] | the five lines, the signature, the hash |
//! | [`archive`] | an archive on disk: verify it, read its metafiles |
//! | [`body`] | the tar behind the header, decompressed as it is read |
//! | [`walk`] | one tar entry after the other, names and kinds made plain |
//! | [`layout`] | which entries a package may hold |
//! | [`unpack`] | entries into a staging directory |
//! | [`pack`] | a tree as an archive, the same bytes for the same content |
//! | [`limits`] | every limit on what is read |
//!
//! Nothing here holds a whole archive or a whole file in memory. Facts are those of Habitat 2.1.78
//! (reference: packages §5 and §13.4).

pub mod archive;
pub mod body;
mod dictionary;
mod error;
pub mod header;
pub mod layout;
pub mod limits;
pub mod pack;
pub mod unpack;
pub mod walk;

pub use archive::Archive;
pub use error::{HartError, Result};
pub use header::{Header, PayloadHash};
