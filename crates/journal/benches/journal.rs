//! Pages and commits of a journal with 1,000,000 events, the availability of 90 days, and 1,000
//! readers of the stream.

#![allow(missing_docs, reason = "criterion makes an undocumented function")]

use criterion::{Criterion, criterion_group, criterion_main};
use roost_events::{Fact, Kind, Seq};
use roost_journal::{
    Recorder,
    measured::{Filled, Quarter},
};

fn journal(c: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("journal.redb");
    let mut filled = Filled::new(&path, 1_000_000).expect("a journal");
    let mut service = 0;
    c.bench_function("page of one service of 1,000,000 events", |b| {
        b.iter(|| {
            service = (service + 1) % 100;
            assert_eq!(filled.page(service), 100);
        });
    });
    c.bench_function("commit of one event, with its sync", |b| {
        b.iter(|| filled.commit().expect("a commit"));
    });
}

fn availability(c: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let quarter = Quarter::new(&directory.path().join("journal.redb")).expect("a journal");
    c.bench_function("availability of 90 days with a change every ten minutes", |b| {
        b.iter(|| assert!(quarter.availability()[3] > 0));
    });
}

fn readers(c: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("threads");
    for count in [1, 1000] {
        let recorder = Recorder::new(Seq(0));
        let (taken, mut all) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..count {
            let (mut reader, taken) = (recorder.reader(None), taken.clone());
            runtime.spawn(async move {
                loop {
                    let batch = reader.next().await;
                    if taken.send(batch.events.len()).is_err() {
                        return;
                    }
                }
            });
        }
        c.bench_function(&format!("event at the last of {count} readers"), |b| {
            b.iter(|| {
                recorder.record(None, Fact::new(Kind::ServiceUp, "up"));
                for _ in 0..count {
                    all.blocking_recv().expect("a reader");
                }
            });
        });
    }
}

criterion_group!(benches, availability, journal, readers);
criterion_main!(benches);
