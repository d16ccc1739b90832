//! Whether the system can execute a rendered hook.

use std::{env, path::Path};

/// Checks the `#!` line as far as possible without executing it. At the start of the hook, a
/// missing program is searched in `PATH` by its base name, so it is here too; the shell runs a file
/// without the line.
pub(super) fn check(text: &str, path: Option<&str>) -> Result<(), String> {
    let Some(line) = text.lines().next().and_then(|line| line.strip_prefix("#!")) else {
        return Ok(());
    };
    let Some(program) = line.split_ascii_whitespace().next() else {
        return Err("the #! line contains no program; write #!/bin/sh".into());
    };
    let program = Path::new(program);
    let own = env::var("PATH").ok();
    let Some(name) = program.file_name() else { return Ok(()) };
    let mut places = path.or(own.as_deref()).unwrap_or_default().split(':');
    if program.exists() || places.any(|place| Path::new(place).join(name).exists()) {
        return Ok(());
    }
    let name = name.display();
    Err(format!("the line #! names {}, and there is no {name} in PATH", program.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_reported() {
        for fine in ["#!/bin/sh\n", "#! /no/where/sh -e\n", "echo no line", ""] {
            assert_eq!(check(fine, Some("/bin:/usr/bin")), Ok(()), "{fine}");
        }
        let error = check("#!/no/where/bsh-x\nexec true\n", Some("/bin")).unwrap_err();
        assert!(error.contains("/no/where/bsh-x"), "{error}");
        assert!(check("#!\n", Some("/bin")).is_err());
    }
}
