//! The control protocol, both directions.

use bytes::BytesMut;
use prost::Message;
use roost_ctl::{
    Decoder, Frame, FrameError, Request, ServiceStatus, message,
    request::{MAX_PAYLOAD_BYTES, REQUEST_IDS},
};

/// Limit of bodies while frames are read.
const LIMIT_BYTES: usize = 64 * 1024;

fn frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut decoder = Decoder::new(LIMIT_BYTES);
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
        assert!(decoder.rest().len() <= LIMIT_BYTES + 8 + 63 + piece.len());
    }
    (frames, Ok(()))
}

/// Splits the bytes into frames, in pieces of any size, and decodes those that a peer may send.
pub fn frame(data: &[u8]) {
    let whole = frames(std::iter::once(data));
    assert_eq!(frames(crate::pieces::chunks(data)), whole);
    for frame in whole.0 {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes).expect("what was read fits");
        let (again, end) = frames(std::iter::once(&*bytes));
        assert_eq!((again, end), (vec![frame.clone()], Ok(())));
        read_request(&frame.id, &frame.body);
        read_answer(&frame.body);
    }
}

/// Decodes the bytes after the first as the body of the request that the first byte selects.
pub fn request(data: &[u8]) {
    let Some((pick, body)) = data.split_first() else { return };
    read_request(REQUEST_IDS[usize::from(*pick) % REQUEST_IDS.len()], body);
}

fn read_request(id: &str, body: &[u8]) {
    let Ok(request) = Request::decode(id, body) else { return };
    assert_eq!(request.id(), id);
    match &request {
        Request::SetConfig { config: payload, .. }
        | Request::ValidateConfig { config: payload, .. }
        | Request::PutFile { content: payload, .. } => assert!(payload.len() <= MAX_PAYLOAD_BYTES),
        _ => {}
    }
    assert_eq!(Request::decode(id, &request.encode()), Ok(request));
}

/// Decodes the bytes as each message that a Supervisor sends.
pub fn answer(data: &[u8]) {
    read_answer(data);
}

fn read_answer(body: &[u8]) {
    same::<message::Handshake>(body);
    same::<message::NetOk>(body);
    same::<message::NetErr>(body);
    same::<message::ConsoleLine>(body);
    same::<message::NetProgress>(body);
    same::<message::ServiceCfg>(body);
    same::<message::ServiceStatus>(body);
    if let Ok(wire) = message::ServiceStatus::decode(body)
        && let Ok(status) = ServiceStatus::try_from(wire)
    {
        let again = message::ServiceStatus::from(&status);
        assert_eq!(ServiceStatus::try_from(again), Ok(status));
    }
}

fn same<M: Message + Default + PartialEq + std::fmt::Debug>(body: &[u8]) {
    if let Ok(message) = M::decode(body) {
        assert_eq!(M::decode(&*message.encode_to_vec()), Ok(message));
    }
}
