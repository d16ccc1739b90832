//! Package archives: the header, the compressed body, the entries of the tar.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use roost_hart::{Header, body::Body, unpack::unpack};
use roost_ident::PackageIdent;

use crate::pieces::Pieces;

/// Most bytes read from a body.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// Reads a header; a valid one is written and read again.
pub fn header(data: &[u8]) {
    match Header::read(&mut &data[..]) {
        Ok(header) => {
            let mut text = Vec::new();
            header.write(&mut text).expect("memory takes everything");
            assert_eq!(Header::read(&mut text.as_slice()).expect("its own text"), header);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Decompresses a body, and continues reading after a failure.
pub fn body(data: &[u8]) {
    let Ok(mut body) = Body::open(data) else { return };
    let mut sink = Vec::new();
    let _ = body.by_ref().take(BODY_BYTES_MAX).read_to_end(&mut sink);
    let _ = body.take(64).read_to_end(&mut sink);
}

/// Unpacks a tar made from the input: nothing appears outside of the release, and its links do not
/// lead outside.
pub fn entries(data: &[u8]) {
    let scratch = tempfile::tempdir_in(*crate::pkg::SCRATCH).expect("a place to write");
    let release = scratch.path().join("release");
    fs::create_dir(&release).expect("a new directory");
    let directory = File::open(&release).expect("a directory");
    let ident = PackageIdent::new("o", "n", Some("1"), Some("2"));
    let result = unpack(tar(data).as_slice(), &ident, &directory.into(), BODY_BYTES_MAX);
    if let Err(error) = &result {
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
    }
    assert_eq!(fs::read_dir(scratch.path()).expect("a directory").count(), 1);
    assert!(!Path::new("/roost-fuzz").exists());
    look(&release);
}

/// Also sets modes of directories that allow their removal.
fn look(directory: &Path) {
    let mode = fs::Permissions::from_mode(0o700);
    fs::set_permissions(directory, mode).expect("our own directory");
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let found = fs::symlink_metadata(&path).expect("an entry");
        assert!(found.is_file() || found.is_dir() || found.is_symlink(), "{}", path.display());
        if found.is_symlink() {
            let target = fs::read_link(&path).expect("a link");
            assert!(
                target.is_relative()
                    || target.starts_with("/hab/pkgs")
                    || target.starts_with("/hab/svc"),
                "{}",
                target.display()
            );
        } else if found.is_dir() {
            look(&path);
        }
    }
}

/// A tar with valid checksums: kinds, modes and pieces of names come from the input.
fn tar(data: &[u8]) -> Vec<u8> {
    const KINDS: [u8; 16] = *b"000555121234LxgS";
    let mut pieces = Pieces::new(data);
    let mut tar = Vec::new();
    while !pieces.is_empty() && tar.len() < 64 * 1024 {
        let kind = KINDS[usize::from(pieces.below(16))];
        let mode = u32::from(pieces.byte()) << 4 | u32::from(pieces.byte());
        let (name, link) = (pieces.block(), pieces.block());
        let content = pieces.block();
        let mut header = tar::Header::new_gnu();
        let prefix: &[u8] = if pieces.flag() { b"hab/pkgs/o/n/1/2/" } else { b"" };
        let name: Vec<u8> = prefix.iter().chain(name).copied().take(100).collect();
        let bytes = header.as_mut_bytes();
        bytes[..name.len()].copy_from_slice(&name);
        let link: Vec<u8> = link.iter().copied().take(100).collect();
        bytes[157..157 + link.len()].copy_from_slice(&link);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_mode(mode);
        header.set_mtime(u64::from(pieces.byte()));
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar
}
