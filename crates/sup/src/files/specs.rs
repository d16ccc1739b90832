//! The spec directory: one file per service, what the user wants (reference: services §2.3).
//!
//! The files are the truth: commands change them, people may too, and the Supervisor follows.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use roost_ident::PackageIdent;
use roost_pkg::{followed::Followed, read::read_text};
use roost_service::{ServiceSpec, SpecError, spec_file::SPEC_SIZE_MAX_BYTES};

use crate::vital::guarded;

/// What the directory holds.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Specs by the name of their package.
    pub(crate) specs: BTreeMap<String, ServiceSpec>,
    /// A line for the user for each file that cannot be used, by path.
    pub(crate) complaints: BTreeMap<PathBuf, String>,
    /// Packages whose file exists but cannot be used.
    pub(crate) unusable: Vec<String>,
    /// Plain directories that are followed, and a line for each file that cannot be used.
    pub(crate) followed: (Vec<Followed>, Vec<String>),
    /// Files whose text is not the canonical form of what they say.
    pub(crate) rewrites: Vec<Rewrite>,
    /// The release that a service ran from last, by the name of its package.
    pub(crate) formers: BTreeMap<String, String>,
}

/// A spec that is to be written in its full form.
#[derive(Debug)]
pub(crate) struct Rewrite {
    pub(crate) path: PathBuf,
    /// As it was read.
    pub(crate) text: String,
    pub(crate) canonical: String,
}

/// Longest file with the name of a release.
const MAX_RELEASE_BYTES: u64 = 4096;

impl Listing {
    /// Reads what the listed services ran from last; a file that cannot be used says nothing.
    pub(crate) fn read_formers(&mut self, file_of: impl Fn(&str) -> PathBuf) {
        for name in self.specs.keys() {
            let text = read_text(&file_of(name), MAX_RELEASE_BYTES).ok().flatten();
            let release = text.and_then(|text| text.trim().parse::<PackageIdent>().ok());
            if let Some(release) = release.filter(PackageIdent::is_fully_qualified) {
                self.formers.insert(name.clone(), release.to_string());
            }
        }
    }
}

/// Reads all specs. Those of the `known` services are looked for by name too: some file systems
/// leave a file out of a list when it is replaced meanwhile, and a service that is missing is
/// stopped.
///
/// # Errors
/// When the directory cannot be listed; then nothing is known about any service.
pub(crate) fn read_all(directory: &Path, known: &[String]) -> io::Result<Listing> {
    let mut listing = Listing::default();
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "spec"));
    paths.extend(known.iter().map(|name| directory.join(format!("{name}.spec"))));
    paths.sort();
    paths.dedup();
    for path in paths {
        let (Some(file_name), Some(name)) =
            (path.file_name().and_then(|n| n.to_str()), path.file_stem().and_then(|n| n.to_str()))
        else {
            continue;
        };
        match read(&path, file_name) {
            Ok(None) => {}
            Ok(Some((spec, text))) => {
                let canonical = spec.to_toml();
                if canonical != text {
                    listing.rewrites.push(Rewrite { path: path.clone(), text, canonical });
                }
                listing.specs.insert(name.into(), spec);
            }
            Err(error) => {
                listing.unusable.push(name.into());
                let line = error.line(&path.display().to_string());
                listing.complaints.insert(path, line);
            }
        }
    }
    Ok(listing)
}

/// Reads one spec; `None` when the file is gone.
pub(crate) fn read(
    path: &Path,
    file_name: &str,
) -> Result<Option<(ServiceSpec, String)>, SpecError> {
    guarded(|| read_and_parse(path, file_name)).unwrap_or_else(|bug| Err(SpecError::Invalid(bug)))
}

fn read_and_parse(
    path: &Path,
    file_name: &str,
) -> Result<Option<(ServiceSpec, String)>, SpecError> {
    match roost_files::read_text(path, SPEC_SIZE_MAX_BYTES as u64) {
        Ok(Some(text)) => Ok(Some((ServiceSpec::parse(&text, file_name)?, text))),
        Ok(None) => Ok(None),
        Err(error) => Err(SpecError::Invalid(error.reason())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_file_is_told_and_keeps_no_other_from_being_read() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        write("web.spec", "ident = \"acme/web\"\n");
        write("other.spec", "ident = \"acme/web\"\n");
        write("broken.spec", "ident = ");
        write("notes.txt", "not a spec");
        let listing = read_all(directory.path(), &["web".into(), "gone".into()]).unwrap();
        assert_eq!(listing.specs.keys().collect::<Vec<_>>(), ["web"]);
        assert_eq!(listing.unusable, ["broken", "other"]);
        let complaint = &listing.complaints[&directory.path().join("other.spec")];
        assert!(complaint.contains("it should be called 'web.spec'"), "{complaint}");
        assert_eq!(listing.rewrites.len(), 1, "the short form is written out in full");
    }

    #[test]
    fn without_the_directory_nothing_is_known() {
        assert!(read_all(Path::new("/does/not/exist"), &[]).is_err());
    }
}
