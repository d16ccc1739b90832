//! A client that follows the stream of events, and notes everything that it receives.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// How events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A document on each line.
    Lines,
    /// Server-sent events.
    ServerSentEvents,
}

/// What a client receives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Event(Value),
    Gap { first: u64, last: u64 },
}

impl Item {
    /// The last number that it is about.
    fn last(&self) -> u64 {
        match self {
            Self::Event(event) => super::seq(event),
            Self::Gap { last, .. } => *last,
        }
    }
}

/// A client, over any number of connections.
#[derive(Debug, Default)]
pub(crate) struct Client {
    connection: Option<(Form, BufReader<TcpStream>)>,
    /// Everything that it has received, in this order.
    pub(crate) items: Vec<Item>,
}

impl Client {
    /// The last number that it has received.
    pub(crate) fn after(&self) -> u64 {
        self.items.last().map_or(0, Item::last)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Leaves without a word.
    pub(crate) fn leave(&mut self) {
        self.connection = None;
    }

    /// Connects, and goes on where it was. False when no Supervisor answers.
    pub(crate) fn connect(&mut self, address: SocketAddr, form: Form) -> bool {
        self.connection = open(address, form, self.after()).map(|reader| (form, reader));
        self.is_connected()
    }

    /// Reads the next item. False when the connection has ended; half an item does not count.
    pub(crate) fn read(&mut self) -> bool {
        let Some((form, reader)) = &mut self.connection else { return false };
        let item = match form {
            Form::Lines => read_line(reader),
            Form::ServerSentEvents => read_sent(reader),
        };
        match item {
            Some(item) => self.items.push(item),
            None => self.connection = None,
        }
        self.is_connected()
    }

    /// Reads up to this number, over as many connections as that takes.
    pub(crate) fn read_to(&mut self, last: u64, address: SocketAddr, form: Form) {
        while self.after() < last {
            if !self.is_connected() {
                testkit::wait_for("a Supervisor", || self.connect(address, form).then_some(()));
            }
            self.read();
        }
    }

    /// Checks that numbers follow each other without a hole or a double, from 1 on.
    pub(crate) fn expect_sequence(&self) {
        let mut next = 1;
        for item in &self.items {
            let first = match item {
                Item::Event(event) => super::seq(event),
                Item::Gap { first, .. } => *first,
            };
            assert_eq!(first, next, "{item:?}");
            next = item.last() + 1;
        }
    }
}

/// A response without chunks, which HTTP/1.0 does not have: it ends with its connection.
fn open(address: SocketAddr, form: Form, after: u64) -> Option<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let accept = match form {
        Form::Lines => "application/x-ndjson",
        Form::ServerSentEvents => "text/event-stream",
    };
    let head = format!(
        "GET /v1/events/stream HTTP/1.0\r\nhost: x\r\naccept: {accept}\r\nlast-event-id: {after}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut reader = BufReader::with_capacity(2_048, stream);
    let status = full_line(&mut reader)?;
    // Until it has read every service it answers 503.
    status.contains(" 200 ").then_some(())?;
    while !full_line(&mut reader)?.is_empty() {}
    Some(reader)
}

/// A line with its end, without it.
fn full_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let line = line.strip_suffix('\n')?;
    Some(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn read_line(reader: &mut impl BufRead) -> Option<Item> {
    loop {
        let line = full_line(reader)?;
        // An empty one is a sign of life.
        if !line.is_empty() {
            let value: Value = serde_json::from_str(&line).expect("a document");
            return Some(match value.get("gap") {
                Some(range) => gap(range),
                None => Item::Event(value),
            });
        }
    }
}

fn read_sent(reader: &mut impl BufRead) -> Option<Item> {
    let (mut id, mut kind, mut data) = (None, String::new(), None);
    loop {
        let line = full_line(reader)?;
        match line.split_once(": ") {
            Some(("id", number)) => id = number.parse::<u64>().ok(),
            Some(("event", word)) => kind = word.to_owned(),
            Some(("data", text)) => data = Some(text.to_owned()),
            _ => {}
        }
        // Without data it is a sign of life.
        if line.is_empty()
            && let Some(data) = data.take()
        {
            let value: Value = serde_json::from_str(&data).expect("a document");
            let item = if kind == "gap" { gap(&value) } else { Item::Event(value) };
            assert_eq!(id, Some(item.last()), "{data}");
            return Some(item);
        }
    }
}

fn gap(range: &Value) -> Item {
    let number = |key: &str| range[key].as_u64().expect("a number");
    Item::Gap { first: number("first"), last: number("last") }
}
