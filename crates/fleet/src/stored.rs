//! What is small and kept on disk.

use std::path::PathBuf;

use roost_ident::PackageIdent;

/// Something small on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// The full form of a spec file.
    Spec(Rewrite),
    /// The release that a service runs from.
    Release {
        /// The service.
        service: String,
        /// Fully qualified identifier.
        release: String,
    },
    /// The last `user.toml` of a service that could be used.
    UserCopy {
        /// The service.
        service: String,
        /// Its text.
        text: String,
    },
    /// Release and copy of `user.toml` of a service that is gone are to be removed.
    Unloaded {
        /// The service.
        service: String,
    },
    /// The process id of a service; `None` to remove it.
    Pid {
        /// The service.
        service: String,
        /// Its process.
        pid: Option<u32>,
    },
    /// How an install hook ended.
    InstallStatus {
        /// Directory of the package.
        package: PathBuf,
        /// Exit code.
        code: i32,
    },
    /// The release that the plain directory of a service stands for.
    DirectoryRelease {
        /// The service.
        service: String,
        /// The release.
        release: PackageIdent,
    },
    /// The plain directory of a service is followed no longer.
    NoDirectory {
        /// The service.
        service: String,
    },
}

/// A file whose text is not the full form of what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// The file.
    pub path: PathBuf,
    /// As it was read: it is written only over this.
    pub text: String,
    /// Its full form.
    pub canonical: String,
}
