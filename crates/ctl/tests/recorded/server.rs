//! The server answers every recorded client like the real Supervisor, byte for byte. Decisions of a
//! Supervisor come from the recording; handshake, framing, order, refusals and the end of the
//! connection are the server's own.

use std::{future::pending, sync::Arc, time::Duration};

use prost::Message;
use roost_ctl::{
    Color, Console, Decoder, Failure, Frame, Reply, Responder, Secret, ServerConfig, ServiceStatus,
    frame::MAX_BODY_BYTES,
    message as m,
    reply::Partial,
    server::{NoObserver, serve},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::recording::{Connection, recordings};

const SECRET: &str = "c2VjcmV0LW9mLXRoZS12ZWN0b3Jz";
/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Intentional differences: what the server sends instead.
const DIFFERENCES: &[(&str, &[(i32, &str)])] = &[
    // Habitat's handler dies and never closes the connection.
    (
        "68-raw-set-cfg-bad-group",
        &[(
            7,
            "Invalid service group: we.b.default. A valid service group string is in the form \
             service.group (example: redis.production)",
        )],
    ),
];

fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut decoder = Decoder::new(MAX_BODY_BYTES);
    decoder.push(bytes);
    std::iter::from_fn(|| decoder.next_frame().expect("frames")).collect()
}

/// Decisions of the Supervisor: everything it sent after the handshake.
fn script(connection: &Connection) -> (Vec<Partial>, Reply) {
    let said: Vec<Frame> = connection
        .frames
        .iter()
        .filter(|frame| !frame.by_client)
        .flat_map(|frame| frames(frame.bytes.as_deref().expect("whole")))
        .skip(1)
        .collect();
    let mut partials = Vec::new();
    let mut statuses = Vec::new();
    for frame in said {
        match frame.id.as_str() {
            "NetOk" => return (partials, Reply::Ok),
            "NetErr" => {
                let error = m::NetErr::decode(frame.body).expect("an error");
                let failure = Failure { code: error.code, text: error.msg };
                return (partials, Reply::Failed(failure));
            }
            "ServiceCfg" => {
                let config = m::ServiceCfg::decode(frame.body).expect("a configuration");
                return (partials, Reply::DefaultConfig(config.default.expect("a text")));
            }
            "ServiceStatus" => {
                let status = m::ServiceStatus::decode(frame.body).expect("a status");
                statuses.push(ServiceStatus::try_from(status).expect("a valid status"));
            }
            "ConsoleLine" => {
                let line = m::ConsoleLine::decode(frame.body).expect("a line");
                partials.push(Partial::Console(Console {
                    text: line.line,
                    color: line.color.as_deref().and_then(Color::from_name),
                    bold: line.bold,
                }));
            }
            other => panic!("unexpected {other}"),
        }
    }
    if statuses.is_empty() {
        (partials, Reply::CloseAtEnd)
    } else {
        (partials, Reply::Statuses(statuses))
    }
}

fn play(responder: Responder, (partials, reply): (Vec<Partial>, Reply)) {
    for partial in partials {
        match partial {
            Partial::Console(piece) => responder.colored(piece.text, piece.color, piece.bold),
            Partial::Progress { total_bytes, position_bytes } => {
                responder.progress(total_bytes, position_bytes);
            }
        }
    }
    responder.finish(reply);
}

/// All that the server sends to the recorded client until it closes.
async fn answers(connection: &Connection) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let config = ServerConfig {
        secret: Secret::new(SECRET).expect("a secret"),
        tls: None,
        observer: Arc::new(NoObserver),
    };
    let (sender, mut requests) = mpsc::channel(1);
    let script = script(connection);
    let (restart, restarts) = oneshot::channel();
    let shutdown = async {
        if restarts.await.is_err() {
            pending::<()>().await;
        }
    };
    let server = tokio::spawn(serve(listener, config, sender, shutdown));
    let supervisor = tokio::spawn(async move {
        if let Some((_, responder)) = requests.recv().await {
            let ends = script.1 == Reply::CloseAtEnd;
            play(responder, script);
            if ends {
                restart.send(()).expect("the server runs");
            }
        }
    });
    let mut client = TcpStream::connect(address).await.expect("connected");
    for frame in connection.frames.iter().filter(|frame| frame.by_client) {
        // After an early close writing may fail, which is fine here.
        let _ = client.write_all(frame.bytes.as_deref().expect("whole")).await;
    }
    let _ = client.write_all(&connection.rest).await;
    if connection.frames.is_empty() {
        // These clients closed their side and waited.
        let _ = client.shutdown().await;
    }
    let mut said = Vec::new();
    // A reset after the answers is an end too.
    let _ = timeout(PATIENCE, client.read_to_end(&mut said)).await.expect("the server closes");
    server.abort();
    supervisor.abort();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_clients_get_recorded_answers() {
    let mut different = Vec::new();
    let mut count = 0;
    for recording in recordings() {
        for connection in &recording.connections {
            if connection.frames.iter().any(|frame| frame.bytes.is_none()) {
                continue;
            }
            let recorded: Vec<u8> = connection
                .frames
                .iter()
                .filter(|frame| !frame.by_client)
                .flat_map(|frame| frame.bytes.clone().expect("whole"))
                .collect();
            let said = answers(connection).await;
            count += 1;
            if said == recorded {
                continue;
            }
            let (file, more) = DIFFERENCES
                .iter()
                .find(|(file, _)| *file == recording.file)
                .unwrap_or_else(|| panic!("{}: {said:02x?} {recorded:02x?}", recording.file));
            let errors: Vec<_> = frames(&said[recorded.len()..])
                .into_iter()
                .map(|frame| m::NetErr::decode(frame.body).expect("an error"))
                .map(|error| (error.code, error.msg))
                .collect();
            let expected: Vec<_> =
                more.iter().map(|(code, text)| (*code, (*text).to_owned())).collect();
            assert_eq!(errors, expected, "{file}");
            different.push(*file);
        }
    }
    let listed: Vec<_> = DIFFERENCES.iter().map(|(file, _)| *file).collect();
    assert_eq!(different, listed, "the list contains a difference that does not occur");
    assert!(count > 70, "only {count} conversations were played");
}
