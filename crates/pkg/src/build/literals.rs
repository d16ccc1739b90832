//! Packaging values of a plan that staging does not read: literal words and arrays.

use std::path::Path;

use super::BuildError;
use crate::{
    metafile::{Fault, MAX_METAFILE_BYTES},
    read::read_text,
    stage::{Assigned, words_of},
};

/// What a directory declares about its package. Without a plan only the programs have a value.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pub(super) has_plan: bool,
    /// The plan itself, for the manifest.
    pub(super) plan: Option<String>,
    pub(super) dependencies: Vec<String>,
    pub(super) build_dependencies: Vec<String>,
    /// Directories of programs, relative to the package; `None` when not declared.
    pub(super) bin_dirs: Option<Vec<String>>,
    pub(super) lib_dirs: Vec<String>,
    pub(super) include_dirs: Vec<String>,
    pub(super) pconfig_dirs: Vec<String>,
    pub(super) interpreters: Vec<String>,
    pub(super) description: String,
    pub(super) maintainer: String,
    pub(super) license: String,
    pub(super) upstream_url: String,
    pub(super) source: String,
    pub(super) shasum: String,
}

/// Reads the plan of a directory.
pub(super) fn read(dir: &Path) -> Result<Declared, BuildError> {
    let target = roost_ident::PackageTarget::active().to_string();
    let places =
        [format!("{target}/"), format!("habitat/{target}/"), String::new(), "habitat/".into()];
    for place in places {
        let path = dir.join(format!("{place}plan.sh"));
        if let Some(text) = read_text(&path, MAX_METAFILE_BYTES)? {
            return parse(&text).map_err(|fault| BuildError::fault(&path, fault));
        }
    }
    Ok(Declared::default())
}

const VARIABLES: [&str; 13] = [
    "pkg_deps",
    "pkg_build_deps",
    "pkg_bin_dirs",
    "pkg_lib_dirs",
    "pkg_include_dirs",
    "pkg_pconfig_dirs",
    "pkg_interpreters",
    "pkg_description",
    "pkg_maintainer",
    "pkg_license",
    "pkg_upstream_url",
    "pkg_source",
    "pkg_shasum",
];

fn parse(text: &str) -> Result<Declared, Fault> {
    let mut values = words_of(text, &VARIABLES)?;
    // Free text that only bash can compute is left out.
    let mut text_of = |name: &str| {
        let words = values.remove(name).and_then(|assigned| assigned.words.ok());
        words.unwrap_or_default().join(" ")
    };
    let (description, maintainer) = (text_of("pkg_description"), text_of("pkg_maintainer"));
    let (license, upstream_url) = (text_of("pkg_license"), text_of("pkg_upstream_url"));
    let (source, shasum) = (text_of("pkg_source"), text_of("pkg_shasum"));
    let mut found = |name: &str| values.remove(name).map(|it| literal(name, it)).transpose();
    Ok(Declared {
        has_plan: true,
        plan: Some(text.into()),
        dependencies: found("pkg_deps")?.unwrap_or_default(),
        build_dependencies: found("pkg_build_deps")?.unwrap_or_default(),
        bin_dirs: found("pkg_bin_dirs")?,
        lib_dirs: found("pkg_lib_dirs")?.unwrap_or_default(),
        include_dirs: found("pkg_include_dirs")?.unwrap_or_default(),
        pconfig_dirs: found("pkg_pconfig_dirs")?.unwrap_or_default(),
        interpreters: found("pkg_interpreters")?.unwrap_or_default(),
        description,
        maintainer,
        license,
        upstream_url,
        source,
        shasum,
    })
}

/// The words of a variable that the package requires.
fn literal(name: &str, Assigned { line, words }: Assigned) -> Result<Vec<String>, Fault> {
    words.map_err(|why| Fault {
        line,
        problem: format!(
            "the value of {name} is not known without running the plan: {why}; assign it literal \
             words"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_arrays_are_read_and_what_needs_bash_is_refused() {
        let plan = "pkg_deps=(core/a # one\n  'core/b' \"core/c\"\n)\npkg_license=('MIT' \"BSD 3\")\n\
                    pkg_bin_dirs=(bin)\npkg_description=\"Says \\\"hello\\\"\"\npkg_source=$base/x\n";
        let declared = parse(plan).expect("literal");
        assert_eq!(declared.dependencies, ["core/a", "core/b", "core/c"]);
        assert_eq!(declared.bin_dirs.as_deref(), Some(&["bin".to_owned()][..]));
        assert_eq!(declared.license, "MIT BSD 3");
        assert_eq!(declared.description, "Says \"hello\"");
        assert_eq!(declared.source, "");
        for plan in ["x=1\npkg_deps=($(deps))\n", "\npkg_deps=(a/b\n"] {
            let fault = parse(plan).expect_err(plan);
            assert_eq!(fault.line, 2, "{plan}: {}", fault.problem);
        }
        let appended = "pkg_deps=(core/a)\nlibc=core/glibc\npkg_deps+=($libc)\n";
        assert_eq!(parse(appended).expect("literal").dependencies, ["core/a", "core/glibc"]);
    }
}
