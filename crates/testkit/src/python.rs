//! Peer programs of tests in Python, which may be missing on a machine.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::skip;

/// Name of a Python with these modules. `None` without one: the test should then return; a line
/// outside of the harness's capture reports the skipped test and their number.
#[must_use]
pub fn python_with(modules: &[&str]) -> Option<&'static str> {
    let imports = modules.iter().map(|module| format!("import {module}\n"));
    let mut command = Command::new("python3");
    command.args(["-c", &imports.collect::<String>()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if command.status().is_ok_and(|status| status.success()) {
        return Some("python3");
    }
    skip(&format!("no python3 with {} (pip install pyzmq PyNaCl)", modules.join(", ")));
    None
}

/// Path of a program in `tests/peers`.
#[must_use]
pub fn peer_script(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers")).join(name)
}
