//! Reading a directory that other users may write.
//!
//! A Supervisor that is root must not lend its rights to users who may write the directory: a link
//! in place of a hook would make root read any file, and a file may be exchanged between checking
//! and opening it. So this module opens every component of a path separately, without following
//! links, and checks the open descriptor. It follows links itself, one step at a time.
//!
//! A user who owns or may write a directory, link or file on the path, other than root and the user
//! of this process, is a *stranger*: everything read beyond that point must be readable for the
//! stranger too. So this process reveals nothing that the stranger could not read before. In a
//! process that is not privileged there are no strangers: it runs what it reads with its own rights
//! only.

mod strangers;

use std::{
    cell::RefCell,
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::{File, Metadata},
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Component, Path, PathBuf},
    rc::Rc,
};

pub(super) use rustix::fs::Stat as Found;
use rustix::{
    fs::{AtFlags, Dir as Listing, FileType, Mode, OFlags, openat, readlinkat, statat},
    process::geteuid,
};

use self::strangers::{Rights, Who};
use super::StageError;
use crate::{
    read::{ReadError, is_absent, text_of},
    user,
};

/// Most links in one path.
const LINKS_MAX: usize = 40;

/// A stranger and the place that the stranger may write.
#[derive(Debug, Clone)]
struct Stranger {
    who: Who,
    path: PathBuf,
}

#[derive(Debug)]
struct Eyes {
    /// The user of this process; `None` when there are no strangers.
    own: Option<u32>,
    /// The first stranger found.
    met: RefCell<Option<Stranger>>,
}

/// An open directory.
#[derive(Debug, Clone)]
pub(super) struct Dir {
    /// Path as named by the user.
    path: PathBuf,
    handle: Rc<File>,
    strangers: Vec<Stranger>,
    eyes: Rc<Eyes>,
}

/// An open file.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) found: Metadata,
}

/// The entry behind a name in a directory.
pub(super) enum Node {
    Dir(Dir),
    File(Opened),
    /// A link that is not to be followed.
    Link,
    /// A pipe, socket or device.
    Special,
}

impl Node {
    /// The error for an entry that is not a regular file.
    pub(super) fn not_a_file(&self, path: &Path) -> StageError {
        let kind = match self {
            Self::Dir(_) => "directory",
            _ => "pipe, socket or device",
        };
        ReadError::NotAFile { path: path.into(), kind }.into()
    }
}

impl Opened {
    /// The whole text.
    pub(super) fn text(self, limit: u64) -> Result<String, ReadError> {
        text_of(&self.path, self.file, limit)
    }
}

impl Dir {
    /// Opens a directory by its absolute path. Follows links.
    pub(super) fn open(path: &Path) -> Result<Self, StageError> {
        let failed = |error| StageError::io(path, error);
        let own = geteuid().as_raw();
        let strict = own == 0 || user::capable();
        let eyes = Eyes { own: strict.then_some(own), met: RefCell::new(None) };
        let top = Self::root(Rc::new(eyes), Vec::new()).map_err(failed)?;
        match top.walk(path, true)? {
            Some(Node::Dir(dir)) => Ok(dir),
            Some(_) => Err(failed(rustix::io::Errno::NOTDIR.into())),
            None => Err(failed(rustix::io::Errno::NOENT.into())),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The stranger that may write something read so far, and the place; for the user.
    pub(super) fn stranger(&self) -> Option<String> {
        let met = self.eyes.met.borrow();
        met.as_ref().map(|met| format!("{} may write {}", met.who, met.path.display()))
    }

    /// Opens an entry; follows links.
    pub(super) fn get(&self, name: impl AsRef<Path>) -> Result<Option<Node>, StageError> {
        self.walk(name.as_ref(), true)
    }

    /// Opens an entry; does not follow links, not even in parent directories.
    pub(super) fn get_itself(&self, name: impl AsRef<Path>) -> Result<Option<Node>, StageError> {
        self.walk(name.as_ref(), false)
    }

    /// A subdirectory; `None` when it does not exist.
    pub(super) fn dir(&self, name: impl AsRef<Path>) -> Result<Option<Self>, StageError> {
        Ok(match self.get(name)? {
            Some(Node::Dir(dir)) => Some(dir),
            _ => None,
        })
    }

    /// A regular file; `None` when it does not exist.
    pub(super) fn file(&self, name: impl AsRef<Path>) -> Result<Option<Opened>, StageError> {
        match self.get(name.as_ref())? {
            None => Ok(None),
            Some(Node::File(file)) => Ok(Some(file)),
            Some(node) => Err(node.not_a_file(&self.path.join(name))),
        }
    }

    /// Metadata of an entry without opening it; `None` when it does not exist.
    pub(super) fn peek(&self, name: impl AsRef<Path>) -> Result<Option<Found>, StageError> {
        match statat(&*self.handle, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_absent(&error.into()) => Ok(None),
            Err(error) => Err(StageError::io(&self.path.join(name), error.into())),
        }
    }

    /// The target of a link.
    pub(super) fn link(&self, name: impl AsRef<Path>) -> Result<OsString, StageError> {
        readlinkat(&*self.handle, name.as_ref(), Vec::new())
            .map(|target| OsString::from_vec(target.into_bytes()))
            .map_err(|error| StageError::io(&self.path.join(name), error.into()))
    }

    /// Names in the directory, sorted, at most `limit + 1`.
    pub(super) fn names(&self, limit: usize) -> Result<Vec<OsString>, StageError> {
        let list = || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let handle = openat(&*self.handle, ".", flags, Mode::empty())?;
            let names = Listing::new(handle)?.map(|entry| {
                let name = entry?.file_name().to_bytes().to_vec();
                io::Result::Ok(OsString::from_vec(name))
            });
            let names =
                names.filter(|name| !name.as_ref().is_ok_and(|name| name == "." || name == ".."));
            names.take(limit + 1).collect::<io::Result<Vec<_>>>()
        };
        let mut names = list().map_err(|error| StageError::io(&self.path, error))?;
        names.sort();
        Ok(names)
    }

    fn root(eyes: Rc<Eyes>, strangers: Vec<Stranger>) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open("/", flags, Mode::empty())?;
        Ok(Self { path: "/".into(), handle: Rc::new(handle.into()), strangers, eyes })
    }

    fn walk(&self, path: &Path, follow: bool) -> Result<Option<Node>, StageError> {
        let shown = self.path.join(path);
        let failed = |error: io::Error| StageError::io(&shown, error);
        let mut steps = steps(path);
        let mut at = self.clone();
        if path.is_absolute() {
            at = Self::root(Rc::clone(&self.eyes), at.strangers).map_err(failed)?;
        }
        let mut links = 0;
        while let Some(step) = steps.pop_front() {
            if step == ".." {
                match at.enter(OsStr::new(".."), &shown)? {
                    Some(above) => at = above,
                    None => return Ok(None),
                }
                continue;
            }
            let last = steps.is_empty();
            let found = match statat(&*at.handle, &step, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => found,
                Err(error) if is_absent(&error.into()) => return Ok(None),
                Err(error) => return Err(failed(error.into())),
            };
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Directory => match at.enter(&step, &shown)? {
                    Some(below) => at = below,
                    None => return Ok(None),
                },
                FileType::Symlink => {
                    if !follow {
                        return match last {
                            true => Ok(Some(Node::Link)),
                            false => Err(failed(rustix::io::Errno::NOTDIR.into())),
                        };
                    }
                    let target = match readlinkat(&*at.handle, &step, Vec::new()) {
                        Ok(target) => OsString::from_vec(target.into_bytes()),
                        Err(error) if is_absent(&error.into()) => return Ok(None),
                        Err(error) => return Err(failed(error.into())),
                    };
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(failed(rustix::io::Errno::LOOP.into()));
                    }
                    let rights = Rights {
                        uid: found.st_uid,
                        gid: found.st_gid,
                        mode: found.st_mode,
                        is_dir: false,
                        is_link: true,
                    };
                    at.meet(rights, &at.path.join(&step));
                    let target = Path::new(&target);
                    if target.is_absolute() {
                        at = Self::root(Rc::clone(&at.eyes), at.strangers).map_err(failed)?;
                    }
                    for step in self::steps(target).into_iter().rev() {
                        steps.push_front(step);
                    }
                }
                _ if !last => return Ok(None),
                FileType::RegularFile => return at.open_file(&step, shown),
                _ => return Ok(Some(Node::Special)),
            }
        }
        at.path = shown;
        Ok(Some(Node::Dir(at)))
    }

    /// Opens an entry of this directory as a directory, without following links.
    fn enter(&self, name: &OsStr, shown: &Path) -> Result<Option<Self>, StageError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle: File = match openat(&*self.handle, name, flags, Mode::empty()) {
            Ok(handle) => handle.into(),
            // Removed or exchanged since it was listed.
            Err(error) if is_absent(&error.into()) || error == rustix::io::Errno::LOOP => {
                return Ok(None);
            }
            Err(error) => return Err(StageError::io(shown, error.into())),
        };
        let found = handle.metadata().map_err(|error| StageError::io(shown, error))?;
        let rights = Rights::of(&found);
        self.check(rights, shown)?;
        let mut below = Self {
            path: self.path.join(name),
            handle: Rc::new(handle),
            strangers: self.strangers.clone(),
            eyes: Rc::clone(&self.eyes),
        };
        let path = below.path.clone();
        below.meet(rights, &path);
        Ok(Some(below))
    }

    fn open_file(&self, name: &OsStr, shown: PathBuf) -> Result<Option<Node>, StageError> {
        // It may be a pipe by now: opening must neither block nor acquire a terminal.
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file: File = match openat(&*self.handle, name, flags, Mode::empty()) {
            Ok(file) => file.into(),
            Err(error) if is_absent(&error.into()) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => {
                let problem = "was exchanged for a link while it was read; it is read again once \
                               something changes"
                    .into();
                return Err(StageError::Refused { path: shown, problem });
            }
            Err(error) => {
                return Err(ReadError::Io { path: shown, source: error.into() }.into());
            }
        };
        let found = file.metadata().map_err(|error| StageError::io(&shown, error))?;
        if !found.is_file() {
            return Ok(Some(Node::Special));
        }
        let rights = Rights::of(&found);
        self.check(rights, &shown)?;
        self.clone().meet(rights, &shown);
        Ok(Some(Node::File(Opened { path: shown, file, found })))
    }

    /// Records a stranger that may write here.
    fn meet(&mut self, rights: Rights, path: &Path) {
        let Some(who) = self.eyes.own.and_then(|own| rights.stranger(own)) else { return };
        if self.strangers.iter().any(|known| known.who == who) {
            return;
        }
        let stranger = Stranger { who, path: path.to_owned() };
        self.eyes.met.borrow_mut().get_or_insert_with(|| stranger.clone());
        self.strangers.push(stranger);
    }

    /// Refuses a place that a stranger on the path cannot read.
    fn check(&self, rights: Rights, shown: &Path) -> Result<(), StageError> {
        match self.strangers.iter().find(|stranger| !rights.lets(stranger.who)) {
            None => Ok(()),
            Some(Stranger { who, path }) => {
                let problem = format!(
                    "is not read: {who} may write {place} and may not read this. Let {who} read \
                     it, or let only root write there: chown -R root {place}; chmod -R go-w {place}",
                    place = path.display()
                );
                Err(StageError::Refused { path: shown.to_owned(), problem })
            }
        }
    }
}

/// The components of a path, without `.`; `..` stays.
fn steps(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|step| match step {
            Component::Normal(step) => Some(step.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

/// A name as text.
pub(super) fn text(name: &OsStr) -> Option<&str> {
    std::str::from_utf8(name.as_bytes()).ok()
}
