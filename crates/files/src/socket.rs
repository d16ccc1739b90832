//! Sockets in the file system: an explicit mode from the first moment, and a stale one replaced
//! without a gap.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            fs::FileTypeExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{CWD, Mode, OFlags, chmod, openat},
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// Listens on a socket at `path` with exactly this mode, whatever the umask. A socket that a
/// process left there is replaced.
///
/// # Errors
/// [`io::ErrorKind::AddrInUse`] when a process listens there, [`io::ErrorKind::AlreadyExists`]
/// when something other than a socket has the name, and errors of the operating system.
pub fn listen_at(path: &Path, mode: u32) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(_) => match connect_with(path, SocketFlags::NONBLOCK, None) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Something listens, although its queue may be full.
            _ => return Err(io::ErrorKind::AddrInUse.into()),
        },
    }
    // Under another name it gets its mode before it listens; the rename replaces the old one.
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let new = path.with_file_name(name);
    let _ = fs::remove_file(&new);
    let made = (|| {
        let socket = stream_socket(SocketFlags::empty())?;
        let address = Address::of(&new)?;
        bind(&socket, &address.socket)?;
        chmod(&new, Mode::from_raw_mode(mode))?;
        listen(&socket, BACKLOG)?;
        fs::rename(&new, path)?;
        Ok(UnixListener::from(socket))
    })();
    if made.is_err() {
        let _ = fs::remove_file(&new);
    }
    made
}

/// Connects to a socket at `path`; waits at most this long for a queue that is full.
///
/// # Errors
/// [`io::ErrorKind::ConnectionRefused`] when no process listens there, and other errors of the
/// operating system.
pub fn connect_to(path: &Path, timeout: Duration) -> io::Result<UnixStream> {
    connect_with(path, SocketFlags::empty(), Some(timeout)).map(UnixStream::from)
}

fn connect_with(path: &Path, flags: SocketFlags, timeout: Option<Duration>) -> io::Result<OwnedFd> {
    let socket = stream_socket(flags)?;
    if timeout.is_some() {
        set_socket_timeout(&socket, Timeout::Send, timeout)?;
    }
    connect(&socket, &Address::of(path)?.socket)?;
    Ok(socket)
}

fn stream_socket(flags: SocketFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | SocketFlags::CLOEXEC;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// The address of a path, which may be longer than an address can be: then it goes through the
/// open directory.
struct Address {
    socket: SocketAddrUnix,
    _directory: Option<File>,
}

impl Address {
    fn of(path: &Path) -> io::Result<Self> {
        if let Ok(socket) = SocketAddrUnix::new(path) {
            return Ok(Self { socket, _directory: None });
        }
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
        let directory = File::from(openat(CWD, directory, flags, Mode::empty())?);
        let mut short = OsString::from(format!("/proc/self/fd/{}/", directory.as_raw_fd()));
        short.push(name);
        let socket = SocketAddrUnix::new(PathBuf::from(short))?;
        Ok(Self { socket, _directory: Some(directory) })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn a_stale_socket_is_replaced_and_one_in_use_is_not() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("http.sock");
        let refused = |error: io::Error| error.kind();
        assert_eq!(
            connect_to(&path, PATIENCE).map_err(refused).err(),
            Some(io::ErrorKind::NotFound)
        );
        let first = listen_at(&path, 0o600).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        connect_to(&path, PATIENCE).unwrap();
        let error = listen_at(&path, 0o600).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert_eq!(
            connect_to(&path, PATIENCE).map_err(refused).err(),
            Some(io::ErrorKind::ConnectionRefused)
        );
        let _second = listen_at(&path, 0o666).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o666);
        connect_to(&path, PATIENCE).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left");
    }

    #[test]
    fn a_listener_whose_queue_is_full_is_in_use() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("s");
        let _listener = listen_at(&path, 0o600).unwrap();
        let mut waiting = Vec::new();
        while let Ok(connection) = connect_with(&path, SocketFlags::NONBLOCK, None) {
            waiting.push(connection);
            assert!(waiting.len() < 10_000);
        }
        assert_eq!(listen_at(&path, 0o600).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn other_files_and_links_stay() {
        let root = tempfile::tempdir().unwrap();
        let (file, link) = (root.path().join("file"), root.path().join("link"));
        fs::write(&file, "kept").unwrap();
        symlink(&file, &link).unwrap();
        for path in [&file, &link] {
            assert_eq!(listen_at(path, 0o600).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(fs::read_to_string(&link).unwrap(), "kept");
    }

    #[test]
    fn a_path_longer_than_an_address_works() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("d".repeat(200));
        fs::create_dir(&directory).unwrap();
        let path = directory.join("http.sock");
        let _listener = listen_at(&path, 0o600).unwrap();
        connect_to(&path, PATIENCE).unwrap();
    }
}
