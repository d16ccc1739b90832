//! What readers of the record ask for over HTTP: pages of events, and events as they happen.

use std::{borrow::Cow, fmt::Write as _};

use bytes::Bytes;
use roost_api::{
    Ask, Code, Media, Problem,
    live::{Chunks, Pending, Reply},
};
use roost_events::{Gap, Kind, PRINTED_OUTPUT, PRINTED_STDERR, Seq, Severity, Topic};
use roost_journal::{Entry, Filter, Followed, Follower, Order, Page, Query, Record};

use crate::vital;

/// Events of a page whose limit is not given.
const LIMIT: u64 = 100;
/// After so many events that the filter did not allow, a client hears how far the stream is: when
/// it resumes, they are not looked at again.
const SILENT_MAX: u64 = 256;

/// What readers see of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Whole,
    /// Without what processes printed, and without members of the ring.
    Redacted,
}

impl View {
    pub(crate) fn redacted_if(redact: bool) -> Self {
        if redact { Self::Redacted } else { Self::Whole }
    }

    fn of(self, json: &str) -> Cow<'_, str> {
        if self == Self::Whole {
            return json.into();
        }
        let mut document: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        // Members of the ring are not shown elsewhere either.
        if let Some(kind) = kind_of(&document).filter(|kind| is_about_members(*kind)) {
            document["message"] = kind.meaning().into();
            document["data"] = serde_json::json!({});
            if !matches!(kind.topic(), Topic::Member) || kind == Kind::MemberAddressChanged {
                document["before"] = serde_json::Value::Null;
                document["after"] = serde_json::Value::Null;
            }
        }
        if let Some(data) = document["data"].as_object_mut() {
            data.retain(|key, _| key != PRINTED_STDERR && key != PRINTED_OUTPUT);
        }
        document.to_string().into()
    }
}

fn kind_of(document: &serde_json::Value) -> Option<Kind> {
    document["type"].as_str()?.parse().ok()
}

const fn is_about_members(kind: Kind) -> bool {
    matches!(kind.topic(), Topic::Member | Topic::Election | Topic::Leader)
}

/// A page of events.
pub(crate) fn page(record: &Record, view: View, ask: &Ask) -> Pending<Reply> {
    let query = query(ask);
    let causes_of = ask.query.number("causes_of").map(Seq);
    let record = record.clone();
    Box::pin(async move {
        let query = query?;
        let order = query.order;
        let reading = vital::spawn_blocking("pages of events", move || {
            let last = record.recorder().last();
            (last, causes_of.map_or_else(|| record.page(&query), |of| chain(&record, &query, of)))
        });
        let (last, page) = reading.await.map_err(|_| Problem::from(Code::Unavailable))?;
        Ok(Reply::whole(document(&page, view, order, last)))
    })
}

/// An event and its causes, as a page.
fn chain(record: &Record, query: &Query, of: Seq) -> Page {
    let mut page = record.chain(of, &query.filter);
    if query.order == Order::OldestFirst {
        page.items.reverse();
    }
    page.items.truncate(query.limit);
    page
}

fn query(ask: &Ask) -> Result<Query, Problem> {
    let order = match ask.query.word("order") {
        Some("oldest") => Order::OldestFirst,
        _ => Order::NewestFirst,
    };
    let after = match ask.query.text("cursor") {
        None => None,
        // A chain of causes has one page.
        Some(cursor) => {
            let is_paged = ask.query.number("causes_of").is_none();
            Some(seq_of(cursor, order).filter(|_| is_paged).ok_or_else(|| {
                Problem::new(Code::BadCursor, "The cursor is not one of this list in this order.")
            })?)
        }
    };
    let limit = ask.query.number("limit").unwrap_or(LIMIT);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(Query { filter: filter(ask), order, limit, after })
}

fn filter(ask: &Ask) -> Filter {
    let service = ask.service.as_ref().map(|service| service.group());
    let words = |name| ask.query.words(name).unwrap_or_default();
    // The table of resources allows no other words.
    Filter {
        since_ms: ask.query.moment_ms("since"),
        until_ms: ask.query.moment_ms("until"),
        topics: words("topic").iter().filter_map(|word| word.parse::<Topic>().ok()).collect(),
        kinds: words("type").iter().filter_map(|word| word.parse::<Kind>().ok()).collect(),
        severities: words("severity")
            .iter()
            .filter_map(|word| word.parse::<Severity>().ok())
            .collect(),
        service: service.or_else(|| ask.query.text("service")).map(str::to_owned),
    }
}

const fn letter(order: Order) -> char {
    match order {
        Order::NewestFirst => 'n',
        Order::OldestFirst => 'o',
    }
}

fn seq_of(cursor: &str, order: Order) -> Option<Seq> {
    let digits = cursor.strip_prefix(letter(order))?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?.map(Seq)
}

/// The document of a page, from documents that are JSON already.
fn document(page: &Page, view: View, order: Order, Seq(last): Seq) -> String {
    let length: usize = page.items.iter().map(|entry| entry.json.len() + 1).sum();
    let mut json = String::with_capacity(length + 128);
    json.push_str("{\"items\":[");
    for (index, entry) in page.items.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(&view.of(&entry.json));
    }
    json.push_str("],\"next\":");
    // Writing to text cannot fail.
    let _ = match page.next {
        Some(Seq(next)) => write!(json, "\"{}{next}\"", letter(order)),
        None => write!(json, "null"),
    };
    let _ = write!(json, ",\"last\":{last},\"partial\":{}}}", page.is_partial);
    json
}

/// Events as they happen.
pub(crate) fn stream(record: &Record, view: View, ask: &Ask) -> Pending<Chunks> {
    let follower = record.follow(ask.last_event_id.map(Seq), filter(ask));
    let stream = Stream { sent: follower.taken(), follower, form: Form::of(ask.media), view };
    Box::pin(async { Ok(Chunks::unfold(stream, Stream::step)) })
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    ServerSentEvents,
    Lines,
}

impl Form {
    fn of(media: Media) -> Self {
        match media {
            Media::Ndjson => Self::Lines,
            _ => Self::ServerSentEvents,
        }
    }

    fn write(self, text: &mut String, view: View, followed: &Followed) {
        // Writing to text cannot fail. A document is one line, since JSON escapes line ends.
        let _ = match (self, followed) {
            (Self::ServerSentEvents, Followed::Event(Entry { seq: Seq(seq), json, .. })) => {
                write!(text, "id: {seq}\ndata: {}\n\n", view.of(json))
            }
            (Self::ServerSentEvents, Followed::Gap(Gap { first: Seq(first), last: Seq(last) })) => {
                write!(
                    text,
                    "id: {last}\nevent: gap\ndata: {{\"first\":{first},\"last\":{last}}}\n\n"
                )
            }
            (Self::Lines, Followed::Event(entry)) => writeln!(text, "{}", view.of(&entry.json)),
            (Self::Lines, Followed::Gap(Gap { first: Seq(first), last: Seq(last) })) => {
                writeln!(text, "{{\"gap\":{{\"first\":{first},\"last\":{last}}}}}")
            }
        };
    }
}

#[derive(Debug)]
struct Stream {
    follower: Follower,
    form: Form,
    view: View,
    /// How far the client knows the stream to be.
    sent: Seq,
}

impl Stream {
    async fn step(mut self) -> Option<(Bytes, Self)> {
        let mut text = String::new();
        for followed in self.follower.next().await {
            self.form.write(&mut text, self.view, &followed);
        }
        let taken = self.follower.taken();
        if !text.is_empty() {
            self.sent = taken;
        } else if taken.0 - self.sent.0.min(taken.0) >= SILENT_MAX {
            self.sent = taken;
            if self.form == Form::ServerSentEvents {
                let _ = write!(text, "id: {}\n\n", taken.0);
            }
        }
        Some((text.into(), self))
    }
}

#[cfg(test)]
mod tests {
    use roost_events::{Event, Fact};

    use super::*;

    fn entry(seq: u64) -> Entry {
        let fact = Fact::new(Kind::ServiceUp, "up\nevent: forged").of("web.default");
        Entry::of(&Event { seq: Seq(seq), time_ms: 0, cause: None, fact })
    }

    #[test]
    fn a_page_is_a_document_whatever_it_holds() {
        let page = Page { items: vec![entry(2), entry(1)], next: Some(Seq(1)), is_partial: false };
        let json = document(&page, View::Whole, Order::NewestFirst, Seq(9));
        let document: roost_api::documents::EventsV1 = serde_json::from_str(&json).unwrap();
        assert_eq!((document.items.len(), document.last, document.partial), (2, Seq(9), false));
        assert_eq!(seq_of(&document.next.unwrap(), Order::NewestFirst), Some(Seq(1)));
        let empty = super::document(&Page::default(), View::Whole, Order::OldestFirst, Seq(0));
        assert_eq!(empty, r#"{"items":[],"next":null,"last":0,"partial":false}"#);
    }

    #[test]
    fn a_redacted_event_holds_no_output() {
        let fact = Fact::new(Kind::ProcessExited, "exited").with(PRINTED_STDERR, "a secret");
        let fact = fact.with(PRINTED_OUTPUT, "a secret").with("pid", 7);
        let json = Event { seq: Seq(1), time_ms: 0, cause: None, fact }.to_json();
        let redacted = View::Redacted.of(&json);
        assert!(!redacted.contains("secret"), "{redacted}");
        assert!(redacted.starts_with("{\"seq\":1,\"time\"") && redacted.contains("{\"pid\":7}"));
        assert_eq!(View::Whole.of(&json), json);
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        for cursor in ["o7", "n", "7", "n-7", "n99999999999999999999", "n+7", ""] {
            assert_eq!(seq_of(cursor, Order::NewestFirst), None, "{cursor}");
        }
    }

    #[test]
    fn foreign_text_makes_no_line_of_a_stream() {
        let mut text = String::new();
        Form::ServerSentEvents.write(&mut text, View::Whole, &Followed::Event(entry(7)));
        assert!(text.starts_with("id: 7\ndata: {\"seq\":7,"), "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
        text.clear();
        let gap = Followed::Gap(Gap { first: Seq(1), last: Seq(3) });
        Form::Lines.write(&mut text, View::Whole, &gap);
        assert_eq!(text, "{\"gap\":{\"first\":1,\"last\":3}}\n");
        text.clear();
        Form::ServerSentEvents.write(&mut text, View::Whole, &gap);
        assert_eq!(text, "id: 3\nevent: gap\ndata: {\"first\":1,\"last\":3}\n\n");
    }
}
