//! The path of this program, and becoming the launcher.

use std::{
    env,
    ffi::{CString, OsStr, OsString},
    fs, io,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{LAUNCHER_ARG, PROGRAM_VAR, line::LAUNCHER, shebang};

/// Replaces this process by the launcher, which passes `args` to the Supervisor.
///
/// Returns only on failure, with the reason. Nothing has changed then.
#[must_use]
pub fn exec_launcher(args: impl IntoIterator<Item = OsString>) -> io::Error {
    let program = match first_resolved() {
        Ok(program) => program,
        Err(error) => return error,
    };
    Command::new(&program)
        .arg0(LAUNCHER)
        .arg(LAUNCHER_ARG)
        .args(args)
        .env(PROGRAM_VAR, &program)
        .exec()
}

/// The path with which this program was called, before links are resolved: when the file or a link
/// on the path is replaced by a newer release, the next start uses that one.
fn first_resolved() -> io::Result<PathBuf> {
    let exact = env::current_exe()?;
    let called = env::args_os().next().unwrap_or_default();
    let by_name = if called.as_encoded_bytes().contains(&b'/') {
        std::path::absolute(&called).ok()
    } else {
        shebang::search(&called, env::var_os("PATH").as_deref())
    };
    Ok(by_name.filter(|path| is_same_file(path, Path::new("/proc/self/exe"))).unwrap_or(exact))
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// The program for the Supervisor, as determined by [`exec_launcher`].
fn known() -> io::Result<PathBuf> {
    match env::var_os(PROGRAM_VAR).filter(|path| !path.is_empty()) {
        Some(path) => Ok(PathBuf::from(path)),
        None => env::current_exe(),
    }
}

/// The program that Supervisors are started from: `HAB_SUP_BINARY` (a path, or a name searched in
/// PATH), else the launcher's own.
pub(crate) fn of_supervisor() -> io::Result<PathBuf> {
    let Some(named) = env::var_os("HAB_SUP_BINARY").filter(|name| !name.is_empty()) else {
        return known();
    };
    let is_name = !named.as_encoded_bytes().contains(&b'/');
    let found = is_name.then(|| shebang::search(&named, env::var_os("PATH").as_deref())).flatten();
    Ok(found.unwrap_or_else(|| PathBuf::from(named)))
}

/// Sets the name of this process (`ps -o comm`); at most 15 bytes are visible.
pub fn name_process(name: &str) {
    if let Ok(name) = CString::new(OsStr::new(name).as_encoded_bytes()) {
        // purely cosmetic
        let _ = rustix::thread::set_name(&name);
    }
}
