//! Package archives (`.hart`): signed header, compressed tar, safe unpacking, reproducible packing.
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
//! | [`walk`] | iteration over tar entries, with decoded names and kinds |
//! | [`layout`] | the allowed entries of a package |
//! | [`unpack`] | entries into a staging directory |
//! | [`pack`] | reproducible packing of a tree |
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
