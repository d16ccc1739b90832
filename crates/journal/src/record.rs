//! What readers see: the events in memory and those in the journal, as one.

use std::sync::Arc;

use roost_events::{
    Event, Gap, Position, Seq,
    availability::{Ledger, Seen},
};

use crate::{
    query::{Entry, Filter, Order, Page, Query},
    recorder::{Reader, Recorder},
    writer::Journal,
};

/// Events of a chain of causes.
const CHAIN_MAX: usize = 32;

/// The whole record, for readers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Record {
    recorder: Recorder,
    journal: Option<Journal>,
}

impl Record {
    /// A record of events in memory, and on disk if there is a journal.
    #[must_use]
    pub fn new(recorder: Recorder, journal: Option<Journal>) -> Self {
        Self { recorder, journal }
    }

    /// The recorder.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The journal, unless it is switched off.
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// A page of events. It can wait for the disk.
    #[must_use]
    pub fn page(&self, query: &Query) -> Page {
        // Memory first: what leaves it meanwhile has reached the journal, as far as it does.
        let held = self.recorder.held();
        let first = held.first().map_or_else(|| Seq(self.recorder.last().0 + 1), |event| event.seq);
        match query.order {
            Order::NewestFirst => {
                let mut page = Page::default();
                take(&mut page, query, held.iter().rev());
                if page.items.len() >= query.limit || is_whole(first) {
                    return page;
                }
                let after = query.after.map_or(first, |after| after.min(first));
                let limit = query.limit - page.items.len();
                let older = self.on_disk(&Query { after: Some(after), limit, ..query.clone() });
                page.items.extend(older.items);
                Page { items: page.items, ..older }
            }
            Order::OldestFirst => {
                let mut page = Page::default();
                if !is_whole(first) && query.after.is_none_or(|after| after.0 + 1 < first.0) {
                    page = self.on_disk(query);
                    // The journal has newer events too, which memory has as well.
                    page.items.retain(|entry| entry.seq < first);
                    if page.next.is_some_and(|next| next < first) {
                        return page;
                    }
                    page.next = None;
                }
                take(&mut page, query, held.iter());
                page
            }
        }
    }

    /// The event of a number and those that it follows from, one from the other, as far as they are
    /// kept: those that a filter allows, the newest first. It can wait for the disk.
    #[must_use]
    pub fn chain(&self, of: Seq, filter: &Filter) -> Page {
        let mut chain = Page::default();
        let mut next = Some(of);
        for _ in 0..CHAIN_MAX {
            let Some(seq) = next else { break };
            let page = self.page(&Query {
                filter: Filter::default(),
                order: Order::OldestFirst,
                limit: 1,
                after: seq.0.checked_sub(1).map(Seq),
            });
            chain.is_partial |= page.is_partial;
            let Some(entry) = page.items.into_iter().find(|entry| entry.seq == seq) else { break };
            // A cause is older: a damaged record makes no circle.
            next = entry.cause().filter(|cause| *cause < seq);
            if filter.allows_row(&entry.row()) {
                chain.items.push(entry);
            }
        }
        chain
    }

    fn on_disk(&self, query: &Query) -> Page {
        match &self.journal {
            None => Page::default(),
            Some(journal) => journal
                .page(&self.recorder, query)
                .unwrap_or(Page { is_partial: true, ..Page::default() }),
        }
    }

    /// How available a service was, up to the last event. It can wait for the disk.
    #[must_use]
    pub fn past_of(&self, service: &str) -> Past {
        // Memory first: what leaves it meanwhile has reached the journal, as far as it does.
        let held = self.recorder.held();
        let stored = self.journal.as_ref().map(|journal| journal.ledger(&self.recorder, service));
        let (mut ledger, known, is_lacking) = match stored {
            None => (Ledger::default(), Seq(0), false),
            Some(None) => {
                let is_lacking = held.first().is_none_or(|event| !is_whole(event.seq));
                (Ledger::default(), Seq(0), is_lacking)
            }
            Some(Some((ledger, progress))) => (ledger, progress.accounted, !progress.is_complete()),
        };
        // The disk did not take what memory has dropped since.
        let before = held.first().map_or(Seq(0), |event| Seq(event.seq.0 - 1));
        let is_torn = before > known.max(self.recorder.begun());
        for event in held.iter().filter(|event| event.seq > known) {
            let seen = Seen::from(&**event);
            let is_own = event.fact.service.as_deref() == Some(service);
            if seen.is_of_interest() && (is_own || seen.is_of_supervisor()) {
                ledger.take(&seen);
            }
        }
        Past { ledger, is_partial: is_lacking || is_torn }
    }

    /// Follows the events after this one, or those from now on.
    #[must_use]
    pub fn follow(&self, after: Option<Seq>, filter: Filter) -> Follower {
        Follower { record: self.clone(), reader: self.recorder.reader(after), filter }
    }
}

/// True when memory, which begins with this number, has every event that there ever was: the
/// journal has no other one.
fn is_whole(first: Seq) -> bool {
    first <= Seq(1)
}

/// What the record knows of the past of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// How available it was.
    pub ledger: Ledger,
    /// Events are missing that could not be read.
    pub is_partial: bool,
}

/// Adds events of memory to a page.
fn take<'a>(page: &mut Page, query: &Query, events: impl Iterator<Item = &'a Arc<Event>>) {
    let is_beyond = |seq: Seq| match (query.after, query.order) {
        (None, _) => true,
        (Some(after), Order::OldestFirst) => seq > after,
        (Some(after), Order::NewestFirst) => seq < after,
    };
    for event in events.filter(|event| is_beyond(event.seq) && query.filter.allows(event)) {
        if page.items.len() >= query.limit {
            page.next = page.items.last().map(|entry| entry.seq);
            return;
        }
        page.items.push(Entry::of(event));
    }
    if page.items.len() >= query.limit {
        page.next = page.items.last().map(|entry| entry.seq);
    }
}

/// What a follower gets next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// An event that the filter allows.
    Event(Entry),
    /// Numbers without an event for this follower.
    Gap(Gap),
}

/// Follows events from wherever it was, first through the journal and then in memory, without a
/// hole or a double. What is missing is a gap.
#[derive(Debug)]
pub struct Follower {
    record: Record,
    reader: Reader,
    filter: Filter,
}

impl Follower {
    /// Events of the journal that are read at once.
    const PAGE: usize = 256;

    /// The last number that was taken, whether the filter allowed its event or not.
    #[must_use]
    pub fn taken(&self) -> Seq {
        self.reader.position().taken()
    }

    /// Waits for what comes next. Empty when nothing of it passed the filter.
    pub async fn next(&mut self) -> Vec<Followed> {
        if let Some(followed) = self.read_disk().await {
            return followed;
        }
        let batch = self.reader.next().await;
        let gap = batch.gap.map(Followed::Gap);
        let events = batch.events.iter().filter(|event| self.filter.allows(event));
        gap.into_iter().chain(events.map(|event| Followed::Event(Entry::of(event)))).collect()
    }

    /// The next events that are in the journal alone. `None` if memory has what comes next, or
    /// nothing has it.
    async fn read_disk(&mut self) -> Option<Vec<Followed>> {
        let mut position = self.reader.position();
        let first = self.record.recorder.first();
        if self.record.journal.is_none() || position.next() >= first {
            return None;
        }
        // Everything, so that a hole shows.
        let query = Query {
            filter: Filter::default(),
            order: Order::OldestFirst,
            limit: Self::PAGE,
            after: Some(position.taken()),
        };
        let record = self.record.clone();
        let page = tokio::task::spawn_blocking(move || record.on_disk(&query)).await.ok()?;
        let mut followed = Vec::new();
        for entry in page.items.into_iter().take_while(|entry| entry.seq < first) {
            followed.extend(position.take(entry.seq).map(Followed::Gap));
            if self.filter.allows_row(&entry.row()) {
                followed.push(Followed::Event(entry));
            }
        }
        if position == self.reader.position() {
            return None;
        }
        self.move_to(position);
        Some(followed)
    }

    fn move_to(&mut self, position: Position) {
        self.reader.go_back_to(position);
    }
}
