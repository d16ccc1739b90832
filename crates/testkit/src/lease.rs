//! A file whose opening hangs.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// Opening the file blocks until this is dropped, or 45 s: the kernel asks the holder of a lease of
/// the file to release it, and the holder does not answer.
#[derive(Debug)]
pub struct Lease(Child);

const HOLD: &str = "
import fcntl, sys
file = open(sys.argv[1], 'r+')
fcntl.fcntl(file, 10, 23)  # F_SETSIG: SIGURG, which kills nobody
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
sys.stdin.read()
";

impl Lease {
    /// Takes one; `None` without Python, or when the file system has no leases.
    ///
    /// # Panics
    /// When Python cannot be started.
    #[must_use]
    pub fn take(path: &Path) -> Option<Self> {
        crate::python_with(&["fcntl"])?;
        let mut python = Command::new("python3");
        python.args(["-c", HOLD]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = python.spawn().expect("python3 starts");
        let mut line = String::new();
        let said = holder.stdout.take().map(BufReader::new);
        said.expect("piped").read_line(&mut line).expect("readable");
        let lease = Self(holder);
        (line == "held\n").then_some(lease)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
