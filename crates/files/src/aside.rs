//! Damaged files are kept next to their original path for diagnosis.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Number of names to try. Only the newest damaged file is kept; a directory cannot be replaced.
const NAMES_MAX: u32 = 10;

/// Renames whatever is at the path of a state file to `NAME.corrupt`, without following links.
/// Returns the new name.
///
/// # Errors
/// Errors of the operating system; nothing was changed then.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let name = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(".corrupt");
        if number > 0 {
            name.push(format!(".{number}"));
        }
        PathBuf::from(name)
    };
    let mut result = Err(io::Error::from(io::ErrorKind::AlreadyExists));
    for number in 0..NAMES_MAX {
        let aside = name(number);
        result = fs::rename(path, &aside).map(|()| aside);
        use io::ErrorKind as Kind;
        let taken = |error: &io::Error| {
            matches!(
                error.kind(),
                Kind::DirectoryNotEmpty
                    | Kind::IsADirectory
                    | Kind::NotADirectory
                    | Kind::AlreadyExists
            )
        };
        if !result.as_ref().is_err_and(taken) {
            break;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn anything_at_the_path_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.rst");
        let names = || -> Vec<String> {
            let entries = fs::read_dir(dir.path()).unwrap();
            let mut names: Vec<_> =
                entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        for _ in 0..2 {
            fs::write(&path, "damaged").unwrap();
            set_aside(&path).unwrap();
        }
        assert_eq!(names(), ["state.rst.corrupt"]);
        for _ in 0..2 {
            fs::create_dir(&path).unwrap();
            fs::write(path.join("inside"), "").unwrap();
            set_aside(&path).unwrap();
        }
        symlink("state.rst", &path).unwrap();
        set_aside(&path).unwrap();
        assert_eq!(names(), ["state.rst.corrupt", "state.rst.corrupt.1", "state.rst.corrupt.2"]);
        assert!(set_aside(&path).is_err(), "there is nothing");
    }
}
