//! The envelope around every message, and its encryption with the ring key (reference: ring §2).

use bytes::Bytes;
use prost::Message;
use rand::RngCore;
use roost_crypto::{NONCE_BYTES, RingKey};

use crate::dropped::Dropped;

#[derive(Clone, PartialEq, prost::Message)]
struct EnvelopeWire {
    #[prost(bool, optional, tag = "1")]
    encrypted: Option<bool>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    nonce: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    payload: Option<Bytes>,
}

/// Makes each encrypted message different.
pub(crate) type Nonce = [u8; NONCE_BYTES];

/// Wraps and unwraps messages, with the ring key if there is one.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    key: Option<RingKey>,
}

impl Envelope {
    /// An envelope with `key`, or a plain one.
    #[must_use]
    pub const fn new(key: Option<RingKey>) -> Self {
        Self { key }
    }

    /// Largest overhead of a small envelope, in bytes.
    pub(crate) const fn overhead_bytes(&self) -> usize {
        let payload_field = 4;
        match self.key {
            None => payload_field,
            Some(_) => payload_field + 2 + (2 + NONCE_BYTES) + 16,
        }
    }

    /// Wraps `payload`; the nonce comes from `random`.
    #[must_use]
    pub fn wrap(&self, payload: Vec<u8>, random: &mut impl RngCore) -> Bytes {
        let wire = match &self.key {
            None => {
                EnvelopeWire { encrypted: None, nonce: None, payload: Some(Bytes::from(payload)) }
            }
            Some(key) => {
                let mut nonce = [0; NONCE_BYTES];
                random.fill_bytes(&mut nonce);
                EnvelopeWire {
                    encrypted: Some(true),
                    payload: Some(Bytes::from(key.seal(&nonce, &payload))),
                    nonce: Some(Bytes::copy_from_slice(&nonce)),
                }
            }
        };
        Bytes::from(wire.encode_to_vec())
    }

    /// The payload of an envelope.
    ///
    /// # Errors
    /// When the bytes are not an envelope or it does not match the key. A message marked as
    /// encrypted is refused without a key.
    pub fn unwrap(&self, bytes: &[u8]) -> Result<Bytes, Dropped> {
        self.open(bytes).map(|(payload, _)| payload)
    }

    /// True when messages are encrypted.
    pub(crate) const fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The payload of an envelope, and the nonce that it was encrypted with.
    pub(crate) fn open(&self, bytes: &[u8]) -> Result<(Bytes, Option<Nonce>), Dropped> {
        let wire =
            EnvelopeWire::decode(bytes).map_err(|error| Dropped::BadEnvelope(error.to_string()))?;
        let payload = wire.payload.ok_or(Dropped::MissingPayload)?;
        let Some(key) = &self.key else {
            let encrypted = wire.encrypted.unwrap_or_default();
            return if encrypted { Err(Dropped::EncryptedWithoutKey) } else { Ok((payload, None)) };
        };
        let nonce = wire.nonce.ok_or(Dropped::MissingNonce)?;
        let nonce = Nonce::try_from(&*nonce).map_err(|_| Dropped::BadNonce)?;
        let opened = key.open(&nonce, &payload).map_err(|_| Dropped::Undecryptable)?;
        Ok((opened.into(), Some(nonce)))
    }
}
