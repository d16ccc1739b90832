//! Key files and encrypted configuration.

use roost_crypto::{
    BoxMessage, BoxPublicKey, BoxSecretKey, KeyFile, NamedRevision, RingKey, SigningPublicKey,
    SigningSecretKey, boxed,
};

fn same<K: KeyFile>(text: &str) {
    if let Ok(key) = K::parse(text) {
        let again = K::parse(&key.to_text()).expect("its own text");
        assert_eq!(*again.raw(), *key.raw());
        assert_eq!(again.named_revision(), key.named_revision());
        assert!(!key.file_name().contains(['/', '\0']), "{}", key.file_name());
    }
}

/// Parses the text as a key of each kind.
pub fn key_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    same::<RingKey>(&text);
    same::<BoxPublicKey>(&text);
    same::<BoxSecretKey>(&text);
    same::<SigningPublicKey>(&text);
    same::<SigningSecretKey>(&text);
}

/// Parses the bytes as an encrypted message and tries to decrypt it; encrypts them.
pub fn box_message(data: &[u8]) {
    let key = |name, byte| {
        let named = NamedRevision::parse(name).expect("a name");
        BoxSecretKey::from_raw(named, &[byte; 32]).expect("32 bytes are a key")
    };
    let (user, service) =
        (key("alice-20240102030405", 1), key("redis.default@acme-20240102030405", 2));
    if let Ok(message) = BoxMessage::parse(data) {
        assert!(!message.sender.name().contains('/'));
        assert!(!message.recipient.name().contains('/'));
        // Only the checked-in example can be decrypted.
        let _ = message.decrypt(&user.public_key(), &service);
    }
    let text = boxed::encrypt(data, &user, &service.public_key(), &[3; 24]);
    let message = BoxMessage::parse(text.as_bytes()).expect("its own text");
    assert_eq!(message.decrypt(&user.public_key(), &service).expect("opens"), data);
}
