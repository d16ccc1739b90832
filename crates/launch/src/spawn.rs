//! Starting a process: fork, wait for the word, execute.
//!
//! The child does nothing until the launcher has recorded it and says go; when the launcher dies
//! before, the child ends without having executed anything. An error on the way to exec comes back
//! through a pipe that exec closes.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Rlimit;

use crate::wire::{Ids, Stream};

/// Capabilities that a service of the Supervisor's own user keeps, by their bit numbers: they give
/// no rights of another user. CAP_NET_BIND_SERVICE, CAP_IPC_LOCK, CAP_SYS_NICE.
const HARMLESS_CAPABILITIES: u64 = 1 << 10 | 1 << 14 | 1 << 23;
/// Largest number of a capability that is looked for; the kernel has about forty.
const LAST_CAPABILITY: libc::c_ulong = 63;
/// Largest signal number of Linux on the machines we know.
const LAST_SIGNAL: i32 = 64;
/// Signals that do nothing to a Supervisor (reference: services §1.4): those of a terminal go to
/// the launcher too, which then ends everything in order.
const IGNORED_BY_SUPERVISOR: [i32; 6] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGQUIT, libc::SIGALRM, libc::SIGUSR1, libc::SIGUSR2];

/// Program, arguments and environment in the form exec wants, made before the fork.
pub(crate) struct Program {
    path: CString,
    argv: Vec<CString>,
    envp: Vec<CString>,
}

impl Program {
    /// `argv` includes the program's own name. Fails when something holds a zero byte.
    pub(crate) fn new<'a>(
        path: &OsStr,
        argv: impl Iterator<Item = &'a OsStr>,
        env: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
    ) -> io::Result<Program> {
        let cstring = |bytes: Vec<u8>| {
            CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
        };
        Ok(Program {
            path: cstring(path.as_bytes().to_vec())?,
            argv: argv.map(|arg| cstring(arg.as_bytes().to_vec())).collect::<Result<_, _>>()?,
            envp: env
                .map(|(key, value)| cstring([key.as_bytes(), b"=", value.as_bytes()].concat()))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// What the process gets besides its program.
pub(crate) enum Role<'a> {
    /// A service or hook: own session, no input, outputs into pipes, no capabilities of ours.
    Child { user: Option<&'a Ids> },
    /// The Supervisor: the launcher's own input, outputs and group, and one more descriptor. The
    /// outputs named in `piped` it gets as pipes instead.
    Supervisor { socket: RawFd, piped: &'a [Stream] },
}

/// A forked process that has not been told to go.
pub(crate) struct Forked {
    pub(crate) pid: u32,
    /// The pipes it prints into.
    pub(crate) outputs: Vec<(Stream, OwnedFd)>,
    /// Where its failure comes from; at its end without a word the program runs.
    status: OwnedFd,
    go: OwnedFd,
}

impl Forked {
    /// Lets it execute; gives the status pipe, see [`outcome`].
    pub(crate) fn go(self) -> OwnedFd {
        // it can only fail when the child is dead, which is seen elsewhere
        let _ = rustix::io::write(&self.go, b"!");
        self.status
    }
}

/// What failed between fork and exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) errno: i32,
}

/// The steps of a child that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Step {
    Prepare = 1,
    Groups = 2,
    Group = 3,
    User = 4,
    Exec = 5,
    Capabilities = 6,
}

impl Failure {
    const BYTES: usize = 5;

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let [a, b, c, d] = self.errno.to_ne_bytes();
        [self.step as u8, a, b, c, d]
    }

    fn from_bytes(bytes: [u8; Self::BYTES]) -> Failure {
        let [step, a, b, c, d] = bytes;
        let step = match step {
            2 => Step::Groups,
            3 => Step::Group,
            4 => Step::User,
            5 => Step::Exec,
            6 => Step::Capabilities,
            _ => Step::Prepare,
        };
        Failure { step, errno: i32::from_ne_bytes([a, b, c, d]) }
    }
}

/// Looks at the status pipe: `None` as long as nothing is known, then whether exec failed.
pub(crate) fn outcome(status: &OwnedFd) -> Option<Result<(), Failure>> {
    let mut bytes = [0; Failure::BYTES];
    match rustix::io::read(status, &mut bytes) {
        Ok(Failure::BYTES) => Some(Err(Failure::from_bytes(bytes))),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => None,
        _ => Some(Ok(())),
    }
}

/// Raw pieces for the child: nothing in here allocates or frees.
struct Plan {
    path: *const libc::c_char,
    argv: *const *const libc::c_char,
    envp: *const *const libc::c_char,
    go: RawFd,
    go_writer: RawFd,
    status: RawFd,
    /// null device and pipes; without one the launcher's own is kept
    stdio: [Option<RawFd>; 3],
    /// in a session of its own
    leads_session: bool,
    /// the connection of a Supervisor
    keep: Option<RawFd>,
    user: Option<(u32, u32)>,
    /// what the process keeps of our capabilities; `None` keeps them all
    capabilities: Option<u64>,
    /// `None` keeps the groups there are
    groups: Option<(usize, *const libc::gid_t)>,
    open_files: libc::rlimit,
}

/// Forks. `open_files` is the limit that the launcher itself was started with.
pub(crate) fn fork(program: &Program, role: &Role<'_>, open_files: &Rlimit) -> io::Result<Forked> {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        let end = std::iter::once(std::ptr::null());
        strings.iter().map(|s| s.as_ptr()).chain(end).collect()
    };
    let (argv, envp) = (pointers(&program.argv), pointers(&program.envp));
    let (go_reader, go_writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let (status_reader, status_writer) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&status_reader, true)?;
    let (input, piped) = match role {
        Role::Supervisor { piped, .. } => (None, *piped),
        Role::Child { .. } => {
            let null = std::fs::File::open("/dev/null")?;
            (Some(OwnedFd::from(null)), &[Stream::Stdout, Stream::Stderr][..])
        }
    };
    let mut stdio = [input, None, None];
    let mut outputs = Vec::with_capacity(piped.len());
    for stream in piped {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        outputs.push((*stream, reader));
        stdio[match stream {
            Stream::Stdout => 1,
            Stream::Stderr => 2,
        }] = Some(writer);
    }
    let user = match role {
        Role::Child { user } => *user,
        Role::Supervisor { .. } => None,
    };
    let limit = |value: Option<u64>| value.unwrap_or(libc::RLIM_INFINITY);
    let plan = Plan {
        path: program.path.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        go: go_reader.as_raw_fd(),
        go_writer: go_writer.as_raw_fd(),
        status: status_writer.as_raw_fd(),
        stdio: stdio.each_ref().map(|fd| fd.as_ref().map(AsRawFd::as_raw_fd)),
        leads_session: matches!(role, Role::Child { .. }),
        keep: match role {
            Role::Supervisor { socket, .. } => Some(*socket),
            Role::Child { .. } => None,
        },
        user: user.map(|ids| (ids.uid, ids.gid)),
        capabilities: match role {
            Role::Supervisor { .. } => None,
            Role::Child { user } => kept_capabilities(*user),
        },
        groups: user.map(|ids| (ids.groups.len(), ids.groups.as_ptr())),
        open_files: libc::rlimit {
            rlim_cur: limit(open_files.current),
            rlim_max: limit(open_files.maximum),
        },
    };
    // SAFETY: another thread may hold a lock at this moment, which nobody would ever give back in
    // the child, so `run_child` makes only async-signal-safe calls on memory prepared above, all of
    // which (argv, envp, program, ids) outlives this call, and never returns.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: as above; this is the child.
        unsafe { run_child(&plan) }
    }
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Forked { pid: pid.cast_unsigned(), outputs, status: status_reader, go: go_writer })
}

/// Becomes the program.
///
/// # Safety
/// Only in the child of a fork, with a plan whose pointers are valid and whose lists end with null.
unsafe fn run_child(plan: &Plan) -> ! {
    // SAFETY: all calls are async-signal-safe (signal-safety(7)) or bare system calls, on
    // descriptors and memory that the plan keeps valid.
    unsafe {
        // without our own copy of its writer the pipe ends when the launcher dies
        libc::close(plan.go_writer);
        if plan.leads_session {
            // a session of its own, and with it a process group: the terminal that we may have been
            // started from is none of its business
            libc::setsid();
        }
        let mut word = 0_u8;
        loop {
            let count = libc::read(plan.go, (&raw mut word).cast(), 1);
            if count == 1 {
                break;
            }
            if count == 0 || *libc::__errno_location() != libc::EINTR {
                libc::_exit(127);
            }
        }
        let step = match prepare(plan) {
            Ok(()) => {
                libc::execve(plan.path, plan.argv, plan.envp);
                Step::Exec
            }
            Err(step) => step,
        };
        let failure = Failure { step, errno: *libc::__errno_location() };
        let bytes = failure.to_bytes();
        libc::write(plan.status, bytes.as_ptr().cast(), bytes.len());
        libc::_exit(127)
    }
}

/// Everything between the word and exec; the failed step's errno stays in `errno`.
///
/// # Safety
/// As [`run_child`].
unsafe fn prepare(plan: &Plan) -> Result<(), Step> {
    // SAFETY: as in `run_child`.
    unsafe {
        for (target, source) in (0..).zip(plan.stdio) {
            if let Some(source) = source
                && libc::dup2(source, target) < 0
            {
                return Err(Step::Prepare);
            }
        }
        // nothing but the first three goes along; errors mean a kernel without the call (before
        // 5.11), where what we opened is marked one by one and what we inherited at start-up
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        if let Some(keep) = plan.keep
            && libc::fcntl(keep, libc::F_SETFD, 0) < 0
        {
            return Err(Step::Prepare);
        }
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const plan.open_files);
        // signals that were ignored would stay so over exec; the bare call, because the library's
        // refuses the two it keeps for itself, and all zero is the default action everywhere
        let default = [0_u64; 4];
        for signal in 1..=LAST_SIGNAL {
            let nothing = std::ptr::null_mut::<libc::c_void>();
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                nothing,
                size_of::<u64>(),
            );
        }
        if plan.keep.is_some() {
            for signal in IGNORED_BY_SUPERVISOR {
                libc::signal(signal, libc::SIG_IGN);
            }
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        if let Some((count, groups)) = plan.groups
            && libc::setgroups(count, groups) < 0
        {
            return Err(Step::Groups);
        }
        if let Some((uid, gid)) = plan.user {
            if libc::setgid(gid) < 0 {
                return Err(Step::Group);
            }
            if libc::setuid(uid) < 0 {
                return Err(Step::User);
            }
        }
        if let Some(kept) = plan.capabilities
            && !keep_capabilities(kept)
        {
            return Err(Step::Capabilities);
        }
    }
    Ok(())
}

/// What a process may keep of our capabilities. Root keeps what root has: it is root by its user
/// id. Another user gets nothing of ours. Without a change of user only what gives no rights of
/// another one.
fn kept_capabilities(user: Option<&Ids>) -> Option<u64> {
    let uid = user.map_or_else(|| rustix::process::geteuid().as_raw(), |ids| ids.uid);
    match (uid, user) {
        (0, _) => None,
        (_, Some(_)) => Some(0),
        (_, None) => Some(HARMLESS_CAPABILITIES),
    }
}

/// Takes every capability but these out of the ambient, inheritable, permitted and effective sets.
///
/// The bounding set stays, and so do the programs that gain rights by their mode or file
/// capabilities (`sudo`, `ping`), which services use.
///
/// # Safety
/// As [`run_child`].
unsafe fn keep_capabilities(kept: u64) -> bool {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Sets {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    /// `_LINUX_CAPABILITY_VERSION_3`: two of the sets, the lower 32 bits first.
    const VERSION: u32 = 0x2008_0522;
    let none = Sets { effective: 0, permitted: 0, inheritable: 0 };
    let (mut header, mut sets) = (Header { version: VERSION, pid: 0 }, [none; 2]);
    // SAFETY: bare system calls on local memory of the layout that the kernel wants.
    unsafe {
        let zero: libc::c_ulong = 0;
        for capability in 0..=LAST_CAPABILITY {
            if kept & (1 << capability) == 0 {
                // one that does not exist, or that a kernel before 4.3 cannot know, is not ambient
                libc::prctl(
                    libc::PR_CAP_AMBIENT,
                    libc::PR_CAP_AMBIENT_LOWER,
                    capability,
                    zero,
                    zero,
                );
            }
        }
        if libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) != 0 {
            return false;
        }
        for (set, kept) in sets.iter_mut().zip([kept, kept >> 32]) {
            // the lower half of what is kept: cut on purpose
            let kept = kept as u32;
            set.effective &= kept;
            set.permitted &= kept;
            set.inheritable &= kept;
        }
        libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) == 0
    }
}
