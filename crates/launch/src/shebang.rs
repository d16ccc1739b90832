//! Replacements for scripts that the kernel refuses to execute.
//!
//! A script whose `#!` program does not exist is run by a program of that base name in the child's
//! PATH; a file without `#!` is run by the shell (reference: services §6.4).

use std::{
    ffi::{OsStr, OsString},
    io::Read,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// The kernel reads this much of the first line.
const HEAD_BYTES: usize = 256;
/// The shell of files without `#!`.
const SHELL: &str = "/bin/sh";

/// Another way to run a script.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fallback {
    /// The interpreter.
    pub(crate) program: PathBuf,
    /// Arguments before the script's own: the argument of the `#!` line and the script.
    pub(crate) args: Vec<OsString>,
    /// A line for the operator, when the package should be repaired.
    pub(crate) notice: Option<String>,
}

/// For a failed exec of `script` with `errno`: another way to run it, or a text with the reason why
/// there is none (`None`: nothing to add to the error itself). `path` is PATH of the child's
/// environment.
pub(crate) fn find(
    script: &Path,
    errno: i32,
    path: Option<&OsStr>,
) -> Result<Fallback, Option<String>> {
    let head = read_head(script).ok_or(None)?;
    match errno {
        libc::ENOENT => missing_interpreter(script, &head, path),
        libc::ENOEXEC => without_interpreter(script, &head, path),
        _ => Err(None),
    }
}

fn missing_interpreter(
    script: &Path,
    head: &[u8],
    path: Option<&OsStr>,
) -> Result<Fallback, Option<String>> {
    let (interpreter, argument) = parse(head).ok_or(None)?;
    if interpreter.exists() {
        return Err(None);
    }
    let shown = script.display();
    let found = interpreter.file_name().and_then(|name| search(name, path)).ok_or_else(|| {
        Some(format!(
            "the interpreter {} of {shown} does not exist, \
                 and its name was not found in PATH",
            interpreter.display()
        ))
    })?;
    let notice = format!(
        "Interpreter {} of {shown} does not exist; using {}",
        interpreter.display(),
        found.display()
    );
    let mut args: Vec<OsString> = argument.into_iter().collect();
    args.push(script.as_os_str().to_owned());
    Ok(Fallback { program: found, args, notice: Some(notice) })
}

fn without_interpreter(
    script: &Path,
    head: &[u8],
    path: Option<&OsStr>,
) -> Result<Fallback, Option<String>> {
    if head.contains(&0) || head.starts_with(b"#!") {
        return Err(Some(format!(
            "{} is a program for another kind of machine, or damaged",
            script.display()
        )));
    }
    let shell = Path::new(SHELL);
    let program = if shell.exists() {
        shell.to_owned()
    } else {
        search(OsStr::new("sh"), path)
            .ok_or_else(|| Some(format!("neither {SHELL} nor sh in PATH exists")))?
    };
    Ok(Fallback { program, args: vec![script.as_os_str().to_owned()], notice: None })
}

fn read_head(script: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let file = roost_files::open(script).ok()??;
    file.take(HEAD_BYTES as u64).read_to_end(&mut head).ok()?;
    Some(head)
}

/// Interpreter and its one argument, split as in Linux: at the first blank, trimmed.
pub(crate) fn parse(head: &[u8]) -> Option<(PathBuf, Option<OsString>)> {
    let line = head.strip_prefix(b"#!")?;
    let line = line.split(|b| *b == b'\n').next()?;
    let is_blank = |b: &u8| *b == b' ' || *b == b'\t';
    let start = line.iter().position(|b| !is_blank(b))?;
    let end = line.iter().rposition(|b| !is_blank(b))?;
    let line = &line[start..=end];
    let cut = line.iter().position(is_blank).unwrap_or(line.len());
    let (program, rest) = line.split_at(cut);
    let skip = rest.iter().position(|b| !is_blank(b));
    let argument = skip.map(|at| OsStr::from_bytes(&rest[at..]).to_owned());
    Some((PathBuf::from(OsStr::from_bytes(program)), argument))
}

/// First file of that name in PATH. Skips relative entries: they would depend on the launcher's
/// working directory.
pub(crate) fn search(name: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path?)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(head: &str) -> Option<(String, Option<String>)> {
        parse(head.as_bytes()).map(|(program, argument)| {
            let argument = argument.map(|a| a.to_string_lossy().into_owned());
            (program.display().to_string(), argument)
        })
    }

    #[test]
    fn the_first_line_is_split_as_in_the_kernel() {
        let some = |p: &str, a: Option<&str>| Some((p.to_owned(), a.map(str::to_owned)));
        assert_eq!(parsed("#!/bin/sh\nx"), some("/bin/sh", None));
        assert_eq!(
            parsed("#! \t/usr/bin/env  bash -x \necho"),
            some("/usr/bin/env", Some("bash -x"))
        );
        assert_eq!(parsed("#!/bin/sh"), some("/bin/sh", None));
        assert_eq!(parsed("#!   \n/bin/sh"), None);
        assert_eq!(parsed("echo"), None);
        assert_eq!(parsed(""), None);
    }

    #[test]
    fn a_missing_interpreter_is_searched_by_its_base_name() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let script = dir.path().join("run");
        let shell = dir.path().join("mysh");
        std::fs::write(&shell, "").expect("written");
        std::fs::write(&script, "#!/nowhere/bin/mysh -e\n").expect("written");
        let path = std::env::join_paths([Path::new("relative"), dir.path()]).expect("a PATH");
        let found = find(&script, libc::ENOENT, Some(&path)).expect("found");
        assert_eq!(found.program, shell);
        assert_eq!(found.args, [OsString::from("-e"), script.clone().into()]);
        assert!(found.notice.expect("said").contains("/nowhere/bin/mysh"));

        let nothing = find(&script, libc::ENOENT, None).expect_err("no PATH");
        assert!(nothing.expect("said").contains("/nowhere/bin/mysh"));
    }

    #[test]
    fn only_text_without_interpreter_goes_to_the_shell() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let script = dir.path().join("run");
        std::fs::write(&script, "echo hello\n").expect("written");
        let found = find(&script, libc::ENOEXEC, None).expect("found");
        assert_eq!(found.program, Path::new(SHELL));
        assert_eq!(found.args, [script.clone().into_os_string()]);
        assert_eq!(found.notice, None);

        std::fs::write(&script, b"\x7fELF\0\0").expect("written");
        assert!(find(&script, libc::ENOEXEC, None).is_err());
        assert_eq!(find(&script, libc::EACCES, None), Err(None));
        assert_eq!(find(Path::new("/nowhere"), libc::ENOENT, None), Err(None));
    }
}
