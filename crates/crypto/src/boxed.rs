//! BOX-1: service configuration and files encrypted by a user for a service group.
//!
//! ```text
//! BOX-1 LF
//! <sender user key> LF
//! <recipient service key> LF
//! <base64 nonce> LF
//! <base64 ciphertext>       no line end; the tag of 16 bytes comes first
//! ```

use base64::{Engine, prelude::BASE64_STANDARD};
use crypto_box::{SalsaBox, aead::Aead};

use crate::{
    error::{Error, Result},
    key::{BoxPublicKey, BoxSecretKey, KeyFile},
    name::NamedRevision,
    random::Nonce,
};

const VERSION: &str = "BOX-1";

/// Encrypts for a recipient. A nonce must never be used twice for one pair of keys; use
/// [`crate::random_nonce`].
#[must_use]
pub fn encrypt(
    content: &[u8],
    sender: &BoxSecretKey,
    recipient: &BoxPublicKey,
    nonce: &Nonce,
) -> String {
    let ciphertext = SalsaBox::new(&recipient.point(), &sender.scalar())
        .encrypt(nonce.into(), content)
        .expect("fails only when the buffer cannot grow, and a Vec can");
    format!(
        "{VERSION}\n{}\n{}\n{}\n{}",
        sender.named_revision(),
        recipient.named_revision(),
        BASE64_STANDARD.encode(nonce),
        BASE64_STANDARD.encode(ciphertext),
    )
}

/// A parsed, still encrypted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxMessage {
    /// The user key of the sender.
    pub sender: NamedRevision,
    /// The service key of the recipient.
    pub recipient: NamedRevision,
    nonce: Nonce,
    ciphertext: Vec<u8>,
}

impl BoxMessage {
    /// Reads the text form.
    ///
    /// # Errors
    /// When a line is missing or malformed.
    pub fn parse(message: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(message).map_err(|_| Error::CorruptPayload("version"))?;
        let mut lines = text.lines();
        let mut line = |what| lines.next().ok_or(Error::CorruptPayload(what));
        let version = line("version")?;
        if version != VERSION {
            return Err(Error::UnsupportedVersion(version.into()));
        }
        let sender = NamedRevision::parse(line("encryptor identifier")?)?;
        let recipient = NamedRevision::parse(line("decryptor key name")?)?;
        let nonce = decode("nonce", line("nonce")?)?;
        let nonce = nonce.try_into().map_err(|_| Error::BadNonceSize)?;
        let ciphertext = decode("ciphertext", line("ciphertext")?)?;
        Ok(Self { sender, recipient, nonce, ciphertext })
    }

    /// Decrypts it with the public key of the sender and the secret key of the recipient.
    ///
    /// # Errors
    /// When the keys are not those of the message, or it was modified.
    pub fn decrypt(&self, sender: &BoxPublicKey, recipient: &BoxSecretKey) -> Result<Vec<u8>> {
        SalsaBox::new(&sender.point(), &recipient.scalar())
            .decrypt((&self.nonce).into(), self.ciphertext.as_slice())
            .map_err(|_| Error::BoxFailed)
    }
}

fn decode(what: &'static str, line: &str) -> Result<Vec<u8>> {
    BASE64_STANDARD.decode(line).map_err(|source| Error::BadMessageBase64 { what, source })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> (BoxSecretKey, BoxSecretKey) {
        let key = |name, byte| {
            let named = NamedRevision::parse(name).expect("a name");
            BoxSecretKey::from_raw(named, &[byte; 32]).expect("a key")
        };
        (key("alice-20240102030405", 1), key("redis.default@acme-20240102030405", 2))
    }

    const EXAMPLE: &str = "BOX-1\nalice-20240102030405\nredis.default@acme-20240102030405\n\
                           AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD\n\
                           oAyejhNI617hHQhvzGt1I5NEDXsLKxqXFDAWfQ==";

    #[test]
    fn the_worked_example_comes_out_and_goes_in() {
        let (user, service) = keys();
        assert!(
            user.public_key().to_text().ends_with("\npOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4ogk=")
        );
        let text = encrypt(b"port = 9000\n", &user, &service.public_key(), &[3; 24]);
        assert_eq!(text, EXAMPLE);
        let message = BoxMessage::parse(text.as_bytes()).expect("its own text");
        let content = message.decrypt(&user.public_key(), &service).expect("opens");
        assert_eq!(content, b"port = 9000\n");
    }

    #[test]
    fn other_keys_do_not_open() {
        let (user, _) = keys();
        let message = BoxMessage::parse(EXAMPLE.as_bytes()).expect("a message");
        let error = message.decrypt(&user.public_key(), &user).expect_err("a wrong key");
        assert_eq!(
            error.to_string(),
            "Crypto error: Secret key, public key, and nonce could not decrypt ciphertext"
        );
    }

    #[test]
    fn each_defect_of_a_message_has_its_text() {
        let names = "BOX-1\na-20240102030405\nb-20240102030405";
        let nonce = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD";
        for (text, expected) in [
            (String::new(), "Corrupt payload, can't read version"),
            ("BOX-2".into(), "Unsupported version: BOX-2"),
            ("BOX-1".into(), "Corrupt payload, can't read encryptor identifier"),
            ("BOX-1\na-20240102030405".into(), "Corrupt payload, can't read decryptor key name"),
            ("BOX-1\na\n".into(), "Cannot parse named revision 'a'"),
            (names.into(), "Corrupt payload, can't read nonce"),
            (format!("{names}\n*"), "Can't decode nonce: Invalid symbol 42, offset 0."),
            (format!("{names}\nAAAA"), "Invalid size of nonce"),
            (format!("{names}\n{nonce}"), "Corrupt payload, can't read ciphertext"),
            (
                format!("{names}\n{nonce}\n*"),
                "Can't decode ciphertext: Invalid symbol 42, offset 0.",
            ),
        ] {
            let error = BoxMessage::parse(text.as_bytes()).expect_err(&text).to_string();
            assert_eq!(error, format!("Crypto error: {expected}"));
        }
        assert!(BoxMessage::parse(b"BOX-1\n\xff").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let (user, service) = keys();
            for bytes in [bytes.clone(), [EXAMPLE.as_bytes(), &bytes].concat()] {
                if let Ok(message) = BoxMessage::parse(&bytes) {
                    let _ = message.decrypt(&user.public_key(), &service);
                }
            }
        }

        #[test]
        fn what_is_encrypted_is_decrypted(content: Vec<u8>, nonce: [u8; 24]) {
            let (user, service) = keys();
            let text = encrypt(&content, &user, &service.public_key(), &nonce);
            let message = BoxMessage::parse(text.as_bytes()).expect("its own text");
            prop_assert_eq!(message.decrypt(&user.public_key(), &service).expect("opens"), content);
        }
    }
}
