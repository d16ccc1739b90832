//! Other users who may write a place, and what they may read.

use std::{fmt, fs::Metadata, os::unix::fs::MetadataExt};

use nix::unistd::{Gid, Group, Uid, User};

/// Another user or group that may write a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Owner { uid: u32, gid: u32 },
    Group(u32),
    Everybody,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner { uid, .. } => match User::from_uid(Uid::from_raw(*uid)).ok().flatten() {
                Some(user) => write!(f, "the user {}", user.name),
                None => write!(f, "the user {uid}"),
            },
            Self::Group(gid) => match Group::from_gid(Gid::from_raw(*gid)).ok().flatten() {
                Some(group) => write!(f, "the group {}", group.name),
                None => write!(f, "the group {gid}"),
            },
            Self::Everybody => f.write_str("everybody"),
        }
    }
}

/// Owner and mode of a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rights {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
    pub(super) is_dir: bool,
    pub(super) is_link: bool,
}

impl Rights {
    pub(super) fn of(found: &Metadata) -> Self {
        let (is_dir, is_link) = (found.is_dir(), found.is_symlink());
        Self { uid: found.uid(), gid: found.gid(), mode: found.mode(), is_dir, is_link }
    }

    /// The user or group, other than root and this user, that may write it.
    pub(super) fn stranger(&self, own: u32) -> Option<Who> {
        let Self { uid, gid, mode, is_dir, is_link } = *self;
        // In a sticky directory each entry belongs to its owner alone.
        let sticky = is_dir && mode & 0o1000 != 0;
        if uid != 0 && uid != own {
            Some(Who::Owner { uid, gid })
        } else if is_link || sticky {
            None
        } else if mode & 0o002 != 0 {
            Some(Who::Everybody)
        } else if mode & 0o020 != 0 && gid != 0 {
            Some(Who::Group(gid))
        } else {
            None
        }
    }

    /// Whether `who` may read the file, or search the directory.
    pub(super) fn lets(&self, who: Who) -> bool {
        let bit = if self.is_dir { 0o001 } else { 0o004 };
        let others = self.mode & bit != 0;
        let group = |gid| self.gid == gid && self.mode & (bit << 3) != 0;
        match who {
            Who::Owner { uid, gid } => self.uid == uid || group(gid) || others,
            Who::Group(gid) => group(gid) || others,
            Who::Everybody => others,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(uid: u32, gid: u32, mode: u32, is_dir: bool) -> Rights {
        Rights { uid, gid, mode, is_dir, is_link: false }
    }

    #[test]
    fn a_stranger_may_write_and_is_neither_root_nor_this_user() {
        let alice = Some(Who::Owner { uid: 7, gid: 70 });
        for (found, stranger) in [
            (rights(0, 0, 0o755, true), None),
            (rights(5, 50, 0o755, true), None),
            (rights(0, 0, 0o775, true), None),
            (rights(7, 70, 0o755, true), alice),
            (rights(7, 70, 0o644, false), alice),
            (rights(0, 70, 0o2775, true), Some(Who::Group(70))),
            (rights(0, 0, 0o777, true), Some(Who::Everybody)),
            (rights(0, 0, 0o666, false), Some(Who::Everybody)),
            // As /tmp: the owner of the entry decides.
            (rights(0, 0, 0o1777, true), None),
            (Rights { is_link: true, ..rights(0, 0, 0o777, false) }, None),
            (Rights { is_link: true, ..rights(7, 70, 0o777, false) }, alice),
        ] {
            assert_eq!(found.stranger(5), stranger, "{found:?}");
        }
    }

    #[test]
    fn a_stranger_sees_only_what_the_stranger_could_read() {
        let alice = Who::Owner { uid: 7, gid: 70 };
        for (found, lets) in [
            (rights(7, 70, 0o600, false), true),
            (rights(0, 0, 0o600, false), false),
            (rights(0, 0, 0o640, false), false),
            (rights(0, 70, 0o640, false), true),
            (rights(0, 0, 0o644, false), true),
            (rights(0, 0, 0o700, true), false),
            (rights(0, 0, 0o711, true), true),
        ] {
            assert_eq!(found.lets(alice), lets, "{found:?}");
        }
        assert!(rights(0, 70, 0o640, false).lets(Who::Group(70)));
        assert!(!rights(7, 70, 0o600, false).lets(Who::Group(70)));
        assert!(!rights(7, 70, 0o660, false).lets(Who::Everybody));
    }
}
