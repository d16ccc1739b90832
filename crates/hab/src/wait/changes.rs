//! Notices changes of services between two polls.

use std::{
    thread,
    time::{Duration, Instant},
};

use roost_ident::PackageIdent;

use crate::{address::CtlAddress, context::Context, gateway::Client};

const PATH: &str = "/v1/services";
/// Time between two polls of a Supervisor whose changes cannot be followed.
pub(super) const PERIOD: Duration = Duration::from_millis(100);
/// Least time between two polls while changes follow each other closely.
const GAP: Duration = Duration::from_millis(20);
/// Longest wait for an answer that is due.
const PATIENCE: Duration = Duration::from_secs(2);

/// The list of services in the HTTP gateway of the Supervisor, used as a signal: it wakes the
/// command when it changes, and the control gateway answers what the state is.
///
/// The version of the list is taken before each poll, so a change during the poll ends the next
/// wait immediately.
pub(super) struct Changes {
    client: Option<Client>,
    /// The parameters of the list: all services, or those with one name.
    query: Vec<(&'static str, String)>,
    /// The version of the list before the last poll, if there is one.
    tag: Option<String>,
}

impl Changes {
    /// Changes of one service, or of all.
    pub(super) fn of(context: &Context, remote: &CtlAddress, ident: Option<&PackageIdent>) -> Self {
        // The socket belongs to the Supervisor of this root, which is on this machine. Should the
        // address be that of another one here, the wait still ends at its limit.
        let is_here = remote.address().ip().is_loopback();
        let socket = context.root.sup().http_socket();
        let client = is_here.then(|| Client::local(&socket, PATIENCE));
        let name = ident.map(|ident| ("name", ident.name.to_string()));
        let query = name.into_iter().chain([("limit", "1000".into())]).collect();
        Self { client, query, tag: None }
    }

    /// Precedes each poll.
    pub(super) fn mark(&mut self) {
        if self.tag.is_none() {
            self.tag = self.first();
        }
    }

    /// Waits for the next change, at most this long; without a list to follow, for [`PERIOD`].
    pub(super) fn wait(&mut self, at_most: Duration) {
        let begun = Instant::now();
        let next = self.next(at_most);
        let pause = match &next {
            None => PERIOD,
            // The Supervisor ends all waits when it ends itself.
            Some(_) if next == self.tag => PERIOD,
            Some(_) => GAP,
        };
        self.tag = next;
        thread::sleep(pause.min(at_most).saturating_sub(begun.elapsed()));
    }

    fn first(&self) -> Option<String> {
        let answer = self.client.as_ref()?.get(PATH, &self.query()).ok()?;
        answer.etag.filter(|_| answer.status == 200)
    }

    fn next(&self, at_most: Duration) -> Option<String> {
        let tag = self.tag.as_ref()?;
        let answer = self.client.as_ref()?.changed(PATH, &self.query(), tag, at_most).ok()?;
        match answer.status {
            200 => answer.etag,
            304 => Some(tag.clone()),
            _ => None,
        }
    }

    fn query(&self) -> Vec<(&str, &str)> {
        self.query.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        os::unix::net::UnixListener,
        path::Path,
        sync::mpsc,
    };

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn changes(socket: &Path) -> Changes {
        let client = Some(Client::local(socket, LONG));
        Changes { client, query: vec![("name", "web".into())], tag: None }
    }

    /// Answers one request after the other with a status and a version; passes on the request line
    /// and the version that the client has.
    fn gateway(socket: &Path, answers: &'static [(u16, &str)]) -> mpsc::Receiver<String> {
        let listener = UnixListener::bind(socket).expect("a socket");
        let (requests, received) = mpsc::channel();
        thread::spawn(move || {
            for (status, tag) in answers {
                let (stream, _) = listener.accept().expect("a connection");
                let mut lines = BufReader::new(&stream).lines().map(|line| line.expect("a line"));
                let mut request = lines.next().expect("a request").replace(" HTTP/1.1", "");
                for line in lines.take_while(|line| !line.is_empty()) {
                    if let Some(known) = line.strip_prefix("if-none-match: ") {
                        request = format!("{request} {known}");
                    }
                }
                requests.send(request).expect("the test waits");
                let answer = format!(
                    "HTTP/1.1 {status} \r\netag: {tag}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                (&stream).write_all(answer.as_bytes()).expect("written");
            }
        });
        received
    }

    #[test]
    fn a_change_after_the_last_look_ends_the_wait() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("http.sock");
        let requests = gateway(&socket, &[(200, "\"a\""), (200, "\"b\""), (200, "\"c\"")]);
        let mut changes = changes(&socket);
        changes.mark();
        changes.wait(LONG);
        changes.mark();
        changes.wait(LONG);
        let list = "GET /v1/services?name=web";
        let expected = [
            list.to_owned(),
            format!("{list}&wait=600000ms \"a\""),
            format!("{list}&wait=600000ms \"b\""),
        ];
        assert_eq!(requests.iter().collect::<Vec<_>>(), expected);
        assert_eq!(changes.tag.as_deref(), Some("\"c\""));
    }

    #[test]
    fn a_supervisor_that_ends_or_has_no_list_is_polled() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("http.sock");
        changes(&socket).wait(LONG);
        let requests =
            gateway(&socket, &[(200, "\"a\""), (304, "\"a\""), (404, "\"x\""), (503, "")]);
        let mut changes = changes(&socket);
        changes.mark();
        let begun = Instant::now();
        changes.wait(LONG);
        assert!(begun.elapsed() >= PERIOD, "an early end of the wait is no reason to hurry");
        assert_eq!(changes.tag.as_deref(), Some("\"a\""));
        changes.wait(LONG);
        assert_eq!(changes.tag, None);
        changes.mark();
        assert_eq!(changes.tag, None);
        changes.wait(LONG);
        assert_eq!(requests.iter().count(), 4);
    }
}
