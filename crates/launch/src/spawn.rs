//! Starting a process: fork, wait for permission, execute.
//!
//! The child does nothing until the launcher has recorded it and lets it go; if the launcher dies
//! before, the child ends without having executed anything. A pipe that exec closes returns errors
//! before exec.

use std::{
    ffi::{CString, OsStr},
    io,
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
};

use roost_logs::Stream;
use rustix::{
    pipe::{PipeFlags, pipe_with},
    process::Rlimit,
};

use crate::wire::Ids;

/// Capabilities that a service of the Supervisor's own user keeps, by their bit numbers: they give
/// no rights over other users. CAP_NET_BIND_SERVICE, CAP_IPC_LOCK, CAP_SYS_NICE.
const HARMLESS_CAPABILITIES: u64 = 1 << 10 | 1 << 14 | 1 << 23;
/// Largest capability number that is checked; the kernel has about forty.
const LAST_CAPABILITY: libc::c_ulong = 63;
/// Largest signal number of Linux on supported machines.
const LAST_SIGNAL: i32 = 64;
/// Signals that a Supervisor ignores (reference: services §1.4): those of a terminal reach the
/// launcher too, which then shuts everything down cleanly.
const IGNORED_BY_SUPERVISOR: [i32; 6] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGQUIT, libc::SIGALRM, libc::SIGUSR1, libc::SIGUSR2];

/// Program, arguments and environment in the form for exec, built before the fork.
pub(crate) struct Program {
    path: CString,
    argv: Vec<CString>,
    envp: Vec<CString>,
}

impl Program {
    /// `argv` includes the program's own name. Fails when something contains a zero byte.
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

/// Attributes of the process besides its program.
pub(crate) enum Role<'a> {
    /// A service or hook: its own session, no input, outputs to pipes, none of our capabilities.
    Child { user: Option<&'a Ids> },
    /// The Supervisor: the launcher's input, outputs and group, and one additional descriptor.
    /// Outputs listed in `piped` become pipes instead.
    Supervisor { socket: RawFd, piped: &'a [Stream] },
}

/// A forked process that waits before exec.
pub(crate) struct Forked {
    pub(crate) pid: u32,
    /// The pipes of its outputs.
    pub(crate) outputs: Vec<(Stream, OwnedFd)>,
    /// Reports a failure; if it closes without one, the program runs.
    status: OwnedFd,
    go: OwnedFd,
}

impl Forked {
    /// Lets it execute; returns the status pipe, see [`outcome`].
    pub(crate) fn go(self) -> OwnedFd {
        // it fails only when the child is dead, which is detected elsewhere
        let _ = rustix::io::write(&self.go, b"!");
        self.status
    }
}

/// A failure between fork and exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) errno: i32,
}

/// Steps of a child that can fail.
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

/// Checks the status pipe: `None` while unknown, then whether exec failed.
pub(crate) fn outcome(status: &OwnedFd) -> Option<Result<(), Failure>> {
    let mut bytes = [0; Failure::BYTES];
    match rustix::io::read(status, &mut bytes) {
        Ok(Failure::BYTES) => Some(Err(Failure::from_bytes(bytes))),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => None,
        _ => Some(Ok(())),
    }
}

/// Raw values for the child: using them neither allocates nor frees.
struct Plan {
    path: *const libc::c_char,
    argv: *const *const libc::c_char,
    envp: *const *const libc::c_char,
    go: RawFd,
    go_writer: RawFd,
    status: RawFd,
    /// null device and pipes; `None` keeps the launcher's own
    stdio: [Option<RawFd>; 3],
    /// starts its own session
    leads_session: bool,
    /// the connection of a Supervisor
    keep: Option<RawFd>,
    user: Option<(u32, u32)>,
    /// capabilities that the process keeps; `None` keeps them all
    capabilities: Option<u64>,
    /// `None` keeps the current groups
    groups: Option<(usize, *const libc::gid_t)>,
    open_files: libc::rlimit,
}

/// Forks. `open_files` is the launcher's original limit.
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
    // SAFETY: another thread may hold a lock at this moment, which would never be released in the
    // child, so `run_child` makes only async-signal-safe calls on memory prepared above, all of
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

/// Executes the program.
///
/// # Safety
/// Only in the child of a fork, with a plan whose pointers are valid and whose lists are
/// null-terminated.
unsafe fn run_child(plan: &Plan) -> ! {
    // SAFETY: all calls are async-signal-safe (signal-safety(7)) or bare system calls, on
    // descriptors and memory that the plan keeps valid.
    unsafe {
        // without our own copy of its writer, the pipe ends when the launcher dies
        libc::close(plan.go_writer);
        if plan.leads_session {
            // its own session, and thus its own process group: it must not access the terminal that
            // the launcher may have been started from
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

/// The steps before exec; the failed step's errno stays in `errno`.
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
        // only the first three descriptors are inherited; on error the kernel lacks the call
        // (before 5.11): there, our descriptors are marked one by one, and inherited ones at
        // start-up
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        if let Some(keep) = plan.keep
            && libc::fcntl(keep, libc::F_SETFD, 0) < 0
        {
            return Err(Step::Prepare);
        }
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const plan.open_files);
        // ignored signals would stay ignored over exec; the bare call, because the library's
        // refuses the two that it reserves, and all zero is the default action everywhere
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

/// The capabilities that a process keeps. Root keeps root's: it is root by its user id. Another
/// user keeps none of ours. Without a change of user, only those that give no rights over other
/// users.
fn kept_capabilities(user: Option<&Ids>) -> Option<u64> {
    let uid = user.map_or_else(|| rustix::process::geteuid().as_raw(), |ids| ids.uid);
    match (uid, user) {
        (0, _) => None,
        (_, Some(_)) => Some(0),
        (_, None) => Some(HARMLESS_CAPABILITIES),
    }
}

/// Removes every capability except these from the ambient, inheritable, permitted and effective
/// sets.
///
/// The bounding set stays, so that programs that gain rights by their mode or file capabilities
/// (`sudo`, `ping`) still work for services.
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
    // SAFETY: bare system calls on local memory with the layout of the kernel.
    unsafe {
        let zero: libc::c_ulong = 0;
        for capability in 0..=LAST_CAPABILITY {
            if kept & (1 << capability) == 0 {
                // a capability that does not exist, or is unknown to a kernel before 4.3, is not
                // ambient
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
            // the lower half of the kept ones, intentionally truncated
            let kept = kept as u32;
            set.effective &= kept;
            set.permitted &= kept;
            set.inheritable &= kept;
        }
        libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) == 0
    }
}
