//! Archives signed by the real `hab pkg sign`: good, broken and hostile ones.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use roost_crypto::{KeyFile, SigningPublicKey};
use roost_hart::{Archive, HartError};
use roost_ident::PackageIdent;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn key(name: &str) -> SigningPublicKey {
    let path = fixtures().join("keys").join(format!("{name}.pub"));
    SigningPublicKey::parse(&fs::read_to_string(path).expect("a key file")).expect("a key")
}

/// Verifies and unpacks like an installation. The result is in the returned directory.
fn unpack(path: &Path) -> Result<(tempfile::TempDir, PackageIdent), HartError> {
    let archive = Archive::open(path)?;
    let signer = archive.header().signer.to_string();
    archive.verify(&key(&signer))?;
    let metafiles = archive.metafiles(&["IDENT", "TARGET"])?;
    let missing = |name: &str| HartError::NoMetafile(name.into());
    metafiles.get("TARGET").ok_or_else(|| missing("TARGET"))?;
    let ident = metafiles.get("IDENT").ok_or_else(|| missing("IDENT"))?;
    let ident: PackageIdent = ident.parse().expect("an identifier");
    let place = tempfile::tempdir().expect("a directory");
    let release = place.path().join("release");
    fs::create_dir(&release).expect("a directory");
    let directory = File::open(&release).expect("a directory");
    archive.unpack(&ident, &directory.into())?;
    Ok((place, ident))
}

#[test]
fn good_archives_verify_and_unpack_with_their_modes() {
    let mut count = 0;
    for entry in fs::read_dir(fixtures().join("harts")).expect("fixtures") {
        let path = entry.expect("an entry").path();
        unpack(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        count += 1;
    }
    assert_eq!(count, 6);
    let app = fixtures().join("harts/vecpkg-app-1.2.3-20250101000003-x86_64-linux.hart");
    let (place, ident) = unpack(&app).expect("unpacked");
    assert_eq!(ident.to_string(), "vecpkg/app/1.2.3/20250101000003");
    let release = place.path().join("release");
    let mode =
        |path: &str| fs::metadata(release.join(path)).expect(path).permissions().mode() & 0o7777;
    for (path, expected) in [
        ("bin", 0o755),
        ("bin/app", 0o755),
        ("bin/app-hard", 0o755),
        ("bin/private", 0o600),
        ("bin/suid", 0o4755),
        ("config/sub/x.conf", 0o640),
        ("empty", 0o700),
        ("shared", 0o1777),
    ] {
        assert_eq!(mode(path), expected, "{path}");
    }
    let link = fs::read_link(release.join("bin/away")).expect("a link");
    assert_eq!(link, Path::new("/hab/pkgs/vecpkg/lib/1.0.0/20250101000001/bin/libtool"));
}

#[test]
fn bad_archives_have_their_reasons() {
    // Habitat installs these too.
    let fine = ["bad-deps", "gnu-long", "header-crlf", "leading-slash", "no-manifest", "pax"];
    // The installation checks targets and identifiers.
    let unseen = ["bad-target", "fuzzy-ident", "two-streams", "wrong-target", "other-origin-key"];
    let unseen = [unseen.as_slice(), &["unknown-key"]].concat();
    for (name, reason) in [
        ("dot-slash", "Couldn't read MetaFile: TARGET, not found"),
        ("empty", "Crypto error: Corrupt payload, can't read format version"),
        ("garbage", "Crypto error: Unsupported format version: this is no archive"),
        ("gzip", "stream/file format not recognized"),
        ("header-1", "Crypto error: Corrupt payload, can't read origin key name"),
        ("header-2", "Crypto error: Corrupt payload, can't read hash type"),
        ("header-3", "Crypto error: Corrupt payload, can't read signature"),
        ("header-4", "Crypto error: Corrupt payload, can't find end of header"),
        ("header-bad-hash", "Crypto error: Unsupported signature type: SHA512"),
        ("header-bad-key", "Crypto error: Cannot parse named revision 'vecpkg'"),
        ("header-bad-version", "Crypto error: Unsupported format version: HART-2"),
        ("header-not-empty-5", "Crypto error: Expected empty delimiter line in header; got 'x'"),
        ("hostile-absolute", "'/var/roost-outside/absolute': it lies outside"),
        ("hostile-device", "/null': it is a device"),
        ("hostile-dirfile", "/d': an entry of this name came before"),
        ("hostile-dotdot", "dotdot': its name climbs"),
        ("hostile-dup", "/x': an entry of this name came before"),
        ("hostile-elsewhere", "/TARGET': it lies outside"),
        ("hostile-fifo", "/pipe': it is a named pipe"),
        ("hostile-hardlink", "/hard': it is a hard link out of the package"),
        ("hostile-suid", "/suid': it is set-user-id"),
        ("hostile-symlink", "/esc': it is a link to '/var/roost-outside'"),
        ("hostile-symlink-plain", "/abs': it is a link to '/etc/passwd'"),
        ("hostile-symlink-rel", "/esc': it is a link to '../../../../../..'"),
        ("hostile-symlink-replace", "the release itself must be a directory"),
        ("ident-mismatch", "it lies outside of the release"),
        ("no-ident", "Couldn't read MetaFile: IDENT, not found"),
        ("no-payload", "Crypto error: Habitat artifact is invalid, hashes don't match"),
        ("no-target", "Couldn't read MetaFile: TARGET, not found"),
        (
            "signature-not-base64",
            "Crypto error: Can't decode signature: Invalid symbol 33, offset 0.",
        ),
        ("signature-other-hash", "Crypto error: Verification failed"),
        ("signature-truncated", "Crypto error: Verification failed"),
        (
            "tampered-body",
            "(expected: 4e6a73deb2439f970f22f68da95136da208c7b3b730acdb8672077a5f653b05a, computed: b769e5236f87b75f49e6f7eac24ff7294eaafb601cf69bcdaab9dcc6e3e5abf2)",
        ),
        ("tampered-signature", "Crypto error: Verification failed"),
        ("trailing-bytes", "Crypto error: Habitat artifact is invalid, hashes don't match"),
        ("truncated-xz", "premature eof"),
        ("unsigned", "stream did not contain valid UTF-8"),
    ] {
        let error =
            unpack(&fixtures().join(format!("bad/{name}.hart"))).expect_err(name).to_string();
        assert!(error.contains(reason), "{name}: {error}");
    }
    for name in fine.iter().chain(&unseen) {
        let path = fixtures().join(format!("bad/{name}.hart"));
        if let Err(error) = unpack(&path) {
            panic!("{name}: {error}");
        }
    }
}
