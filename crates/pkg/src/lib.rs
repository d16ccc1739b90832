//! Packages on disk: the directory layout, the facts of a package, and turning a plain directory
//! into a package.
//!
//! Reads and writes files with `std`; uses no tokio, clock or sockets. Package facts leave this
//! crate as plain values ([`Package`]); the Supervisor decides what to do.
//!
//! | module | holds |
//! |---|---|
//! | [`root`] | the `/hab` tree below `FS_ROOT`: [`FsRoot`], [`SvcPaths`], [`SupPaths`] |
//! | [`install`] | which releases are installed, and which one an identifier resolves to |
//! | [`package`] | the facts of one installed release: [`Package`] |
//! | [`metafile`] | syntax of the metafiles |
//! | [`env`](mod@env) | run-time environment of a package and its hooks |
//! | [`sources`] | templates: hooks, `config/`, `default.toml` |
//! | [`user`] | service user and group, capabilities of this process |
//! | [`dirs`] | the service directory below `/hab/svc` |
//! | [`write`](mod@write) | rendered files and state files, replaced in one step |
//! | [`stage`] | plain directories as releases |
//! | [`followed`] | the directories that a Supervisor follows |
//! | [`mod@build`] | service directories as signed package archives |
//! | [`image`] | packages as a container image |
//! | [`compare`] | differences between two packages |
//! | [`artifacts`] | the cache of package archives |
//! | [`staging`] | directories in which releases are made, the lock of the package tree |
//! | [`setup`] | installing archives with their dependencies |
//! | [`removal`] | uninstalling releases with their unused dependencies |
//! | [`graph`] | dependencies between packages |
//!
//! Facts are those of Habitat 2.1.78 (reference: packages §3, §4, §8, §9, §10 and §13,
//! services §5 and §6).

pub mod artifacts;
pub mod build;
pub mod compare;
pub mod dirs;
pub mod env;
pub mod followed;
pub mod graph;
pub mod image;
pub mod install;
pub mod metafile;
pub mod package;
pub mod removal;
pub mod root;
pub mod setup;
pub mod sources;
pub mod stage;
pub mod staging;
pub mod user;
pub mod write;

pub use install::{Installed, ResolveError};
pub use metafile::MetafileError;
pub use package::Package;
pub use roost_files as read;
pub use root::{FsRoot, SupPaths, SvcPaths};
