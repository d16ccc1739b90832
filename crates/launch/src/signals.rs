//! Signals as a descriptor to poll: blocked for the whole process, read when they arrive.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd},
};

/// Signals the launcher acts on.
const ACTED_ON: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGCHLD];
/// Signals it receives and ignores (reference: services §1.4).
const IGNORED: [i32; 4] = [libc::SIGQUIT, libc::SIGALRM, libc::SIGUSR1, libc::SIGUSR2];

/// The descriptor.
#[derive(Debug)]
pub(crate) struct Signals {
    fd: OwnedFd,
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Signals {
    /// Blocks the signals. Ignores SIGPIPE, so that a write to a closed pipe is an error and does
    /// not end the process.
    pub(crate) fn block() -> io::Result<Signals> {
        // SAFETY: plain system calls on a local signal set, initialised by sigemptyset before it
        // is read; nothing else owns the new descriptor.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in ACTED_ON.iter().chain(&IGNORED) {
                libc::sigaddset(&raw mut set, *signal);
            }
            if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
            // an ignored child signal would make the kernel reap children automatically
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
            let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
            let fd = libc::signalfd(-1, &raw const set, flags);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Signals { fd: OwnedFd::from_raw_fd(fd) })
        }
    }

    /// The next pending signal, `None` when there is none.
    pub(crate) fn next(&self) -> Option<i32> {
        let mut info = [0_u8; size_of::<libc::signalfd_siginfo>()];
        match rustix::io::read(&self.fd, &mut info) {
            // the first field is ssi_signo, a 32-bit number
            Ok(count) if count == info.len() => {
                let number = u32::from_ne_bytes([info[0], info[1], info[2], info[3]]);
                i32::try_from(number).ok()
            }
            _ => None,
        }
    }
}
