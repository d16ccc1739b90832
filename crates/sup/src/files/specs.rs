//! The spec directory: one file per service, what the user wants (reference: services §2.3).
//!
//! The files are the truth: commands change them, people may too, and the Supervisor follows.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use roost_fleet::{Followed, Rewrite};
use roost_ident::PackageIdent;
use roost_pkg::{FsRoot, followed, read::read_text, stage::Rights};
use roost_service::{ServiceSpec, SpecError, spec_file::SPEC_SIZE_MAX_BYTES};

use crate::{services::built::Built, vital::guarded};

/// What the directory holds.
pub(crate) type Listing = roost_fleet::Listing<Built>;

/// Longest file with the name of a release.
const MAX_RELEASE_BYTES: u64 = 4096;

/// Reads all specs as [`read_all`] does, the directories that are followed, and what the services
/// ran from last.
///
/// # Errors
/// When the directory of specs cannot be listed.
pub(crate) fn read_everything(root: &FsRoot, known: &[String]) -> io::Result<Listing> {
    let mut listing = read_all(&root.sup().specs(), known)?;
    let (found, complaints) = guarded(|| followed::read_all(root)).unwrap_or_default();
    listing.followed = found.into_iter().map(follow).collect();
    listing.followed_complaints = complaints;
    for name in listing.specs.keys() {
        if let Some(former) = former(&root.sup().release_file(name)) {
            listing.formers.insert(name.clone(), former);
        }
    }
    Ok(listing)
}

fn follow(known: followed::Followed) -> Followed<Rights> {
    let rights = known.pinned().rights;
    let followed::Followed { path, origin, name, release, .. } = known;
    Followed { service: name, origin, path, rights, release }
}

/// The release that a service ran from last; a file that cannot be used names none.
fn former(path: &Path) -> Option<String> {
    let text = read_text(path, MAX_RELEASE_BYTES).ok().flatten()?;
    let release = text.trim().parse::<PackageIdent>().ok()?;
    release.is_fully_qualified().then(|| release.to_string())
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
    fn a_bad_file_is_reported_and_keeps_no_other_from_being_read() {
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
