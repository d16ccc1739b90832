//! Start and end of the record: the journal on its thread, and where the numbers of events begin.

use std::{io, sync::mpsc, time::Duration};

use roost_journal::{Config, Journal, Notice, Record, Recorder, Start, Writer};
use tokio::sync::oneshot;

use crate::{
    conditions::{Conditions, Kind},
    config::JournalConfig,
    metrics::Metrics,
    vital,
};

/// How long a start waits for the journal. A disk that needs longer delays no service: numbers
/// then begin behind any that the journal can hold.
const PATIENCE: Duration = Duration::from_secs(2);
/// For the B-tree of the journal.
const STACK_BYTES: usize = 512 * 1024;
/// What the condition of a journal that loses events is about.
const JOURNAL: &str = "journal";

/// Opens the journal, if there is to be one.
///
/// # Errors
/// When the system cannot start a thread.
pub(crate) async fn open(
    config: Option<JournalConfig>,
    path: std::path::PathBuf,
    conditions: &Conditions,
    metrics: &Metrics,
) -> io::Result<(Record, Start)> {
    let Some(JournalConfig { max_bytes, max_age }) = config else {
        let start = Start::without_journal();
        return Ok((Record::new(Recorder::after(&start), None), start));
    };
    let noted = notices(conditions.clone(), metrics.clone());
    let (writer, journal) = Writer::new(Config { path, max_bytes, max_age }, noted);
    let (opened, start) = oneshot::channel();
    let (give, take) = mpsc::channel();
    vital::spawn_thread("hab-journal", STACK_BYTES, move || writer.run(opened, take))?;
    let start = match tokio::time::timeout(PATIENCE, start).await {
        Ok(Ok(start)) => start,
        Ok(Err(_)) | Err(_) => Start::without_journal(),
    };
    let recorder = Recorder::after(&start);
    // The thread is gone only when the process is ending.
    let _ = give.send(recorder.clone());
    Ok((Record::new(recorder, Some(journal)), start))
}

fn notices(conditions: Conditions, metrics: Metrics) -> impl Fn(Notice) + Send {
    move |notice| match notice {
        Notice::Lossy(why) => conditions.appear(
            Kind::JournalLossy,
            JOURNAL,
            &format!(
                "The journal of events cannot be written ({why}); the latest events are kept in \
                 memory. It is tried again every few seconds"
            ),
        ),
        Notice::Whole => {
            conditions.end(Kind::JournalLossy, JOURNAL, "The journal of events is written again");
        }
        Notice::Recovered(text) => {
            metrics.state_file_damaged(JOURNAL);
            tracing::error!("{text}");
        }
    }
}

/// Writes what is outstanding.
pub(crate) async fn end(record: &Record) {
    if let Some(journal) = record.journal() {
        Journal::end(journal, record.recorder()).await;
    }
}
