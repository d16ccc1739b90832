//! Messages encrypted and signed by Habitat 2.1.78 can be decrypted and verified here.

use std::{fs, path::PathBuf};

use roost_crypto::{KeyCache, KeyFile, RingKey, SigningPublicKey, SigningSecretKey, hash};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(fixture(name)).expect(name)).expect(name)
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().expect("hex");
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
fn recorded_configuration_and_files_are_decrypted() {
    let cache = KeyCache::new(fixture("cache"));
    let messages = json("encrypted-messages.json");
    let mut count = 0;
    for item in messages["box_1"].as_array().expect("a list") {
        let Some(message) = item["message"].as_str() else { continue };
        let content = cache.decrypt(message.as_bytes()).expect(message);
        assert_eq!(String::from_utf8(content).ok().as_deref(), item["plaintext"].as_str());
        count += 1;
    }
    assert_eq!(count, 2);
}

#[test]
fn without_the_key_that_a_message_names_it_stays_closed() {
    let dir = tempfile::tempdir().expect("a directory");
    let messages = json("encrypted-messages.json");
    let message = messages["box_1"][0]["message"].as_str().expect("a message");
    let error = KeyCache::new(dir.path()).decrypt(message.as_bytes()).expect_err("no keys");
    assert!(error.to_string().starts_with("Crypto error: Key not found in cache: "), "{error}");
}

#[test]
fn recorded_gossip_is_opened_and_sealed_alike() {
    let text = fs::read_to_string(fixture("vec-20250101000000.sym.key")).expect("a key");
    let key = RingKey::parse(&text).expect("a key");
    let examples = json("keyed-examples.json");
    let items = examples["items"].as_array().expect("a list");
    assert!(items.len() > 5);
    for item in items {
        let (nonce, plain) = (bytes(&item["wire"]["nonce"]), bytes(&item["plain_hex"]));
        let sealed = key.seal(nonce.as_slice().try_into().expect("24 bytes"), &plain);
        assert_eq!(key.open(&nonce, &sealed).expect("opens"), plain);
        // The payload is the last field of the envelope.
        assert!(bytes(&item["hex"]).ends_with(&sealed), "{}", item["variety"]);
    }
}

#[test]
fn the_recorded_archive_is_hashed_signed_and_verified_alike() {
    let facts = json("hart.json");
    let archive = fs::read(fixture(facts["file"].as_str().expect("a name"))).expect("an archive");
    let payload = &archive[facts["payload_offset"].as_u64().expect("a number") as usize..];
    assert_eq!(hash::hash_hex(payload), facts["payload_blake2b_256"]);
    assert_eq!(hash::hash_hex(&archive), facts["file_blake2b_256"]);

    // The fourth line of the header is base64 of signature and signed message.
    let signed = facts["header_lines"][3].as_str().expect("a line");
    let signed = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, signed).expect("base64");
    let (signature, message) = signed.split_at(64);
    assert_eq!(String::from_utf8_lossy(message), facts["signed_message"].as_str().expect("text"));
    let cache = KeyCache::new(fixture("cache"));
    let public: SigningPublicKey = cache.latest("vecorigin").expect("a key");
    public.verify(message, signature.try_into().expect("64 bytes")).expect("the signature");
    let secret: SigningSecretKey = cache.latest("vecorigin").expect("a key");
    assert_eq!(secret.sign(message), signature);
}
