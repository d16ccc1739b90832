//! The one owner of the ring: it sleeps until something arrives or is due, feeds it to the
//! state machine, and does what comes out.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use roost_api::{Contact, Contacts};
use roost_fleet::FleetEvent;
use roost_ring::{Command, Event as RingEvent, Input, Now, Output, Ring, View};
use roost_zmtp::{BatchId, Received, Report};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout},
};

use super::{
    Order, Origin, complaints::Complaints, disk::Disk, durable::Durable, record::Record,
    saving::Saving, sockets::Sockets, trigger, trigger::Triggers,
};
use crate::{metrics::Metrics, supervisor::event::Event, vital};

/// Longest datagram that is looked at; UDP carries no longer ones.
const DATAGRAM_BYTES_MAX: usize = 65_536;
/// Messages and datagrams that are handled before anything else gets a turn.
const INPUTS_PER_TURN: usize = 128;
/// How long the end waits for a disk that does not write.
const STORE_PATIENCE: Duration = Duration::from_secs(2);
/// Advice on its way to the Supervisor's task.
const ADVICE_MAX: usize = 64;
/// Time between updates of the ring's figures in `/metrics`.
const METRICS_PERIOD: Duration = Duration::from_secs(1);

/// Where the ring is shown.
pub(super) struct Published {
    /// What the ring looks like. Only the last one counts: however fast it changes, nothing is
    /// queued.
    pub(super) views: watch::Sender<Arc<View>>,
    /// How the members answer; updated once a second.
    pub(super) contacts: Contacts,
    pub(super) origin: Origin,
}

pub(super) struct Task {
    ring: Ring,
    clock: Instant,
    sockets: Sockets,
    disk: Disk,
    metrics: Metrics,
    events: mpsc::UnboundedSender<Event>,
    published: Published,
    /// Pushes under way, by the number of their batch. Bounded: the ring has one under way for each
    /// member at most, and the pool reports the end of each batch that it has taken.
    pushes: HashMap<BatchId, u64>,
    stored: (mpsc::Sender<u64>, mpsc::Receiver<u64>),
    /// An incarnation is on its way to the disk.
    storing: bool,
    /// The newest that is to follow it. Members of the ring can make it rise as fast as they like,
    /// a disk cannot.
    store_next: Option<u64>,
    /// Advice that the Supervisor's task may not have handled yet: what is in it comes from the
    /// network.
    advice: Arc<Semaphore>,
    saving: Saving,
    durable: Durable,
    record: Record,
    counted_at: Instant,
    /// Something happened since the figures were updated.
    uncounted: bool,
    complaints: Complaints,
    triggers: Option<Triggers>,
}

impl Task {
    /// A task for a ring that was started at time 0, which is now.
    pub(super) fn new(
        ring: Ring,
        sockets: Sockets,
        disk: Disk,
        metrics: Metrics,
        events: mpsc::UnboundedSender<Event>,
        published: Published,
        triggers: Option<Triggers>,
        record: Record,
    ) -> Self {
        let clock = published.origin.start();
        Self {
            ring,
            clock,
            sockets,
            disk,
            metrics,
            events,
            published,
            pushes: HashMap::new(),
            stored: mpsc::channel(1),
            storing: false,
            store_next: None,
            advice: Arc::new(Semaphore::new(ADVICE_MAX)),
            saving: Saving::new(super::number("HAB_PERSIST_LOOP_PERIOD_SECS")),
            durable: Durable::new(),
            record,
            counted_at: clock,
            uncounted: true,
            complaints: Complaints::default(),
            triggers,
        }
    }

    pub(super) async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        let mut look = interval_at(Instant::now() + trigger::PERIOD, trigger::PERIOD);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.save();
        self.do_outputs().await;
        loop {
            let wake = self.instant(self.ring.next_wake());
            tokio::select! {
                received = self.sockets.udp.recv_from(&mut datagram) => {
                    // An error is about an earlier datagram that could not be delivered.
                    if let Ok((size, from)) = received {
                        self.take_datagram(from, &datagram[..size]);
                    }
                    for _ in 1..INPUTS_PER_TURN {
                        let Ok((size, from)) = self.sockets.udp.try_recv_from(&mut datagram) else {
                            break;
                        };
                        self.take_datagram(from, &datagram[..size]);
                    }
                }
                Some(message) = self.sockets.listener.recv() => self.take_gossip(&message),
                Some(report) = self.sockets.reports.recv() => self.take_report(&report),
                Some(incarnation) = self.stored.1.recv() => self.incarnation_stored(incarnation),
                order = orders.recv() => match order {
                    Some(Order::Command(command)) => {
                        let now = self.now();
                        if let Err(dropped) = self.ring.handle(now, Input::Command(*command)) {
                            tracing::warn!("The ring refused a command: {dropped}");
                        }
                    }
                    Some(Order::Change(change)) => {
                        self.durable.add(change, &mut self.record);
                        self.write_changes();
                    }
                    Some(Order::End(done)) => {
                        self.end().await;
                        // The part that requested it may have ended.
                        let _ = done.send(());
                        return;
                    }
                    None => return,
                },
                Some(result) = self.durable.written() => self.changes_written(&result),
                // A file without the changes that are being written must not come after them.
                () = sleep_until(self.saving.due()), if !self.durable.is_writing() => self.save(),
                _ = look.tick(), if self.triggers.is_some() => self.trigger_elections(),
                () = sleep_until(wake) => {
                    let now = self.now();
                    self.ring.wake(now);
                }
                () = sleep_until(self.counted_at + METRICS_PERIOD), if self.uncounted => {}
            }
            self.do_outputs().await;
            self.metrics.queued("ring-orders", orders.len());
            self.uncounted = self.counted_at.elapsed() < METRICS_PERIOD;
            if !self.uncounted {
                self.count();
            }
        }
    }

    fn now(&self) -> Now {
        self.published.origin.now()
    }

    fn instant(&self, time: Now) -> Instant {
        // Far enough for "never" without running over.
        self.clock + Duration::from_micros(time.0).min(Duration::from_secs(u32::MAX.into()))
    }

    /// Input that has no effect is counted by the ring itself.
    fn feed(&mut self, input: Input<'_>) {
        let now = self.now();
        if let Err(dropped) = self.ring.handle(now, input) {
            tracing::debug!("dropped: {dropped}");
        }
    }

    /// As [`Task::feed`], for what came from the network.
    fn feed_from(&mut self, peer: IpAddr, input: Input<'_>) {
        let now = self.now();
        if let Err(dropped) = self.ring.handle(now, input)
            && let Some(line) = self.complaints.about(std::time::Instant::now(), peer, &dropped)
        {
            tracing::error!("{line}");
        }
    }

    fn take_datagram(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.feed_from(from.ip(), Input::Datagram { from, bytes });
    }

    fn take_gossip(&mut self, message: &Received) {
        self.feed_from(message.peer.ip(), Input::Gossip { bytes: &message.bytes });
        for _ in 1..INPUTS_PER_TURN {
            let Some(message) = self.sockets.listener.try_recv() else { break };
            self.feed_from(message.peer.ip(), Input::Gossip { bytes: &message.bytes });
        }
    }

    /// Restarts the elections that an operator asked for.
    fn trigger_elections(&mut self) {
        let Some(triggers) = &mut self.triggers else { return };
        let groups: Vec<String> = self.ring.own_elections().map(ToString::to_string).collect();
        for group in groups.into_iter().filter(|group| triggers.take(group)).collect::<Vec<_>>() {
            self.feed(Input::Command(Command::TriggerElection { group }));
        }
    }

    fn take_report(&mut self, report: &Report) {
        if let Some(error) = &report.error {
            self.metrics.push_failed(error.step.as_str());
            tracing::debug!("gossip to {} failed: {error}", report.to);
        }
        if let Some(push) = self.pushes.remove(&report.batch) {
            self.feed(Input::PushResult { push, sent: report.sent });
        }
    }

    async fn do_outputs(&mut self) {
        let mut changed = false;
        while let Some(output) = self.ring.poll() {
            match output {
                Output::Send { to, bytes } => {
                    // What cannot be sent is lost, as datagrams are.
                    if let Err(error) = self.sockets.udp.send_to(&bytes, to).await {
                        self.metrics.datagram_failed();
                        tracing::debug!("datagram to {to} not sent: {error}");
                    }
                }
                Output::Push { push, to, messages } => match self.sockets.pool.send(to, messages) {
                    Ok(batch) => drop(self.pushes.insert(batch, push)),
                    Err(refused) => {
                        self.metrics.push_failed("queue");
                        tracing::debug!("gossip to {to} not sent: {refused}");
                        self.feed(Input::PushResult { push, sent: 0 });
                    }
                },
                Output::PersistIncarnation(incarnation) => {
                    self.store_next = Some(incarnation);
                    self.store_incarnation();
                }
                Output::Changed => changed = true,
                Output::Departed => self.send(Event::Fleet(FleetEvent::Departed)),
                Output::NeedSuitability { group, term } => {
                    self.send(Event::Fleet(FleetEvent::NeedSuitability { group, term }));
                }
                Output::Event(RingEvent::OwnIdHeard { from }) => self.look_at_double(from),
                Output::Event(event) if event.is_advice() => self.advise(event.to_string()),
                Output::Event(event) if event.is_warning() => tracing::warn!("{event}"),
                Output::Event(event) => tracing::debug!("{event}"),
                Output::Record(report) => self.record.event(*report),
                Output::Took(duration) => self.metrics.ring_took(&duration),
            }
        }
        if changed {
            let view = Arc::new(self.ring.view());
            let before = self.published.views.send_replace(Arc::clone(&view));
            self.saving.changed(Instant::now(), !view.has_rumors_of(&before));
        }
    }

    /// Hands on what an operator must act on.
    fn advise(&self, text: String) {
        match Arc::clone(&self.advice).try_acquire_owned() {
            Ok(room) => self.send(Event::Advice(text, room)),
            Err(_) => self.metrics.queue_dropped("advice"),
        }
    }

    /// Another member sends with the id of this one. Its own pings come back when its address is
    /// among the initial peers.
    fn look_at_double(&self, from: SocketAddr) {
        if !is_itself(from, self.sockets.port) {
            let id = self.published.views.borrow().id.clone();
            self.advise(format!(
                "A Supervisor at {from} uses the member id of this one, {id}. Where one machine is \
                 a copy of the other, stop the Supervisor of the copy and remove \
                 hab/sup/default/MEMBER_ID and hab/sup/default/data there."
            ));
        }
    }

    /// Writes the data file, unless it holds already what is known.
    fn save(&mut self) {
        if self.saving.begin(Instant::now()) {
            self.disk.write_stores(&self.ring.stores());
        }
    }

    /// Changes are on disk, or cannot be brought there.
    fn changes_written(&mut self, result: &std::io::Result<()>) {
        let now = self.now();
        let send = |event| drop(self.events.send(event));
        self.durable.apply(now, &mut self.ring, result, &mut self.record, send);
        // What else happened meanwhile; and what was refused must not stay in the file.
        self.saving.changed(Instant::now(), true);
        self.write_changes();
    }

    fn write_changes(&mut self) {
        self.durable.write(self.now(), &self.ring, &self.disk, &mut self.record);
    }

    fn send(&self, event: Event) {
        // Without the Supervisor's task the process is ending.
        let _ = self.events.send(event);
    }

    fn count(&mut self) {
        self.counted_at = Instant::now();
        let origin = &self.published.origin;
        let contacts = self.ring.take_contacts().into_iter().map(|(place, contact)| {
            let heard_unix_ms = contact.heard.map(|heard| origin.unix_ms(heard));
            (place, Contact { round_trip_us: contact.round_trip_us, heard_unix_ms })
        });
        self.published.contacts.update(contacts);
        let ring = &self.ring;
        self.metrics.ring(ring.counters(), ring.incarnation(), ring.awareness());
        self.metrics.transport(&self.sockets.listener.stats(), &self.sockets.pool.stats());
    }

    /// Brings the newest incarnation to the disk, unless one is on its way.
    fn store_incarnation(&mut self) {
        if self.storing {
            return;
        }
        let Some(incarnation) = self.store_next.take() else { return };
        self.storing = true;
        let (store, path) = self.disk.incarnation_file();
        let stored = self.stored.0.clone();
        vital::spawn("incarnation", async move {
            Disk::write_incarnation(store, path, incarnation).await;
            // Without the task the process is ending.
            let _ = stored.send(incarnation).await;
        });
    }

    fn incarnation_stored(&mut self, incarnation: u64) {
        self.storing = false;
        self.store_incarnation();
        self.feed(Input::IncarnationStored(incarnation));
    }

    async fn end(mut self) {
        self.do_outputs().await;
        // The farewell waits for the incarnation that it carries.
        while self.storing {
            match timeout(STORE_PATIENCE, self.stored.1.recv()).await {
                Ok(Some(incarnation)) => self.incarnation_stored(incarnation),
                Ok(None) | Err(_) => break,
            }
            self.do_outputs().await;
        }
        self.save();
        self.sockets.pool.close().await;
        self.sockets.listener.close().await;
    }
}

/// True when a datagram with the id of this member came from its own socket.
fn is_itself(from: SocketAddr, own_port: u16) -> bool {
    // Only an address of this machine can be bound.
    from.port() == own_port && std::net::UdpSocket::bind((from.ip().to_canonical(), 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_id_from_another_machine_or_port_is_a_copy() {
        let itself = |from: &str| is_itself(from.parse().expect("an address"), 9638);
        assert!(itself("127.0.0.1:9638"));
        assert!(itself("[::ffff:127.0.0.1]:9638"));
        assert!(!itself("127.0.0.1:9639"), "another Supervisor of this machine");
        assert!(!itself("192.0.2.7:9638"), "an address for documentation, on no machine");
    }
}
