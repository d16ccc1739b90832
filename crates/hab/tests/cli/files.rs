//! Commands that write files: keys, secrets, settings.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::Place;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

/// The only file of the directory with this suffix.
fn only(directory: &Path, suffix: &str) -> std::path::PathBuf {
    let mut found: Vec<_> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(suffix))
        .collect();
    assert_eq!(found.len(), 1, "{suffix} in {}", directory.display());
    found.remove(0)
}

/// Directory of keys: below the root for root; for others the test passes it.
const CACHE: &str = "cache";

#[test]
fn a_ring_key_goes_from_one_cache_to_another() {
    let place = Place::new();
    let ended = place.hab(&["ring", "key", "generate", "dev", "--cache-key-path", CACHE]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let key = only(&place.path().join(CACHE), ".sym.key");
    assert_eq!(mode(&key), 0o400);
    let stem = key.file_name().expect("a name").to_string_lossy().replace(".sym.key", "");
    let expected = format!("» Generating ring key for dev\n★ Generated ring key {stem}.\n");
    assert_eq!(ended.stdout, expected);

    let exported = place.hab(&["ring", "key", "export", "dev", "--cache-key-path", CACHE]);
    assert_eq!(exported.stdout, fs::read_to_string(&key).expect("a key"));
    let env = [("HAB_CACHE_KEY_PATH", "other")];
    let imported = place.hab_with(&["ring", "key", "import"], &env, &exported.stdout);
    let text = format!("» Importing ring key from standard input\n★ Imported ring key {stem}.\n");
    assert_eq!((imported.code, imported.stdout), (0, text));
    let none = place.hab_with(&["ring", "key", "export", "prod"], &env, "");
    let text = "✗✗✗\n✗✗✗ Crypto error: No revisions found for prod\n✗✗✗\n";
    assert_eq!((none.code, none.stderr.as_str()), (1, text));
    let bad = place.hab_with(&["ring", "key", "import"], &env, "nonsense");
    assert!(bad.stderr.contains("Crypto error: Unsupported key version: nonsense"));
}

#[test]
fn pairs_of_users_and_groups_are_named_after_them() {
    let place = Place::new();
    let user = place.hab(&["user", "key", "generate", "bob", "--cache-key-path", CACHE]);
    assert!(
        user.stdout.starts_with(
            "» Generating user key for bob\n★ Generated user encryption key pair bob-"
        )
    );
    let cache = place.path().join(CACHE);
    assert_eq!(mode(&only(&cache, ".box.key")), 0o400);
    assert_eq!(mode(&only(&cache, ".pub")), 0o444);
    let env = [("HABITAT_ORG", "acme"), ("HAB_CACHE_KEY_PATH", "svc")];
    let service = place.hab_with(&["svc", "key", "generate", "demo.blue"], &env, "");
    assert!(service.stdout.starts_with(
        "» Generating service key for demo.blue in acme\n★ Generated service key pair \
         demo.blue@acme-"
    ));
    let twice = place.hab_with(&["svc", "key", "generate", "demo.blue@x"], &env, "");
    assert_eq!(twice.code, 1);
}

#[test]
fn an_upload_that_could_not_be_encrypted_is_refused() {
    let place = Place::new();
    place.write("f.txt", "x");
    let ended = place.hab(&["file", "upload", "demo.blue", "1", "f.txt", "-u", "bob"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("demo.blue has none"), "{}", ended.stderr);
}

#[test]
fn configuration_is_encrypted_before_anything_is_sent() {
    let place = Place::new();
    let env = [("HAB_CACHE_KEY_PATH", CACHE)];
    assert_eq!(place.hab_with(&["user", "key", "generate", "bob"], &env, "").code, 0);
    let generate = ["svc", "key", "generate", "demo.blue", "acme"];
    assert_eq!(place.hab_with(&generate, &env, "").code, 0);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let apply = ["config", "apply", "-r", &address, "-u", "bob", "demo.blue@acme", "1"];
    let ended = place.hab_with(&apply, &env, "x = 1\n");
    assert_eq!(ended.code, 1);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("☛ Encrypting Encrypting config (user rev = bob-"), "{lines:?}");
    assert!(lines[0].contains(", service rev = demo.blue@acme-"), "{lines:?}");
    assert_eq!(lines[1], "» Setting new configuration version 1 for demo.blue@acme");
    assert_eq!(lines[2], "Ω Creating service configuration");
}

#[test]
fn secrets_have_88_letters_and_differ() {
    let place = Place::new();
    let one = place.hab(&["sup", "secret", "generate"]);
    assert_eq!((one.code, one.stdout.len()), (0, 89));
    assert_ne!(one.stdout, place.hab(&["sup", "secret", "generate"]).stdout);
}

#[test]
fn tls_material_goes_below_the_root_and_its_key_is_private() {
    let place = Place::new();
    let name = "--subject-alternative-name";
    let ended = place.hab(&["sup", "secret", "generate-tls", name, "sup.example.com"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
    let directory = place.root().join("hab/cache/keys/ctl");
    assert_eq!(mode(&only(&directory, ".key.pem")), 0o600);
    assert_eq!(mode(&only(&directory, ".crt.pem")), 0o644);
    let key = fs::read_to_string(only(&directory, ".key.pem")).expect("a key");
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
    let bad = place.hab(&["sup", "secret", "generate-tls", name, "bad name"]);
    let text = "✗✗✗\n✗✗✗ Invalid DNS name: bad name\n✗✗✗\n";
    assert_eq!((bad.code, bad.stderr.as_str()), (1, text));
}

#[test]
fn setup_keeps_what_was_answered_for_its_owner_only() {
    let place = Place::new();
    let home = place.path().join("home");
    let env = [("HOME", home.to_str().expect("text")), ("HAB_CACHE_KEY_PATH", CACHE)];
    let answers = "n\ny\nacme\ny\nn\ny\ns3cret\nn\n";
    let ended = place.hab_with(&["cli", "setup"], &env, answers);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    // One place for root, one in the home of others.
    let places = [place.root().join("hab/etc/cli.toml"), home.join(".hab/etc/cli.toml")];
    let path = places.iter().find(|path| path.is_file()).expect("the settings");
    let text = fs::read_to_string(path).expect("settings");
    assert_eq!(text, "origin = \"acme\"\nctl_secret = \"s3cret\"\n");
    assert_eq!(mode(path), 0o600);
    only(&place.path().join(CACHE), ".sig.key");

    let cut = place.hab_with(&["cli", "setup"], &env, "n\n");
    assert_eq!(cut.code, 1);
    let quit = place.hab_with(&["cli", "setup"], &env, "q\n");
    assert_eq!(quit.code, 0);
}

#[test]
fn accepting_the_licence_leaves_the_file_that_others_look_for() {
    let place = Place::new();
    let home = place.path().join("home");
    let env = [("HOME", home.to_str().expect("text"))];
    assert_eq!(place.hab_with(&["license", "accept"], &env, "").code, 0);
    let places = [place.root().join("hab"), home.join(".hab")];
    assert!(places.iter().any(|path| path.join("accepted-licenses/habitat").is_file()));
}
