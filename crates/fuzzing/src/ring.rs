//! Input from other members and from the data file, one decoder at a time.

use bytes::Bytes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use roost_crypto::{KeyFile, NamedRevision, RingKey};
use roost_ring::{Config, Envelope, Me, MemberId, Now, Ring, Rumor, Swim, datafile};

/// The ring key of the recorded messages. It protects nothing.
fn ring_key() -> RingKey {
    let text = include_str!("../../ring/tests/fixtures/vec-20250101000000.sym.key");
    RingKey::parse(text).expect("a checked-in key")
}

/// Another key, which opens nothing recorded.
fn other_key() -> RingKey {
    let named = NamedRevision::parse("other-20250101000000").expect("a name");
    RingKey::from_raw(named, &[7; 32]).expect("32 bytes are a key")
}

/// Unwraps the bytes with and without key, and wraps them.
pub fn envelope(data: &[u8]) {
    for key in [None, Some(ring_key()), Some(other_key())] {
        let envelope = Envelope::new(key);
        if let Ok(payload) = envelope.unwrap(data) {
            swim(&payload);
            rumor(&payload);
        }
        let mut random = ChaCha8Rng::seed_from_u64(data.len() as u64);
        let wrapped = envelope.wrap(data.to_vec(), &mut random);
        assert_eq!(envelope.unwrap(&wrapped).expect("its own envelope"), data);
    }
}

/// Reads a datagram's content.
pub fn swim(data: &[u8]) {
    if let Ok(swim) = Swim::decode(Bytes::copy_from_slice(data)) {
        assert_eq!(Swim::decode(swim.encode().into()), Ok(swim));
    }
}

/// Reads a gossip message's content.
pub fn rumor(data: &[u8]) {
    if let Ok(rumor) = Rumor::decode(Bytes::copy_from_slice(data)) {
        assert_eq!(Rumor::decode(rumor.encode().into()), Ok(rumor));
    }
}

/// Reads a data file, and starts a member from it.
pub fn data_file(data: &[u8]) {
    let Ok(stores) = datafile::decode(data) else { return };
    assert_eq!(datafile::decode(&datafile::encode(&stores)).as_ref(), Ok(&stores));
    let me = Me { id: MemberId::from_bits(7), incarnation: 1, port: 9638, permanent: false };
    let now = Now(0);
    let mut ring = Ring::new(Config::default(), me, Some(stores), 1, now);
    ring.wake(now);
    while ring.poll().is_some() {}
    let kept = ring.stores();
    let again = datafile::decode(&datafile::encode(&kept)).expect("its own file");
    assert_eq!(again, kept);
}
