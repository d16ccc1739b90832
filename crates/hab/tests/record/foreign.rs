//! The stream of events, read by foreign clients: a browser's `EventSource`, and curl.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use serde_json::Value;
use testkit::{PATIENCE, skip};

use super::{kill_supervisor, recorded, root_with, seq, svc, wait_written};

/// Reports each message of the stream, one after the other.
const PAGE: &str = "<!doctype html><script>
let reports = Promise.resolve();
const report = text => { reports = reports.then(() => fetch('/', {method: 'POST', body: text})); };
const source = new EventSource('/v1/events/stream');
source.onopen = () => report(JSON.stringify({open: true}));
source.onmessage = message => report(JSON.stringify({id: message.lastEventId, event: JSON.parse(message.data)}));
source.addEventListener('gap', message => report(JSON.stringify({id: message.lastEventId, gap: JSON.parse(message.data)})));
</script>";

/// What the page reports, and what the browser asks for.
enum Seen {
    Report(Value),
    LastEventId(Option<String>),
}

/// A server of the page, which passes requests for the stream on: a page may read only from where
/// it comes from.
fn serve(upstream: SocketAddr) -> (SocketAddr, Receiver<Seen>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("its address");
    let (seen, receiver) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = seen.clone();
            // A connection that breaks is the browser's matter.
            thread::spawn(move || drop(answer(stream, upstream, &seen)));
        }
    });
    (address, receiver)
}

fn answer(mut stream: TcpStream, upstream: SocketAddr, seen: &Sender<Seen>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length, mut last_id) = (String::new(), 0, None);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
        match head[start..].trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().unwrap_or(0);
            }
            Some((name, value)) if name.eq_ignore_ascii_case("last-event-id") => {
                last_id = Some(value.to_owned());
            }
            _ => {}
        }
    }
    if head.starts_with("GET /v1/events/stream") {
        let _ = seen.send(Seen::LastEventId(last_id));
        // Without a Supervisor the connection ends, and the browser comes back.
        let mut upstream = TcpStream::connect(upstream)?;
        upstream.write_all(head.as_bytes())?;
        io::copy(&mut upstream, &mut stream)?;
        return stream.shutdown(Shutdown::Both);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if let Ok(report) = serde_json::from_slice(&body) {
        let _ = seen.send(Seen::Report(report));
    }
    let page = if head.starts_with("GET / ") { PAGE } else { "" };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{page}",
        page.len()
    )
}

/// The next report of the page; requests of the browser on the way are noted.
fn next(seen: &Receiver<Seen>, asked: &mut Vec<Option<String>>) -> Value {
    loop {
        match seen.recv_timeout(PATIENCE).expect("the browser") {
            Seen::Report(report) => return report,
            Seen::LastEventId(id) => asked.push(id),
        }
    }
}

fn find(program: &str) -> bool {
    let is_there = Path::new("/usr/bin").join(program).exists();
    if !is_there {
        skip(&format!("{program} is not installed"));
    }
    is_there
}

#[test]
fn an_event_source_of_a_browser_resumes_after_the_end_of_the_supervisor() {
    if !find("chromium") {
        return;
    }
    let root = root_with(&["web"]);
    let sup = root.supervisor().start();
    sup.wait_up("web");
    let (page, seen) = serve(sup.http);
    let profile = root.join("browser");
    // With the root it ends, whatever happens to the test.
    let mut browser = Command::new("/usr/bin/chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--remote-debugging-port=0"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("http://{page}/"))
        .env("FS_ROOT", root.path())
        .env("HOME", &profile)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut asked = Vec::new();
    assert_eq!(next(&seen, &mut asked)["open"], true);
    svc(&sup, "stop", "web");
    svc(&sup, "start", "web");
    sup.wait_up("web");
    let written = wait_written(&sup);
    let mut received: Vec<Value> = Vec::new();
    let mut read_to = |last: u64, asked: &mut Vec<Option<String>>| {
        while received.last().and_then(|it| it["id"].as_str()) != Some(&last.to_string()) {
            let report = next(&seen, asked);
            if report["open"].is_null() {
                received.push(report);
            }
        }
        received.clone()
    };
    read_to(written, &mut asked);
    kill_supervisor(&sup);
    svc(&sup, "stop", "web");
    sup.wait_json("/v1/services/web.default", |service| service["state"] == "down");
    let last = recorded(&sup).last().map_or(0, seq);
    let received = read_to(last, &mut asked);

    // It came back with the number of the last event that it had.
    assert_eq!(asked.first(), Some(&None));
    assert_eq!(asked.last(), Some(&Some(written.to_string())), "{asked:?}");
    let record = recorded(&sup);
    let first = seq(&received[0]["event"]);
    let events: Vec<&Value> = received.iter().filter_map(|it| it.get("event")).collect();
    let is_after = |event: &&Value| (first..=last).contains(&seq(event));
    assert!(events.iter().copied().eq(record.iter().filter(is_after)), "{received:#?}");
    let gaps: Vec<&Value> = received.iter().filter_map(|it| it.get("gap")).collect();
    let stated = record.iter().rfind(|event| event["type"] == "supervisor.recovered");
    let stated = &stated.expect("one")["data"];
    assert_eq!(stated["first_missing"], written + 1);
    assert_eq!(
        gaps,
        [&serde_json::json!({"first": stated["first_missing"], "last": stated["last_missing"]})]
    );
    let _ = browser.kill();
    let _ = browser.wait();
}

#[test]
fn curl_reads_on_from_the_event_that_it_names() {
    if !find("curl") {
        return;
    }
    let root = root_with(&["web"]);
    let sup = root.supervisor().start();
    sup.wait_up("web");
    wait_written(&sup);
    kill_supervisor(&sup);
    sup.wait_up("web");
    let record = recorded(&sup);
    let mut curl = Command::new("/usr/bin/curl")
        .args(["-sSN", "--max-time", "60", "-H", "last-event-id: 2"])
        .arg(format!("http://{}/v1/events/stream", sup.http))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(curl.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let data = lines.filter_map(|line| Some(line.strip_prefix("data: ")?.to_owned()));
    let documents = data.map(|text| serde_json::from_str::<Value>(&text).expect("a document"));
    let (mut events, mut gaps) = (Vec::new(), 0);
    for document in documents {
        match document["seq"].as_u64() {
            Some(_) => events.push(document),
            None => gaps += 1,
        }
        if events.last() == record.last() {
            break;
        }
    }
    assert_eq!((&events[..], gaps), (&record[2..], 1));
    let _ = curl.kill();
    let _ = curl.wait();
}
