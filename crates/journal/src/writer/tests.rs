use std::{fs, path::Path};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    query::{Filter, Order},
    record::{Followed, Record},
};

/// Far longer than anything takes: only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A journal with its writer, as a Supervisor has it.
struct Run {
    recorder: Recorder,
    record: Record,
    journal: Journal,
    start: Start,
    notices: Arc<Mutex<Vec<Notice>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Run {
    fn start(path: &Path) -> Self {
        let notices = Arc::<Mutex<Vec<Notice>>>::default();
        let noted = Arc::clone(&notices);
        let max_age = Duration::from_secs(3600);
        let config = Config { path: path.into(), max_bytes: 64 << 20, max_age };
        let (writer, journal) = Writer::new(config, move |notice| locked(&noted).push(notice));
        let (opened, start) = oneshot::channel();
        let (give, take) = mpsc::channel();
        let thread = thread::spawn(move || writer.run(opened, take));
        let start = start.blocking_recv().unwrap();
        let recorder = Recorder::after(&start);
        give.send(recorder.clone()).unwrap();
        let record = Record::new(recorder.clone(), Some(journal.clone()));
        Self { recorder, record, journal, start, notices, thread: Some(thread) }
    }

    /// As a kill ends it: nothing more is written. A copy of the file has what was on disk.
    fn kill(self, path: &Path) {
        let copy = path.with_extension("copy");
        fs::copy(path, &copy).unwrap();
        self.end();
        fs::rename(copy, path).unwrap();
    }

    /// The numbers that events state as missing.
    fn stated(&self) -> Vec<(u64, u64)> {
        let held = self.recorder.held();
        let number = |event: &Event, keys: [&str; 2]| {
            keys.iter().find_map(|key| event.fact.data.get(*key)?.as_u64())
        };
        let stated = held.iter().filter_map(|event| {
            let first = number(event, ["first_missing", "first"])?;
            Some((first, number(event, ["last_missing", "last"])?))
        });
        stated.collect()
    }

    fn record(&self, count: usize) {
        for _ in 0..count {
            self.recorder.record(None, Fact::new(Kind::ServiceUp, "up").of("web.default"));
        }
    }

    fn end(mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.journal.end(&self.recorder));
        self.thread.take().unwrap().join().unwrap();
    }

    fn numbers(&self) -> Vec<u64> {
        let page = self.journal.page(&self.recorder, &oldest_first()).unwrap_or_default();
        page.items.iter().map(|entry| entry.seq.0).collect()
    }

    fn kinds(&self) -> Vec<Kind> {
        self.recorder.held().iter().map(|event| event.fact.kind).collect()
    }

    fn wait_for(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < PATIENCE, "{what}: {:?}", locked(&self.notices));
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn oldest_first() -> Query {
    Query { filter: Filter::default(), order: Order::OldestFirst, limit: 1000, after: None }
}

fn place() -> (TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.redb");
    (directory, path)
}

#[test]
fn numbers_go_on_over_restarts() {
    let (_directory, path) = place();
    let run = Run::start(&path);
    assert_eq!((run.start.last, run.start.lost.clone()), (Seq(0), Vec::new()));
    run.record(3);
    run.end();
    let run = Run::start(&path);
    assert_eq!((run.start.last, run.start.lost.clone()), (Seq(3), Vec::new()));
    run.record(2);
    run.end();
    let run = Run::start(&path);
    assert_eq!(run.numbers(), [1, 2, 3, 4, 5]);
    assert_eq!(run.kinds(), []);
    run.end();
}

#[test]
fn a_loss_is_stated_by_the_first_event_and_until_it_is_on_disk() {
    let (_directory, path) = place();
    let run = Run::start(&path);
    run.record(2);
    run.wait_for("a commit", |run| run.numbers() == [1, 2]);
    run.kill(&path);
    let run = Run::start(&path);
    let (from, to) = (3, run.start.last.0);
    assert_eq!(run.stated(), [(from, to)]);
    assert_eq!(run.kinds(), [Kind::SupervisorRecovered]);
    // A start that fails ends in order.
    run.end();
    let run = Run::start(&path);
    assert_eq!(run.start.lost, []);
    assert_eq!(run.numbers(), [1, 2, to + 1]);
    run.end();
}

#[test]
fn a_loss_that_the_start_could_not_read_is_stated_when_the_journal_opens() {
    let (directory, path) = place();
    let path = directory.path().join("sup").join(path.file_name().unwrap());
    fs::create_dir(path.parent().unwrap()).unwrap();
    let run = Run::start(&path);
    run.record(2);
    run.wait_for("a commit", |run| run.numbers() == [1, 2]);
    run.kill(&path);
    let elsewhere = directory.path().join("elsewhere");
    fs::rename(path.parent().unwrap(), &elsewhere).unwrap();
    let run = Run::start(&path);
    run.record(1);
    run.wait_for("the notice", |run| !locked(&run.notices).is_empty());
    assert_eq!(run.stated(), []);
    fs::rename(&elsewhere, path.parent().unwrap()).unwrap();
    let begun = run.start.last.0;
    run.wait_for("the statement", |run| run.numbers() == [1, 2, begun + 1, begun + 2]);
    assert_eq!(run.stated(), [(3, begun)]);
    assert_eq!(run.kinds(), [Kind::ServiceUp, Kind::SupervisorRecovered]);
    run.end();
    let run = Run::start(&path);
    assert_eq!(run.start.lost, []);
    run.end();
}

#[test]
fn what_memory_could_not_hold_is_stated_once() {
    let (directory, path) = place();
    let path = directory.path().join("sup").join(path.file_name().unwrap());
    let run = Run::start(&path);
    run.wait_for("the notice", |run| !locked(&run.notices).is_empty());
    let (begun, lost) = (run.start.last.0, 10);
    run.record(roost_events::Stream::CAPACITY + lost);
    fs::create_dir(path.parent().unwrap()).unwrap();
    run.wait_for("the journal", |run| run.record.journal().unwrap().lost() > 0);
    run.wait_for("the statement", |run| {
        let last = run.recorder.last();
        let query = Query { after: Some(Seq(last.0 - 1)), ..oldest_first() };
        let page = run.journal.page(&run.recorder, &query).unwrap_or_default();
        !run.stated().is_empty() && page.items.iter().any(|entry| entry.seq == last)
    });
    assert_eq!(run.stated(), [(begun + 1, begun + 10)]);
    assert_eq!(run.record.journal().unwrap().lost(), 10);
    run.end();
    let run = Run::start(&path);
    assert_eq!(run.start.lost, []);
    run.end();
}

#[test]
fn a_page_is_whole_without_the_journal_while_memory_has_every_event() {
    let (_directory, path) = place();
    let run = Run::start(&path);
    run.record(3);
    run.wait_for("a commit", |run| run.numbers() == [1, 2, 3]);
    let is_partial = |run: &Run| {
        let newest = Query { order: Order::NewestFirst, ..oldest_first() };
        let pages = [oldest_first(), newest].map(|query| run.record.page(&query).is_partial);
        (pages, run.record.past_of("web.default").is_partial)
    };
    *locked(&run.journal.0.file) = None;
    assert_eq!(is_partial(&run), ([false; 2], false));
    assert_eq!(run.record.page(&oldest_first()).items.len(), 3);
    run.record(roost_events::Stream::CAPACITY);
    // The newest thousand are there.
    assert_eq!(is_partial(&run), ([true, false], true));
    run.end();
}

#[test]
fn a_chain_of_causes_is_read_from_disk_and_memory() {
    let (_directory, path) = place();
    let run = Run::start(&path);
    let up = |run: &Run, cause| {
        run.recorder.record(cause, Fact::new(Kind::ServiceUp, "up").of("web.default"))
    };
    let first = up(&run, None);
    up(&run, None);
    let third = up(&run, Some(first));
    run.end();
    let run = Run::start(&path);
    // A cause that is newer leads nowhere.
    let fourth =
        run.recorder.record(Some(third), Fact::new(Kind::ServiceDown, "down").of("db.default"));
    let damaged = up(&run, Some(Seq(99)));
    let chain = |of, filter: &Filter| {
        let page = run.record.chain(of, filter);
        assert_eq!((page.next, page.is_partial), (None, false));
        page.items.iter().map(|entry| entry.seq).collect::<Vec<_>>()
    };
    let all = Filter::default();
    assert_eq!(chain(fourth, &all), [fourth, third, first]);
    assert_eq!(chain(first, &all), [first]);
    assert_eq!(chain(damaged, &all), [damaged]);
    assert_eq!(chain(Seq(42), &all), []);
    let of_web = Filter { service: Some("web.default".into()), ..Filter::default() };
    assert_eq!(chain(fourth, &of_web), [third, first]);
    let mut last = first;
    for _ in 0..40 {
        last = up(&run, Some(last));
    }
    assert_eq!(chain(last, &all).len(), 32);
    run.end();
}

#[test]
fn an_event_is_on_disk_without_waiting_for_another_one() {
    let (_directory, path) = place();
    let run = Run::start(&path);
    run.record(1);
    run.wait_for("the first commit", |run| run.numbers() == [1]);
    run.record(1);
    run.wait_for("the second commit", |run| run.numbers() == [1, 2]);
    run.end();
}

#[test]
fn what_cannot_be_a_journal_is_set_aside_and_recorded() {
    type Spoil = fn(&Path);
    let cases: [(&str, Spoil); 5] = [
        ("text", |path| fs::write(path, "not a journal".repeat(10_000)).unwrap()),
        ("a directory", |path| fs::create_dir(path).unwrap()),
        ("a link", |path| std::os::unix::fs::symlink("elsewhere", path).unwrap()),
        ("a pipe", |path| {
            rustix::fs::mknodat(CWD, path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
                .unwrap();
        }),
        ("a file that ended two Supervisors", |path| {
            fs::write(path.with_extension("opening"), [2]).unwrap();
            fs::write(path, "").unwrap();
        }),
    ];
    use rustix::fs::CWD;
    for (what, spoil) in cases {
        let (_directory, path) = place();
        spoil(&path);
        let run = Run::start(&path);
        run.wait_for(what, |run| run.kinds() == [Kind::JournalRecovered]);
        assert!(run.start.last > Seq(1_700_000_000_000), "{what}: {:?}", run.start);
        assert!(path.with_extension("redb.corrupt").symlink_metadata().is_ok(), "{what}");
        let last = run.recorder.last().0;
        run.wait_for(what, |run| run.numbers() == [last]);
        run.end();
        let run = Run::start(&path);
        assert_eq!((run.start.last, run.start.lost.clone()), (Seq(last), Vec::new()), "{what}");
        run.end();
    }
}

#[test]
fn a_file_that_another_supervisor_has_open_is_used_when_it_is_free() {
    let (_directory, path) = place();
    let first = Run::start(&path);
    first.record(1);
    first.wait_for("a commit", |run| run.numbers() == [1]);
    let second = Run::start(&path);
    second.record(1);
    second.wait_for("the notice", |run| !locked(&run.notices).is_empty());
    assert!(matches!(&locked(&second.notices)[..], [Notice::Lossy(why)] if why.contains("open")));
    // Readers still get it.
    assert_eq!(second.record.recorder().held().len(), 1);
    first.end();
    second.wait_for("the second to take over", |run| run.numbers().len() == 3);
    // Numbers that it did not use, since they may be those of the first.
    assert_eq!(second.stated(), [(2, second.start.last.0)]);
    assert_eq!(second.kinds(), [Kind::ServiceUp, Kind::JournalGap]);
    assert_eq!(locked(&second.notices).last(), Some(&Notice::Whole));
    let numbers = second.numbers();
    assert!(numbers[0] == 1 && numbers[1] > 1_700_000_000_000, "{numbers:?}");
    second.end();
}

#[test]
fn a_file_that_was_removed_is_replaced_and_no_event_of_memory_is_lost() {
    let (_directory, path) = place();
    let run = Run::start(&path);
    run.record(1);
    run.wait_for("a commit", |run| run.numbers() == [1]);
    fs::remove_file(&path).unwrap();
    run.record(1);
    run.wait_for("another file", |run| run.numbers().contains(&2));
    run.end();
}

#[test]
fn a_follower_goes_through_the_journal_and_memory_without_a_hole() {
    let (_directory, path) = place();
    let run = Run::start(&path);
    run.record(700);
    run.end();
    let run = Run::start(&path);
    run.record(10);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut follower = run.record.follow(Some(Seq(100)), Filter::default());
    let mut seen = Vec::new();
    runtime.block_on(async {
        while seen.len() < 610 {
            for followed in follower.next().await {
                let Followed::Event(entry) = followed else { panic!("{followed:?}") };
                seen.push(entry.seq.0);
            }
        }
    });
    assert_eq!(seen, (101..=710).collect::<Vec<_>>());
    run.end();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever happens to the bytes of a journal: the Supervisor starts and records, and each
    /// event that it shows is one that was recorded.
    #[test]
    fn damaged_bytes_stop_no_start_and_make_no_event(
        spots in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4),
        length in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (_directory, path) = place();
        let run = Run::start(&path);
        run.record(200);
        let recorded: Vec<_> = run.recorder.held().iter().map(|event| event.to_json()).collect();
        run.end();
        let mut bytes = fs::read(&path).unwrap();
        for (at, flip) in spots {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        if let Some(length) = length {
            bytes.truncate(length.index(bytes.len()));
        }
        fs::write(&path, &bytes).unwrap();
        let run = Run::start(&path);
        run.record(5);
        for entry in run.record.page(&oldest_first()).items {
            let is_ours = entry.seq > run.start.last;
            prop_assert!(is_ours || recorded.iter().any(|json| **json == *entry.json));
        }
        run.end();
        let run = Run::start(&path);
        run.end();
    }
}
