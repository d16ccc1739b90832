//! The key cache, with files written by Habitat 2.1.78 and in temporary directories.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use roost_crypto::{
    BoxPublicKey, BoxSecretKey, Error, KeyCache, KeyFile, NamedRevision, Result, RingKey,
    SigningPublicKey, SigningSecretKey,
};

fn fixtures() -> KeyCache {
    KeyCache::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cache"))
}

fn empty() -> (tempfile::TempDir, KeyCache) {
    let dir = tempfile::tempdir().expect("a directory");
    let cache = KeyCache::new(dir.path().join("cache/keys"));
    (dir, cache)
}

fn named(text: &str) -> NamedRevision {
    NamedRevision::parse(text).expect(text)
}

fn mode(cache: &KeyCache, file: &str) -> u32 {
    fs::metadata(cache.dir().join(file)).expect(file).permissions().mode() & 0o7777
}

fn names(cache: &KeyCache) -> Vec<String> {
    let entries = fs::read_dir(cache.dir()).expect("a directory");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    names
}

#[test]
fn recorded_files_are_read_and_written_byte_by_byte() {
    fn check<K: KeyFile>(name: &str) {
        let key: K = fixtures().latest(name).expect(name);
        let file = fixtures().dir().join(key.file_name());
        assert_eq!(*key.to_text(), fs::read_to_string(&file).expect(name));
        let (_dir, cache) = empty();
        cache.write(&key).expect("written");
        assert_eq!(fs::read(cache.dir().join(key.file_name())).ok(), fs::read(&file).ok());
        assert_eq!(mode(&cache, &key.file_name()), K::MODE);
        assert_eq!(names(&cache), [key.file_name()]);
    }
    check::<RingKey>("vecring");
    check::<BoxPublicKey>("alice");
    check::<BoxSecretKey>("alice");
    check::<BoxPublicKey>("web.default@acme");
    check::<BoxSecretKey>("web.default@acme");
    check::<SigningPublicKey>("vecorigin");
    check::<SigningSecretKey>("vecorigin");
}

#[test]
fn recorded_halves_belong_together() {
    let secret: BoxSecretKey = fixtures().latest("alice").expect("a key");
    assert_eq!(secret.public_key(), fixtures().latest("alice").expect("a key"));
    let secret: SigningSecretKey = fixtures().latest("vecorigin").expect("a key");
    assert_eq!(secret.public_key(), fixtures().latest("vecorigin").expect("a key"));
}

#[test]
fn the_latest_revision_has_the_same_name_and_kind() {
    let (_dir, cache) = empty();
    let key = |name| RingKey::generate(named(name)).expect("a key");
    for name in ["foo-20240102030405", "foo-20250102030405", "foo-bar-20260102030405"] {
        cache.write(&key(name)).expect(name);
    }
    // Neither a file with another number of digits nor a directory is a revision.
    fs::write(cache.dir().join("foo-202601020304050.sym.key"), "x").expect("written");
    fs::create_dir(cache.dir().join("foo-20270102030405.sym.key")).expect("made");
    let latest: RingKey = cache.latest("foo").expect("a key");
    assert_eq!(latest.named_revision(), &named("foo-20250102030405"));

    let old = BoxSecretKey::generate(named("foo-20200102030405")).expect("a key").public_key();
    cache.write(&old).expect("written");
    let signing = SigningSecretKey::generate(named("foo-20250102030405")).expect("a key");
    cache.write(&signing.public_key()).expect("written");
    assert_eq!(cache.latest::<BoxPublicKey>("foo").expect("a key"), old);

    for name in ["fo", "foo-", "*", ""] {
        let error = cache.latest::<RingKey>(name).expect_err(name).to_string();
        assert_eq!(error, format!("Crypto error: No revisions found for {name}"));
    }
}

#[test]
fn a_broken_newest_revision_is_an_error_without_fallback() {
    let (_dir, cache) = empty();
    cache.write(&RingKey::generate(named("foo-20240102030405")).expect("a key")).expect("written");
    fs::write(cache.dir().join("foo-20250102030405.sym.key"), "SYM-SEC-1\n").expect("written");
    assert!(matches!(cache.latest::<RingKey>("foo"), Err(Error::MissingName)));
    fs::write(cache.dir().join("foo-20260102030405.sym.key"), "x".repeat(5000)).expect("written");
    assert!(matches!(cache.latest::<RingKey>("foo"), Err(Error::TooLong { .. })));
}

#[test]
fn a_missing_cache_has_no_keys() {
    let (_dir, cache) = empty();
    assert!(matches!(cache.latest::<RingKey>("foo"), Err(Error::NoRevisions(_))));
    let error = cache.get::<RingKey>(&named("foo-20240102030405")).expect_err("no key");
    assert!(matches!(&error, Error::NotFound(path) if path.starts_with(cache.dir())), "{error}");
}

#[test]
fn an_existing_key_is_never_replaced() {
    let (_dir, cache) = empty();
    let text = "SYM-SEC-1\ndev-20261122154607\n\n1AEYR8CuFbqpb03sm9iE7zS+lQzGm7kPmPgbwfLEoig=";
    let key: RingKey = cache.import(&format!("\n{text}\n \n")).expect("imported");
    assert_eq!(fs::read_to_string(cache.dir().join(key.file_name())).expect("a file"), text);
    cache.import::<RingKey>(text).expect("the same again");
    cache.write(&key).expect("the same again");

    let other = RingKey::generate(key.named_revision().clone()).expect("a key");
    let error = cache.write(&other).expect_err("another key").to_string();
    let expected = format!(
        "Crypto error: Existing key file {} found but new version hash is different, failing to \
         write new file over existing. (existing = {}, incoming = {})",
        cache.dir().join(key.file_name()).display(),
        roost_crypto::hash::hash_hex(text.as_bytes()),
        roost_crypto::hash::hash_hex(other.to_text().as_bytes()),
    );
    assert_eq!(error, expected);
    assert_eq!(names(&cache), [key.file_name()]);
}

#[test]
fn a_failed_write_reports_the_path_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    let cache = KeyCache::new(dir.path().join("file/keys"));
    fs::write(dir.path().join("file"), "").expect("written");
    let key = RingKey::generate(named("foo-20240102030405")).expect("a key");
    let error = cache.write(&key).expect_err("no directory").to_string();
    assert!(error.contains("file/keys/foo-20240102030405.sym.key"), "{error}");
}

#[test]
fn only_signing_keys_are_imported_as_signing_keys() {
    let (_dir, cache) = empty();
    for suffix in ["pub", "sig.key"] {
        let file = fixtures().dir().join(format!("vecorigin-20261122164420.{suffix}"));
        let text = fs::read_to_string(file).expect("a file");
        let name = cache.import_signing_key(&text).expect("imported");
        assert_eq!(name, named("vecorigin-20261122164420"));
    }
    let ring = fixtures().latest::<RingKey>("vecring").expect("a key").to_text();
    for text in ["", "SIG-PUB-2\n", ring.as_str()] {
        assert!(matches!(cache.import_signing_key(text), Err(Error::NotASigningKey)), "{text}");
    }
    assert_eq!(mode(&cache, "vecorigin-20261122164420.pub"), 0o444);
    assert_eq!(mode(&cache, "vecorigin-20261122164420.sig.key"), 0o400);
}

#[test]
fn pairs_are_written_with_the_modes_of_their_halves() -> Result<()> {
    let (_dir, cache) = empty();
    let secret = BoxSecretKey::generate(named("web.default@acme-20240102030405"))?;
    cache.write_pair(&secret.public_key(), &secret)?;
    assert_eq!(mode(&cache, "web.default@acme-20240102030405.pub"), 0o444);
    assert_eq!(mode(&cache, "web.default@acme-20240102030405.box.key"), 0o400);
    Ok(())
}
