//! The allowed entries of a package, and their destinations.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use roost_ident::PackageIdent;
use unicode_normalization::UnicodeNormalization;

use crate::{
    error::{HartError, Result},
    limits::PART_BYTES,
    walk::{Entry, Kind},
};

/// Destination of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A parent directory of the release, to be skipped.
    Above,
    /// In the release, at this path; empty for the release itself.
    Inside(Vec<u8>),
}

/// Checks the entries of the archive of one release.
#[derive(Debug)]
pub struct Layout {
    /// `hab/pkgs/O/N/V/R`.
    prefix: String,
    /// Hashes of names as they look, with hashes of the exact names.
    seen: HashMap<u64, u64>,
    hasher: RandomState,
    /// Directory of the previous entry, whose names are already checked.
    parent: Vec<u8>,
}

/// Directories whose files are run or rendered: names that differ only in case are dangerous there.
/// Elsewhere real packages contain such names, for example kernel headers.
const CASE_SENSITIVE: [&[u8]; 6] =
    [b"hooks", b"config", b"config_install", b"bin", b"sbin", b"libexec"];
/// Directories of programs, which may be set-user-id.
const PROGRAMS: [&[u8]; 5] = [b"bin", b"sbin", b"libexec", b"lib", b"lib64"];

const SET_ID: u32 = 0o6000;
const STICKY: u32 = 0o1000;
const OTHERS_WRITE: u32 = 0o002;

impl Layout {
    /// For the archive of this release, which must be fully qualified.
    #[must_use]
    pub fn new(ident: &PackageIdent) -> Self {
        Self {
            prefix: format!("hab/pkgs/{ident}"),
            seen: HashMap::new(),
            hasher: RandomState::new(),
            parent: b"/".to_vec(),
        }
    }

    /// The destination of the entry.
    ///
    /// # Errors
    /// When the entry has no place in the release, or is dangerous.
    pub fn place(&mut self, entry: &Entry) -> Result<Place> {
        let refused = |problem: &str| Err(HartError::entry(&entry.name, problem));
        let Some(path) = self.inside(&entry.name, entry)? else { return Ok(Place::Above) };
        if let Kind::Special(problem) = entry.kind {
            return refused(problem);
        }
        if path.is_empty() && entry.kind != Kind::Directory {
            return refused("the release itself must be a directory");
        }
        match entry.kind {
            Kind::Symlink => self.check_symlink(&path, entry)?,
            Kind::HardLink => {
                self.hard_link_target(entry)?;
            }
            Kind::File if entry.mode & SET_ID != 0 => {
                if entry.mode & OTHERS_WRITE != 0 {
                    return refused("it is set-user-id or set-group-id and world-writable");
                }
                if !parts(&path).rev().skip(1).any(|part| PROGRAMS.contains(&part)) {
                    return refused(
                        "it is set-user-id or set-group-id and outside of the directories of programs; \
                         programs lie in bin, sbin, lib or libexec",
                    );
                }
            }
            Kind::Directory if entry.mode & OTHERS_WRITE != 0 && entry.mode & STICKY == 0 => {
                return refused("it is world-writable; set its sticky bit");
            }
            Kind::File | Kind::Directory | Kind::Special(_) => {}
        }
        self.check_twins(&path, entry)?;
        Ok(Place::Inside(path))
    }

    /// The target of a hard link, as a path in the release.
    ///
    /// # Errors
    /// When the target is outside of the release.
    pub fn hard_link_target(&self, entry: &Entry) -> Result<Vec<u8>> {
        match self.inside(&entry.link, entry) {
            Ok(Some(path)) if !path.is_empty() => Ok(path),
            _ => {
                let target = crate::error::printable(&entry.link);
                let problem = format!("it is a hard link out of the package, to '{target}'");
                Err(HartError::entry(&entry.name, problem))
            }
        }
    }

    /// The path below the release, if the name is inside; `None` for a parent directory.
    fn inside(&self, name: &[u8], entry: &Entry) -> Result<Option<Vec<u8>>> {
        let refused = |problem: &str| Err(HartError::entry(&entry.name, problem));
        let bare = name.strip_prefix(b"/").unwrap_or(name);
        let bare = if entry.kind == Kind::Directory {
            bare.strip_suffix(b"/").unwrap_or(bare)
        } else {
            bare
        };
        if bare.contains(&0) || bare.is_empty() {
            return refused("its name is empty or holds a zero byte");
        }
        for part in parts(bare) {
            match part {
                b"" | b"." => return refused("its name has an empty part or '.'"),
                b".." => return refused("its name climbs with '..'"),
                part if part.len() > PART_BYTES => {
                    return refused("a part of its name is longer than 255 bytes");
                }
                part if String::from_utf8_lossy(part).chars().any(char::is_control) => {
                    return refused("its name holds control characters");
                }
                _ => {}
            }
        }
        let prefix = self.prefix.as_bytes();
        if bare == prefix {
            return Ok(Some(Vec::new()));
        }
        if let Some(path) = bare.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(b"/")) {
            return Ok(Some(path.to_vec()));
        }
        let above = prefix.strip_prefix(bare).is_some_and(|rest| rest.starts_with(b"/"));
        if above && entry.kind == Kind::Directory {
            return Ok(None);
        }
        refused(&format!("it lies outside of the release {}", self.prefix))
    }

    /// A symbolic link may only point to packages and to directories of services. It is checked as
    /// text, relative to its installed place.
    fn check_symlink(&self, path: &[u8], entry: &Entry) -> Result<()> {
        let target = entry.link.as_slice();
        if target.is_empty() || target.contains(&0) || target.len() > crate::limits::NAME_BYTES {
            return Err(HartError::entry(&entry.name, "it is a link without a target"));
        }
        let mut place: Vec<&[u8]> = Vec::new();
        if !target.starts_with(b"/") {
            place.extend(parts(self.prefix.as_bytes()));
            place.extend(parts(path));
            place.pop();
        }
        for part in parts(target) {
            match part {
                b"" | b"." => {}
                b".." => {
                    place.pop();
                }
                part => place.push(part),
            }
        }
        match place.as_slice() {
            [b"hab", b"pkgs" | b"svc", ..] => Ok(()),
            _ => {
                let target = crate::error::printable(target);
                let problem = format!(
                    "it is a link to '{target}', out of the package; links lead below /hab/pkgs \
                     or /hab/svc"
                );
                Err(HartError::entry(&entry.name, problem))
            }
        }
    }

    /// Refuses a name that looks like another one: the same in other Unicode characters, or, where
    /// it matters, in another case.
    fn check_twins(&mut self, path: &[u8], entry: &Entry) -> Result<()> {
        let parent_end = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let known = path[..parent_end] == self.parent[..];
        let mut end = 0;
        for part in parts(path) {
            end += part.len();
            if !known || end == path.len() {
                let name = &path[..end];
                let looks = self.hasher.hash_one(looks(name));
                let is = self.hasher.hash_one(name);
                if *self.seen.entry(looks).or_insert(is) != is {
                    let problem = "another entry has the same name but for case or the way its \
                                   characters are written";
                    return Err(HartError::entry(&entry.name, problem));
                }
            }
            end += 1;
        }
        self.parent = path[..parent_end].to_vec();
        Ok(())
    }
}

fn parts(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
}

/// A name as it looks: composed characters, and lower case where case is dangerous.
fn looks(path: &[u8]) -> Vec<u8> {
    let parent = path.iter().rposition(|byte| *byte == b'/').map_or(&path[..0], |end| &path[..end]);
    let fold = parent.is_empty() || parts(parent).any(|part| CASE_SENSITIVE.contains(&part));
    let Ok(text) = std::str::from_utf8(path) else { return path.to_vec() };
    if text.is_ascii() {
        return if fold { path.to_ascii_lowercase() } else { path.to_vec() };
    }
    let composed: String = text.nfc().collect();
    if fold { composed.to_lowercase().into_bytes() } else { composed.into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "hab/pkgs/o/n/1/2";

    fn entry(name: &str, kind: Kind, link: &str, mode: u32) -> Entry {
        let name = name.replace("$", PREFIX).into_bytes();
        Entry { name, kind, link: link.replace("$", PREFIX).into(), mode, mtime_s: 0, size: 0 }
    }

    fn layout() -> Layout {
        Layout::new(&PackageIdent::new("o", "n", Some("1"), Some("2")))
    }

    #[test]
    fn entries_of_the_release_have_their_place() {
        for (name, kind, link, mode, expected) in [
            ("hab/", Kind::Directory, "", 0o755, None),
            ("hab/pkgs/o", Kind::Directory, "", 0o755, None),
            ("$", Kind::Directory, "", 0o755, Some("")),
            ("/$/", Kind::Directory, "", 0o755, Some("")),
            ("$/bin/x", Kind::File, "", 0o4755, Some("bin/x")),
            ("$/shared", Kind::Directory, "", 0o1777, Some("shared")),
            ("$/l", Kind::Symlink, "nowhere", 0o777, Some("l")),
            ("$/l", Kind::Symlink, "../3/x", 0o777, Some("l")),
            ("$/a/l", Kind::Symlink, "/hab/pkgs/core/x", 0o777, Some("a/l")),
            ("$/a/l", Kind::Symlink, "/hab/svc/n/var/log", 0o777, Some("a/l")),
            ("$/h", Kind::HardLink, "/$/bin/x", 0o644, Some("h")),
        ] {
            let place = layout().place(&entry(name, kind, link, mode)).expect(name);
            let expected = expected.map_or(Place::Above, |path| Place::Inside(path.into()));
            assert_eq!(place, expected, "{name}");
        }
    }

    #[test]
    fn hostile_entries_are_refused_by_name() {
        let long = format!("$/{}", "x".repeat(256));
        for (name, kind, link, mode, problem) in [
            ("$/../../../../../../etc/x", Kind::File, "", 0o644, "climbs"),
            ("/etc/x", Kind::File, "", 0o644, "outside"),
            ("hab/pkgs/o/n/1/23", Kind::File, "", 0o644, "outside"),
            ("hab/pkgs/o/n", Kind::Symlink, "/etc", 0o644, "outside"),
            ("./$/x", Kind::File, "", 0o644, "'.'"),
            ("$//x", Kind::File, "", 0o644, "empty part"),
            ("//$/x", Kind::File, "", 0o644, "empty part"),
            ("$/a\nb", Kind::File, "", 0o644, "control"),
            (long.as_str(), Kind::File, "", 0o644, "255"),
            ("$", Kind::Symlink, "/tmp", 0o777, "must be a directory"),
            ("$/l", Kind::Symlink, "/etc/passwd", 0o777, "out of the package"),
            ("$/l", Kind::Symlink, "../../../../../..", 0o777, "out of the package"),
            ("$/l", Kind::Symlink, "/hab/pkgs/../../etc", 0o777, "out of the package"),
            ("$/l", Kind::Symlink, "/hab/sup/default/CTL_SECRET", 0o777, "out of the package"),
            ("$/l", Kind::Symlink, "", 0o777, "without a target"),
            ("$/h", Kind::HardLink, "/etc/passwd", 0o644, "hard link out"),
            ("$/h", Kind::HardLink, "$/../x", 0o644, "hard link out"),
            ("$/suid", Kind::File, "", 0o6755, "set-user-id"),
            ("$/bin/suid", Kind::File, "", 0o4777, "set-user-id"),
            ("$/ww", Kind::Directory, "", 0o777, "sticky"),
        ] {
            let error = layout().place(&entry(name, kind, link, mode)).expect_err(name);
            let text = error.to_string();
            assert!(text.contains(problem), "{name}: {text}");
            assert!(text.starts_with("Refused archive entry '"), "{text}");
        }
    }

    #[test]
    fn similar_names_are_refused_where_they_are_dangerous() {
        let refused = |one: &str, other: &str| {
            let mut layout = layout();
            let file = |name: &str| entry(name, Kind::File, "", 0o644);
            layout.place(&file(one)).expect(one);
            layout.place(&file("$/lib/between")).expect("a file");
            layout.place(&file(other)).is_err()
        };
        assert!(refused("$/IDENT", "$/ident"));
        assert!(refused("$/hooks/run", "$/Hooks/init"));
        assert!(refused("$/bin/App", "$/bin/app"));
        assert!(refused("$/share/caf\u{e9}", "$/share/cafe\u{301}"));
        assert!(refused("$/share/\u{212a}", "$/share/K"));
        // Kernel headers, entries of terminfo.
        assert!(!refused("$/include/xt_MARK.h", "$/include/xt_mark.h"));
        assert!(!refused("$/share/terminfo/A/x", "$/share/terminfo/a/x"));
    }

    #[test]
    fn a_hostile_name_cannot_control_a_terminal() {
        let error = layout().place(&entry("/etc/\u{1b}[2J\u{202e}", Kind::File, "", 0o644));
        let text = error.expect_err("refused").to_string();
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
}
