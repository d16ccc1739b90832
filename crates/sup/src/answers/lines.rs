//! `/v1/services/{sg}/logs`: what a service printed, from the files of the launcher.

use std::{io, ops::ControlFlow, path::Path, time::Duration};

use bytes::Bytes;
use roost_api::{
    Ask, Code, Media, Problem,
    live::{Chunks, Pending},
};
use roost_logs::{Follower, Selection, Stream, directory_of};

use crate::{
    lines::{Form, Printer},
    vital,
};

/// Lines that are read and sent together, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;
/// Lines shown when neither their number nor their time is given.
const TAIL: usize = 100;
/// Interval of a follower's looks at the newest file.
const PERIOD: Duration = Duration::from_millis(250);

/// Where a stream of lines is.
struct Reading {
    follower: Follower,
    printer: Printer,
    /// Position that a stream without `follow` ends at.
    until: Option<u64>,
    /// The last look found nothing new.
    is_idle: bool,
}

/// The lines that a request selects.
pub(super) fn answer(root: &Path, ask: &Ask) -> Pending<Chunks> {
    let group = ask.service.as_ref().map(|service| service.group());
    let directory = group.and_then(|group| directory_of(root, group));
    let query = &ask.query;
    let is_bounded = query.moment_ms("since").is_some();
    let tail = query.number("tail").map(|tail| usize::try_from(tail).unwrap_or(usize::MAX));
    let selection = Selection {
        since_ms: query.moment_ms("since"),
        until_ms: query.moment_ms("until"),
        stream: match query.words("stream") {
            Some([word]) => Stream::from_name(word),
            _ => None,
        },
        grep: query.text("grep").map(Into::into),
        tail: tail.or((!is_bounded).then_some(TAIL)),
    };
    let form = if ask.media == Media::Ndjson { Form::Json } else { Form::Text };
    let follow = query.flag("follow");
    Box::pin(async move {
        let directory = directory.ok_or_else(|| Problem::from(Code::BadName))?;
        let begun = vital::spawn_blocking("lines of a service", move || {
            Follower::begin(directory, selection)
        });
        let (follower, end) = begun
            .await
            .map_err(|error| unreadable(&io::Error::from(error)))?
            .map_err(|error| unreadable(&error))?;
        let until = (!follow).then_some(end);
        let reading = Reading { follower, printer: Printer::new(form), until, is_idle: false };
        Ok(Chunks::unfold(reading, next))
    })
}

fn unreadable(error: &io::Error) -> Problem {
    Problem::new(Code::Unavailable, format!("The lines of this service cannot be read: {error}."))
}

/// The next lines; nothing when all were sent, and when the files cannot be read any more.
async fn next(mut reading: Reading) -> Option<(Bytes, Reading)> {
    loop {
        if reading.until.is_some_and(|end| reading.follower.position() >= end) {
            return None;
        }
        if reading.is_idle {
            tokio::time::sleep(PERIOD).await;
        }
        let (read, text);
        (reading, read, text) = vital::spawn_blocking("lines of a service", move || {
            let (mut reading, mut text) = (reading, Vec::new());
            let read = reading.read(&mut text);
            (reading, read, text)
        })
        .await
        .ok()?;
        match read {
            // Files that rotate faster than they are read, for a moment.
            Err(_) if text.is_empty() && reading.until.is_none() => reading.is_idle = true,
            Err(_) if text.is_empty() => return None,
            Ok(ControlFlow::Continue(())) if text.is_empty() && reading.until.is_some() => {
                return None;
            }
            Ok(_) | Err(_) if text.is_empty() => reading.is_idle = true,
            Ok(_) | Err(_) => {
                reading.is_idle = false;
                return Some((text.into(), reading));
            }
        }
    }
}

impl Reading {
    fn read(&mut self, text: &mut Vec<u8>) -> io::Result<ControlFlow<()>> {
        let Self { follower, printer, until, .. } = self;
        follower.poll(|record| {
            if until.is_some_and(|end| record.position >= end) {
                return ControlFlow::Break(());
            }
            text.extend_from_slice(printer.text(&record).as_bytes());
            match text.len() < CHUNK_BYTES {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })
    }
}
