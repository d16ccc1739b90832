//! A program that runs to its end.

use std::{
    io::Write,
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
};

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; negative for the number of the signal that killed it.
    pub code: i32,
    /// Everything it wrote to standard output.
    pub stdout: String,
    /// Everything it wrote to standard error.
    pub stderr: String,
}

/// Runs a program with this text as standard input.
///
/// # Panics
/// When the program cannot be started, or writes something that is not text.
pub fn run(command: &mut Command, stdin: &str) -> Ended {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the program starts");
    // A program that does not read its input may have ended already.
    let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("an end");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let signal = || -output.status.signal().unwrap_or(0);
    Ended {
        code: output.status.code().unwrap_or_else(signal),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
