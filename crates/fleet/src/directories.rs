//! Plain directories that are followed: watched, and staged again when something in them changes.
//!
//! Which are followed is on disk, one file per service, written by the command that loads the
//! directory. What is wrong with one of them costs its own service nothing but the change: the
//! release that was staged before goes on.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    path::{Path, PathBuf},
};

use roost_ident::PackageIdent;

use crate::specs::Followed;

/// Whether a directory is being staged: once at a time, and once more when something has changed
/// meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Staging {
    No,
    UnderWay,
    Outdated,
}

#[derive(Debug)]
struct Directory<P> {
    followed: Followed<P>,
    staging: Staging,
    /// What was wrong with it when it was staged last.
    trouble: Option<String>,
    /// The release that the spec did not let it become, so that this is logged once.
    held_back: Option<PackageIdent>,
}

/// Directories by service.
#[derive(Debug)]
pub(crate) struct Directories<P>(BTreeMap<String, Directory<P>>);

/// What a staging that has ended is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StagingEnd {
    /// It shows the directory as it is.
    Current,
    /// The directory has changed since it began; a release may be used until the next one.
    Outdated,
    /// The service was loaded from another directory meanwhile.
    Elsewhere,
}

impl<P: Debug + Clone + PartialEq> Directories<P> {
    pub(crate) fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The release that the directory of a service stands for.
    pub(crate) fn release(&self, service: &str) -> Option<&PackageIdent> {
        self.0.get(service)?.followed.release.as_ref()
    }

    /// The directory that a service's releases are staged from.
    pub(crate) fn path(&self, service: &str) -> Option<PathBuf> {
        self.0.get(service).map(|known| known.followed.path.clone())
    }

    /// Takes those out that are followed no longer, and returns their services.
    pub(crate) fn keep(&mut self, wanted: &[Followed<P>]) -> Vec<String> {
        let is_gone = |service: &String| !wanted.iter().any(|known| known.service == *service);
        self.0.extract_if(.., |service, _| is_gone(service)).map(|(service, _)| service).collect()
    }

    /// Follows a directory; false when it is followed already, with the same rights.
    pub(crate) fn follow(&mut self, followed: Followed<P>) -> bool {
        let same = |known: &Followed<P>| {
            known.path == followed.path
                && known.origin == followed.origin
                && known.rights == followed.rights
        };
        let service = followed.service.clone();
        if self.0.get(&service).is_some_and(|known| same(&known.followed)) {
            return false;
        }
        let directory =
            Directory { followed, staging: Staging::No, trouble: None, held_back: None };
        self.0.insert(service, directory);
        true
    }

    /// Something of a directory has changed: returns it when a staging begins.
    pub(crate) fn begin_staging(&mut self, service: &str) -> Option<Followed<P>> {
        let known = self.0.get_mut(service)?;
        let begins = known.staging == Staging::No;
        known.staging = if begins { Staging::UnderWay } else { Staging::Outdated };
        begins.then(|| known.followed.clone())
    }

    /// A staging of this directory has ended; `None` when nothing is followed any more.
    pub(crate) fn end_staging(&mut self, service: &str, directory: &Path) -> Option<StagingEnd> {
        let known = self.0.get_mut(service)?;
        let staging = std::mem::replace(&mut known.staging, Staging::No);
        Some(match (known.followed.path == directory, staging) {
            (false, _) => StagingEnd::Elsewhere,
            (true, Staging::Outdated) => StagingEnd::Outdated,
            (true, Staging::No | Staging::UnderWay) => StagingEnd::Current,
        })
    }

    /// A directory can be staged; true when it could not before.
    pub(crate) fn mend(&mut self, service: &str) -> bool {
        self.0.get_mut(service).and_then(|known| known.trouble.take()).is_some()
    }

    /// A directory cannot be staged, and why; true when that was not known.
    pub(crate) fn refuse(&mut self, service: &str, text: &str) -> bool {
        let known = self.0.get_mut(service);
        known.is_some_and(|known| known.trouble.replace(text.into()).as_deref() != Some(text))
    }

    /// A directory stands for this release now; true when it stood for another one.
    pub(crate) fn take_release(&mut self, service: &str, ident: &PackageIdent) -> bool {
        let Some(known) = self.0.get_mut(service) else { return false };
        known.followed.release.replace(ident.clone()).as_ref() != Some(ident)
    }

    /// The spec does not let the service become this release; true when that was not known.
    pub(crate) fn hold_back(&mut self, service: &str, ident: &PackageIdent) -> bool {
        let Some(known) = self.0.get_mut(service) else { return false };
        known.held_back.replace(ident.clone()).as_ref() != Some(ident)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(path: &str, rights: u8) -> Followed<u8> {
        let (service, origin) = ("web".into(), "acme".into());
        Followed { service, origin, path: path.into(), rights, release: None }
    }

    #[test]
    fn what_is_followed_already_is_not_followed_again() {
        let mut directories = Directories::new();
        assert!(directories.follow(followed("/a", 1)));
        assert!(!directories.follow(followed("/a", 1)));
        assert!(directories.follow(followed("/a", 2)), "other rights were agreed to");
        assert!(directories.follow(followed("/b", 2)));
        assert!(directories.keep(&[followed("/b", 2)]).is_empty());
        assert_eq!(directories.keep(&[]), ["web"]);
        assert_eq!(directories.path("web"), None);
    }

    #[test]
    fn one_staging_at_a_time_and_no_change_is_lost() {
        let mut directories = Directories::new();
        directories.follow(followed("/a", 1));
        assert_eq!(directories.begin_staging("web"), Some(followed("/a", 1)));
        assert_eq!(directories.begin_staging("web"), None);
        let (here, there) = (Path::new("/a"), Path::new("/b"));
        assert_eq!(directories.end_staging("web", here), Some(StagingEnd::Outdated));
        assert!(directories.begin_staging("web").is_some());
        assert_eq!(directories.end_staging("web", here), Some(StagingEnd::Current));
        assert_eq!(directories.end_staging("web", there), Some(StagingEnd::Elsewhere));
        assert_eq!(directories.end_staging("db", there), None);
    }

    #[test]
    fn trouble_is_reported_once_and_its_end_too() {
        let mut directories = Directories::new();
        directories.follow(followed("/a", 1));
        assert!(!directories.mend("web"));
        assert!(directories.refuse("web", "bad") && !directories.refuse("web", "bad"));
        assert!(directories.mend("web") && !directories.mend("web"));
        let ident = PackageIdent::new("acme", "web", Some("1"), Some("20250101000000"));
        assert!(directories.take_release("web", &ident));
        assert!(!directories.take_release("web", &ident));
        assert!(directories.hold_back("web", &ident) && !directories.hold_back("web", &ident));
    }
}
