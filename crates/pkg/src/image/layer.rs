//! The file system of an image as a tar archive.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use roost_hart::pack;

use super::{ImageError, ImageOptions, Member, stamp_s};

/// Users that services run as.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nhab:x:42:42:hab:/hab:/bin/sh\n";
const GROUP: &str = "root:x:0:\nhab:x:42:\n";

/// Checks that a program is an ELF file that starts without a loader.
///
/// # Errors
/// When it is not such a file, or needs libraries.
pub fn check_program(path: &Path) -> Result<(), ImageError> {
    let wrong = |problem| ImageError::Program { path: path.into(), problem };
    let mut file = File::open(path).map_err(|error| ImageError::io(path, error))?;
    let mut head = vec![0; 4096];
    let mut length = 0;
    while length < head.len() {
        match file.read(&mut head[length..]).map_err(|error| ImageError::io(path, error))? {
            0 => break,
            count => length += count,
        }
    }
    head.truncate(length);
    match needs_loader(&head) {
        None => Err(wrong("is not a 64-bit ELF program")),
        Some(true) => Err(wrong("needs shared libraries, which are not in the image")),
        Some(false) => Ok(()),
    }
}

/// Whether an ELF file names an interpreter (ELF-64, little endian: program headers of type 3).
/// `None` for any other file.
fn needs_loader(head: &[u8]) -> Option<bool> {
    const INTERP: u32 = 3;
    let is_elf64 = head.starts_with(b"\x7fELF") && head.get(4..6) == Some(&[2, 1]);
    if !is_elf64 {
        return None;
    }
    let number = |at: usize| Some(u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?));
    let begin = u64::from_le_bytes(head.get(32..40)?.try_into().ok()?);
    let begin = usize::try_from(begin).ok()?;
    let (size, count) = (usize::from(number(54)?), usize::from(number(56)?));
    let mut found = false;
    for index in 0..count {
        let at = begin.checked_add(size.checked_mul(index)?)?;
        let kind = u32::from_le_bytes(head.get(at..at.checked_add(4)?)?.try_into().ok()?);
        found |= kind == INTERP;
    }
    Some(found)
}

/// Writes the layer.
pub(super) fn write<W: Write>(
    out: W,
    options: &ImageOptions<'_>,
    path: &Path,
) -> Result<W, ImageError> {
    let failed = |error| ImageError::io(path, error);
    let mut tar = tar::Builder::new(out);
    let mtime_s = stamp_s(options);
    for (name, mode) in
        [("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777), ("var", 0o755)]
    {
        directory(&mut tar, Path::new(name), mode, mtime_s).map_err(failed)?;
    }
    for (name, text) in [("etc/passwd", PASSWD), ("etc/group", GROUP)] {
        file(&mut tar, name, text.as_bytes(), text.len() as u64, 0o644, mtime_s).map_err(failed)?;
    }
    let program = options.program;
    let content = File::open(program).map_err(|error| ImageError::io(program, error))?;
    let size = content.metadata().map_err(|error| ImageError::io(program, error))?.len();
    file(&mut tar, "bin/hab", content.take(size), size, 0o755, mtime_s).map_err(failed)?;
    append_packages(&mut tar, options.members, mtime_s)?;
    tar.into_inner().map_err(failed)
}

/// Appends packages below `hab/pkgs`, with their parent directories. The status of an install hook
/// is left out: it holds only for this machine.
///
/// # Errors
/// When a package cannot be read, or holds content that an archive cannot hold.
pub fn append_packages<W: Write>(
    tar: &mut tar::Builder<W>,
    members: &[Member],
    mtime_s: u64,
) -> Result<(), ImageError> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by_key(|member| member.ident.to_string());
    sorted.dedup_by_key(|member| member.ident.to_string());
    let mut made = BTreeSet::new();
    for member in sorted {
        let place = PathBuf::from(format!("hab/pkgs/{}", member.ident));
        let above: Vec<_> = place.ancestors().skip(1).filter(|at| *at != Path::new("")).collect();
        for parent in above.into_iter().rev() {
            if made.insert(parent.to_path_buf()) {
                directory(tar, parent, 0o755, mtime_s)
                    .map_err(|error| ImageError::io(&member.path, error))?;
            }
        }
        pack::append_release_but(
            tar,
            &member.path,
            &member.ident,
            mtime_s,
            &["INSTALL_HOOK_STATUS"],
        )?;
    }
    Ok(())
}

fn header(kind: tar::EntryType, mode: u32, size: u64, mtime_s: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(mtime_s);
    header.set_uid(0);
    header.set_gid(0);
    header
}

pub(super) fn directory<W: Write>(
    tar: &mut tar::Builder<W>,
    path: &Path,
    mode: u32,
    mtime_s: u64,
) -> io::Result<()> {
    let mut header = header(tar::EntryType::Directory, mode, 0, mtime_s);
    tar.append_data(&mut header, path, io::empty())
}

pub(super) fn file<W: Write>(
    tar: &mut tar::Builder<W>,
    path: &str,
    content: impl Read,
    size: u64,
    mode: u32,
    mtime_s: u64,
) -> io::Result<()> {
    let mut header = header(tar::EntryType::Regular, mode, size, mtime_s);
    tar.append_data(&mut header, path, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_a_loader_differs_from_one_without() {
        // The test itself is linked dynamically, as is the C library.
        let own = std::env::current_exe().expect("a path");
        let dynamic = std::fs::read(&own).expect("a program").windows(8).any(|w| w == b"ld-linux");
        assert_eq!(check_program(&own).is_err(), dynamic);
        assert_eq!(needs_loader(b"#!/bin/sh\n"), None);
        let mut elf = vec![0; 128];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (elf[32], elf[54], elf[56]) = (64, 56, 1);
        assert_eq!(needs_loader(&elf), Some(false));
        elf[64] = 3;
        assert_eq!(needs_loader(&elf), Some(true));
        elf[56] = 200;
        assert_eq!(needs_loader(&elf), None);
    }
}
