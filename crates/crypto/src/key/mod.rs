//! Kinds of keys and their common text format:
//!
//! ```text
//! <tag> LF
//! <name>-<revision> LF
//! LF
//! <base64 of the raw key>       no line end
//! ```

mod boxed;
mod ring;
mod signing;

use base64::{Engine, prelude::BASE64_STANDARD};
pub use boxed::{BoxPublicKey, BoxSecretKey};
pub use ring::RingKey;
pub use signing::{SIGNATURE_BYTES, SigningPublicKey, SigningSecretKey};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    name::NamedRevision,
};

/// A kind of key, stored in its own file.
pub trait KeyFile: Sized {
    /// First line of the text form.
    const TAG: &'static str;
    /// Suffix of the file name after name and revision, including the dot.
    const SUFFIX: &'static str;
    /// Mode of the file.
    const MODE: u32;

    /// Name and revision, second line of the text form.
    fn named_revision(&self) -> &NamedRevision;

    /// Makes a key from its raw bytes.
    ///
    /// # Errors
    /// When the bytes are not a key of this kind.
    fn from_raw(named: NamedRevision, raw: &[u8]) -> Result<Self>;

    /// The raw bytes.
    fn raw(&self) -> Zeroizing<Vec<u8>>;

    /// Reads the text form. Lines may end in CR LF, lines after the fourth are ignored.
    ///
    /// # Errors
    /// When the tag, the name or the key is not valid.
    fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let tag = lines.next().ok_or(Error::MissingVersion)?;
        if tag != Self::TAG {
            return Err(Error::UnsupportedKeyVersion(tag.into()));
        }
        let named = NamedRevision::parse(lines.next().ok_or(Error::MissingName)?)?;
        let material = lines.nth(1).ok_or(Error::MissingMaterial)?.trim();
        let raw = BASE64_STANDARD.decode(material).map_err(|_| Error::BadBase64)?;
        Self::from_raw(named, &Zeroizing::new(raw))
    }

    /// The text form, without a final line end.
    fn to_text(&self) -> Zeroizing<String> {
        let material = Zeroizing::new(BASE64_STANDARD.encode(&*self.raw()));
        Zeroizing::new(format!("{}\n{}\n\n{}", Self::TAG, self.named_revision(), *material))
    }

    /// Name of its file in a key cache. The suffix is appended, because names hold dots.
    fn file_name(&self) -> String {
        file_name::<Self>(self.named_revision())
    }
}

/// File name of the key of this kind and name.
pub(crate) fn file_name<K: KeyFile>(named: &NamedRevision) -> String {
    format!("{named}{}", K::SUFFIX)
}

/// Raw bytes of the right length, or an error with the name of the key.
fn sized<const N: usize>(named: &NamedRevision, raw: &[u8]) -> Result<[u8; N]> {
    raw.try_into().map_err(|_| Error::BadKey(named.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::name::Revision;

    fn named(name: &str) -> NamedRevision {
        NamedRevision::new(name, Revision::from_unix_seconds(0)).expect(name)
    }

    fn error_of<K: KeyFile>(text: &str) -> String {
        K::parse(text).err().expect("a bad key").to_string()
    }

    #[test]
    fn each_defect_of_a_key_has_its_text() {
        let key = "KfJgYLIMaI8k/m27uOf07tF56m362OdKol32QxKQV/8=";
        let name = "vecring-20261122164420";
        for (text, expected) in [
            (String::new(), "Missing key version"),
            ("SYM-SEC-2".into(), "Unsupported key version: SYM-SEC-2"),
            ("SYM-SEC-1 \nx".into(), "Unsupported key version: SYM-SEC-1 "),
            ("SYM-SEC-1\n".into(), "Missing name+revision"),
            ("SYM-SEC-1\nvecring".into(), "Cannot parse named revision 'vecring'"),
            (format!("SYM-SEC-1\n{name}\n"), "Missing key material"),
            (format!("SYM-SEC-1\n{name}\n\n*"), "Invalid base64 key material"),
            (
                format!("SYM-SEC-1\n{name}\n\nAAAA"),
                "Could not parse bytes as key for vecring-20261122164420",
            ),
        ] {
            assert_eq!(error_of::<RingKey>(&text), format!("Crypto error: {expected}"), "{text}");
        }
        for text in [
            format!("SYM-SEC-1\n{name}\nwhatever\n {key} \nmore\n"),
            format!("SYM-SEC-1\r\n{name}\r\n\r\n{key}\r\n"),
        ] {
            assert_eq!(
                *RingKey::parse(&text).expect("a key").to_text(),
                format!("SYM-SEC-1\n{name}\n\n{key}")
            );
        }
    }

    #[test]
    fn debug_output_of_a_secret_key_hides_it() {
        for text in [
            format!("{:?}", RingKey::from_raw(named("r"), &[7; 32]).expect("a key")),
            format!("{:?}", BoxSecretKey::from_raw(named("r"), &[7; 32]).expect("a key")),
            format!("{:?}", SigningSecretKey::generate(named("r")).expect("a key")),
        ] {
            assert!(text.ends_with("(\"r-19700101000000\")"), "{text}");
        }
    }

    fn reads_what_it_writes<K: KeyFile>(key: &K) {
        let again = K::parse(&key.to_text()).expect("its own text");
        assert_eq!(*again.raw(), *key.raw());
        assert_eq!(again.named_revision(), key.named_revision());
    }

    #[test]
    fn generated_keys_read_what_they_write_and_differ() {
        let ring = RingKey::generate(named("r")).expect("a key");
        assert_ne!(*ring.raw(), *RingKey::generate(named("r")).expect("a key").raw());
        reads_what_it_writes(&ring);
        let secret = BoxSecretKey::generate(named("u")).expect("a key");
        reads_what_it_writes(&secret);
        reads_what_it_writes(&secret.public_key());
        let secret = SigningSecretKey::generate(named("o")).expect("a key");
        reads_what_it_writes(&secret);
        reads_what_it_writes(&secret.public_key());
    }

    proptest! {
        #[test]
        fn any_text_is_a_key_or_an_error(
            tag in "(SYM-SEC-1|BOX-SEC-1|BOX-PUB-1|SIG-PUB-1|SIG-SEC-1)?",
            rest in "\\PC{0,20}(\n.{0,90}){0,5}",
        ) {
            let text = format!("{tag}{rest}");
            let _ = RingKey::parse(&text);
            let _ = BoxPublicKey::parse(&text);
            let _ = BoxSecretKey::parse(&text);
            let _ = SigningPublicKey::parse(&text);
            let _ = SigningSecretKey::parse(&text);
        }

        #[test]
        fn any_bytes_are_a_key_or_an_error(raw in prop::collection::vec(any::<u8>(), 0..70)) {
            let _ = RingKey::from_raw(named("x"), &raw);
            let _ = BoxPublicKey::from_raw(named("x"), &raw);
            let _ = BoxSecretKey::from_raw(named("x"), &raw);
            let _ = SigningPublicKey::from_raw(named("x"), &raw);
            let _ = SigningSecretKey::from_raw(named("x"), &raw);
        }
    }
}
