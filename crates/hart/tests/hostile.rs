//! Hostile archives: bombs, endless names, too many entries, similar names, truncation.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::Path,
};

use lzma_rust2::{XzOptions, XzWriter};
use roost_crypto::{NamedRevision, SigningSecretKey};
use roost_hart::{Archive, pack, unpack::unpack};
use roost_ident::PackageIdent;

fn ident() -> PackageIdent {
    PackageIdent::new("o", "n", Some("1"), Some("20250101000000"))
}

fn header(name: &str, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    let name = format!("hab/pkgs/{}/{name}", ident());
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_cksum();
    header
}

/// Unpacks a tar into a fresh directory; nothing may appear outside of it.
fn refused(tar: impl Read, limit: u64) -> String {
    let place = tempfile::tempdir().expect("a directory");
    let release = place.path().join("release");
    fs::create_dir(&release).expect("a directory");
    let directory = File::open(&release).expect("a directory");
    let error = unpack(tar, &ident(), &directory.into(), limit).expect_err("refused").to_string();
    assert_eq!(fs::read_dir(place.path()).expect("a directory").count(), 1, "{error}");
    error
}

#[test]
fn a_size_beyond_what_an_archive_may_unpack_to_is_refused_before_it_is_written() {
    let header = header("bomb", tar::EntryType::Regular, 1 << 40);
    let error = refused(header.as_bytes().as_slice().chain(std::io::repeat(0)), 1000);
    assert!(
        error.contains("/bomb': with it the archive unpacks to more than 1000 bytes"),
        "{error}"
    );
}

#[test]
fn an_endless_name_is_refused_without_being_read() {
    let header = header("long", tar::EntryType::GNULongName, 1 << 33);
    let error = refused(header.as_bytes().as_slice().chain(std::io::repeat(b'x')), u64::MAX);
    assert!(error.contains("extended header is longer than"), "{error}");
    let name = format!("hab/pkgs/{}/{}", ident(), "d/".repeat(3000));
    let mut tar = header_bytes(tar::EntryType::GNULongName, name.as_bytes());
    tar.extend_from_slice(&header_bytes(tar::EntryType::Regular, b""));
    let error = refused(tar.as_slice(), u64::MAX);
    assert!(error.contains("longer than any path"), "{error}");
}

fn header_bytes(kind: tar::EntryType, content: &[u8]) -> Vec<u8> {
    let mut bytes = header("x", kind, content.len() as u64).as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn a_million_entries_are_refused() {
    /// The same directory, repeated.
    struct Endless(Vec<u8>, usize);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = buffer.len().min(self.0.len() - self.1);
            buffer[..count].copy_from_slice(&self.0[self.1..self.1 + count]);
            self.1 = (self.1 + count) % self.0.len();
            Ok(count)
        }
    }
    let name = format!("hab/pkgs/{}", ident());
    let mut header = tar::Header::new_gnu();
    header.set_path(&name).expect("a name");
    header.set_entry_type(tar::EntryType::Directory);
    header.set_mode(0o755);
    header.set_size(0);
    header.set_cksum();
    let error = refused(Endless(header.as_bytes().to_vec(), 0), u64::MAX);
    assert!(error.contains("entries") && error.contains(&name), "{error}");
}

#[test]
fn sparse_files_and_unknown_kinds_are_refused() {
    let error = refused(header_bytes(tar::EntryType::GNUSparse, b"").as_slice(), u64::MAX);
    assert!(error.contains("/x': it is a sparse file"), "{error}");
    let pax = b"29 GNU.sparse.realsize=12345\n";
    let mut tar = header_bytes(tar::EntryType::XHeader, pax);
    tar.extend_from_slice(&header_bytes(tar::EntryType::Regular, b""));
    let error = refused(tar.as_slice(), u64::MAX);
    assert!(error.contains("sparse file"), "{error}");
    let error = refused(header_bytes(tar::EntryType::new(b'V'), b"").as_slice(), u64::MAX);
    assert!(error.contains("of a kind that packages do not hold"), "{error}");
}

#[test]
fn a_tar_that_ends_in_the_middle_is_refused() {
    let mut tar = header("x", tar::EntryType::Regular, 100_000).as_bytes().to_vec();
    tar.extend_from_slice(&[7; 5000]);
    assert_eq!(refused(tar.as_slice(), u64::MAX), "premature eof");
}

fn key() -> SigningSecretKey {
    let named = NamedRevision::parse("o-20250101000000").expect("a name");
    SigningSecretKey::generate(named).expect("a key")
}

fn tree(place: &Path) {
    fs::create_dir_all(place.join("bin")).expect("a directory");
    fs::write(place.join("IDENT"), format!("{}\n", ident())).expect("written");
    fs::write(place.join("TARGET"), "x86_64-linux\n").expect("written");
    fs::write(place.join("bin/tool"), vec![b'x'; 100_000]).expect("written");
    fs::write(place.join("x".repeat(180)), "a long name").expect("written");
    std::os::unix::fs::symlink("tool", place.join("bin/link")).expect("a link");
}

#[test]
fn packed_archives_verify_unpack_and_are_reproducible() {
    let place = tempfile::tempdir().expect("a directory");
    let source = place.path().join("tree");
    tree(&source);
    let key = key();
    let options = pack::PackOptions { level: 1, mtime_s: 1_700_000_000 };
    let files = ["one.hart", "two.hart"].map(|name| place.path().join(name));
    for file in &files {
        pack::pack(&source, &ident(), &key, options, file).expect("packed");
    }
    assert!(fs::read(&files[0]).expect("read") == fs::read(&files[1]).expect("read"));
    let archive = Archive::open(&files[0]).expect("opened");
    archive.verify(&key.public_key()).expect("verified");
    let release = place.path().join("release");
    fs::create_dir(&release).expect("a directory");
    let directory = File::open(&release).expect("a directory");
    archive.unpack(&ident(), &directory.into()).expect("unpacked");
    assert_eq!(pack::sorted(&source).expect("read"), pack::sorted(&release).expect("read"));
    let read = |base: &Path| fs::read(base.join("bin/tool")).expect("read");
    assert!(read(&source) == read(&release));
    let mtime = fs::metadata(release.join("bin")).and_then(|found| found.modified());
    assert_eq!(
        mtime.expect("a time"),
        std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)
    );
}

#[test]
fn a_bomb_of_zeros_in_xz_is_refused_by_name_and_leaves_little() {
    let place = tempfile::tempdir().expect("a directory");
    let mut xz = XzWriter::new(Vec::new(), XzOptions::with_preset(0)).expect("options");
    let size = 3_u64 << 30;
    xz.write_all(header("zeros", tar::EntryType::Regular, size).as_bytes()).expect("written");
    // The claimed size suffices; the data is not needed.
    xz.write_all(&[0; 4096]).expect("written");
    let payload = place.path().join("payload");
    fs::write(&payload, xz.finish().expect("compressed")).expect("written");
    let hart = place.path().join("bomb.hart");
    let key = key();
    pack::sign(&payload, &key, &hart).expect("signed");
    let archive = Archive::open(&hart).expect("opened");
    archive.verify(&key.public_key()).expect("verified");
    let release = place.path().join("release");
    fs::create_dir(&release).expect("a directory");
    let directory = File::open(&release).expect("a directory");
    let error = archive.unpack(&ident(), &directory.into()).expect_err("refused").to_string();
    assert!(error.contains("/zeros': with it the archive unpacks to more than"), "{error}");
    assert_eq!(fs::read_dir(&release).expect("a directory").count(), 0);
}

#[test]
fn an_archive_cut_anywhere_is_refused() {
    let place = tempfile::tempdir().expect("a directory");
    let source = place.path().join("tree");
    tree(&source);
    let key = key();
    let hart = place.path().join("x.hart");
    let options = pack::PackOptions { level: 0, mtime_s: 0 };
    pack::pack(&source, &ident(), &key, options, &hart).expect("packed");
    let whole = fs::read(&hart).expect("read");
    let cut = place.path().join("cut.hart");
    for end in (0..whole.len()).step_by(7) {
        fs::write(&cut, &whole[..end]).expect("written");
        let Ok(archive) = Archive::open(&cut) else { continue };
        archive.verify(&key.public_key()).expect_err("cut");
        // Even without verification.
        let release = place.path().join(format!("release-{end}"));
        fs::create_dir(&release).expect("a directory");
        let directory = File::open(&release).expect("a directory");
        archive.unpack(&ident(), &directory.into()).expect_err("cut");
    }
}

#[test]
fn a_large_tree_is_packed_in_several_blocks_and_is_the_same_each_time() {
    let place = tempfile::tempdir().expect("a directory");
    let source = place.path().join("tree");
    tree(&source);
    // More than one block is compressed at once.
    let piece: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(n) >> 13) as u8).collect();
    let content = piece.repeat(300);
    fs::write(source.join("bin/large"), &content).expect("written");
    let key = key();
    let options = pack::PackOptions { level: 0, mtime_s: 0 };
    let files = ["one.hart", "two.hart"].map(|name| place.path().join(name));
    for file in &files {
        pack::pack(&source, &ident(), &key, options, file).expect("packed");
    }
    assert!(fs::read(&files[0]).expect("read") == fs::read(&files[1]).expect("read"));
    let archive = Archive::open(&files[0]).expect("opened");
    archive.verify(&key.public_key()).expect("verified");
    let release = place.path().join("release");
    fs::create_dir(&release).expect("a directory");
    let directory = File::open(&release).expect("a directory");
    archive.unpack(&ident(), &directory.into()).expect("unpacked");
    assert!(content == fs::read(release.join("bin/large")).expect("read"));
}
