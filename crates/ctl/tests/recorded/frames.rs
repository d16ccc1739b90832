//! Every recorded frame is read and written again, byte for byte, in both directions.

use bytes::BytesMut;
use prost::Message;
use roost_ctl::{
    Decoder, Frame, FrameError, Request, ServiceStatus, frame::MAX_BODY_BYTES, message as m,
    request::REQUEST_IDS,
};

use crate::recording::recordings;

/// Recorded bytes that intentionally are not frames.
const NO_FRAME: &[&str] = &["62-raw-name-not-utf8"];
/// Requests that our client never sends: fields are missing or invalid.
const NO_REQUEST: &[(&str, &str)] = &[
    ("57-raw-bad-body", "the body is not protobuf"),
    ("58-raw-load-without-ident", "no ident"),
    ("68-raw-set-cfg-bad-group", "a service with a dot"),
    ("69-raw-file-put-no-name", "no filename"),
];

fn frame(bytes: &[u8]) -> Result<Frame, FrameError> {
    let mut decoder = Decoder::new(MAX_BODY_BYTES);
    decoder.push(bytes);
    let frame = decoder.next_frame()?.expect("one whole frame");
    assert!(decoder.rest().is_empty());
    Ok(frame)
}

/// The body read as its message and written again; `None` for unknown ids.
fn rewritten(frame: &Frame) -> Option<Result<Vec<u8>, prost::DecodeError>> {
    macro_rules! by_id {
        ($($name:ident)*) => {
            match frame.id.as_str() {
                $(stringify!($name) => {
                    Some(m::$name::decode(frame.body.clone()).map(|m| m.encode_to_vec()))
                })*
                _ => None,
            }
        };
    }
    by_id!(Handshake NetOk NetErr ConsoleLine NetProgress ServiceStatus ServiceCfg SvcLoad
        SvcUpdate SvcUnload SvcStart SvcStop SvcStatus SvcGetDefaultCfg SvcValidateCfg SvcSetCfg
        SvcFilePut SupDepart SupRestart)
}

#[test]
fn frames_and_messages_are_written_as_they_were_read() {
    let mut count = 0;
    for recording in recordings() {
        for recorded in recording.connections.iter().flat_map(|c| &c.frames) {
            let Some(bytes) = &recorded.bytes else { continue };
            let file = &recording.file;
            let frame = match frame(bytes) {
                Ok(frame) => frame,
                Err(error) => {
                    assert!(NO_FRAME.contains(&file.as_str()), "{file}: {error}");
                    continue;
                }
            };
            let mut again = BytesMut::new();
            frame.encode(&mut again).expect("within limits");
            assert_eq!(&again[..], &bytes[..], "{file}");
            match rewritten(&frame) {
                None => assert!(matches!(frame.id.as_str(), "NoSuchMessage" | ""), "{}", frame.id),
                Some(Err(_)) => assert!(recorded.bad_body, "{file}"),
                Some(Ok(body)) => assert_eq!(body, frame.body, "{file} {}", frame.id),
            }
            count += 1;
        }
    }
    assert!(count > 250, "only {count} frames were looked at");
}

#[test]
fn requests_and_statuses_keep_everything_that_was_sent() {
    let mut refused = Vec::new();
    let mut count = 0;
    for recording in recordings() {
        for recorded in recording.connections.iter().flat_map(|c| &c.frames) {
            let Some(Ok(frame)) = recorded.bytes.as_deref().map(frame) else { continue };
            if frame.id == "ServiceStatus" {
                let status = m::ServiceStatus::decode(frame.body.clone()).expect("a status");
                let status = ServiceStatus::try_from(status).expect("a valid status");
                let again = m::ServiceStatus::from(&status).encode_to_vec();
                assert_eq!(again, frame.body, "{}", recording.file);
            }
            if !recorded.by_client || !REQUEST_IDS.contains(&frame.id.as_str()) {
                continue;
            }
            match Request::decode(&frame.id, &frame.body) {
                // The only such request with a format was sent by hand with the default.
                Ok(Request::ValidateConfig { .. }) => {}
                Ok(request) => {
                    assert_eq!(request.id(), frame.id);
                    assert_eq!(request.encode(), frame.body, "{}", recording.file);
                    count += 1;
                }
                Err(_) => refused.push(recording.file.clone()),
            }
        }
    }
    assert_eq!(refused, NO_REQUEST.iter().map(|(file, _)| *file).collect::<Vec<_>>());
    assert!(count > 50, "only {count} requests were looked at");
}
