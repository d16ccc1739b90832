//! The Supervisor's task: one event at a time, in a thin shell around the [`Fleet`].
//!
//! The fleet decides; this task brings it what happened, carries out what it asks for, and after
//! each event that changed something that documents show publishes a new snapshot. Everything slow
//! runs beside it and comes back as an [`Event`]: reading packages, rendering, hooks, writing
//! state.
//!
//! | file | holds |
//! |---|---|
//! | [`event`] | what can happen |
//! | `launched` | what the launcher sends |
//! | `outlook` | the ring, brought into the fleet's census |
//! | `commands` | what clients of the control gateway want |
//! | `act` | what the fleet asks for |
//! | `publish` | documents |

pub(crate) mod event;
pub(crate) mod publish;

mod act;
mod commands;
mod launched;
mod outlook;

use std::{
    cell::OnceCell,
    future,
    sync::Arc,
    time::{Duration, Instant},
};

use roost_events::{Cause, Seq};
use roost_fleet::{Ending, Fleet, FleetEvent, Glance, Governor, Heard, Left};
use roost_journal::{Recorder, Source};
use roost_launch::wire::{self, Welcome};
use roost_ring::View;
use roost_service::{BackoffSettings, Settings};
use tokio::{
    sync::{mpsc, watch},
    time::MissedTickBehavior,
};

use self::{
    event::{Event, Reports, Watch},
    outlook::Outlook,
    publish::Publisher,
};
use crate::{
    Exit,
    clock::Clock,
    conditions::Conditions,
    config::SupConfig,
    event_stream::EventStream,
    files::{
        store::Store,
        watch::{Target, Watcher},
    },
    inherited,
    launcher::Launcher,
    load::SpecCommands,
    metrics::Metrics,
    output::Output,
    peers::Peers,
    record,
    ring::{RingHandle, gateway::Here},
    self_checks::SelfChecks,
    services::{
        built::Built, hook_run::HookRuns, jobs::Workshop, probes::Probes, small_files::SmallFiles,
    },
    system,
    tokens::Tokens,
};

/// Events that are handled before documents are published again.
const EVENTS_PER_TURN: usize = 64;
/// Time between two signs of life to the launcher.
const ALIVE_EVERY: Duration = Duration::from_secs(10);
/// After this time without a sign of life the launcher starts another Supervisor.
const ALIVE: wire::Request = wire::Request::Alive(wire::Alive { within_ms: 60_000 });

/// Handles of everything outside the Supervisor's task.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Arc<SupConfig>,
    pub(crate) output: Output,
    pub(crate) event_stream: Option<EventStream>,
    pub(crate) store: Store,
    pub(crate) small_files: SmallFiles,
    pub(crate) watcher: Watcher<Watch>,
    pub(crate) places: Places,
    pub(crate) launcher: Launcher,
    pub(crate) ring: RingHandle,
    /// What decides which gateways of members are shown and asked.
    pub(crate) here: Here,
    pub(crate) peers: Peers,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) conditions: Conditions,
    pub(crate) specs: SpecCommands,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) workshop: Arc<Workshop>,
    pub(crate) events: mpsc::UnboundedSender<Event>,
    pub(crate) reports: Reports,
    pub(crate) recorder: Recorder,
    pub(crate) self_checks: SelfChecks,
}

/// A second watcher, once there is something for it.
#[derive(Debug, Default)]
pub(crate) struct Places(OnceCell<Option<Watcher<Watch>>>);

impl World {
    /// Watches what lies wherever a user wants, beside the Supervisor's own directories: a mount
    /// that does not answer must not keep changes of specs from being seen. Each watcher takes an
    /// instance of inotify, of which there are few; without one the first has to do.
    fn watcher_of_places(&self) -> &Watcher<Watch> {
        let own = self.places.0.get_or_init(|| {
            Watcher::start(reporter(&self.events, &self.reports))
                .inspect_err(|error| tracing::warn!("One watcher of files has to do: {error}"))
                .ok()
        });
        own.as_ref().unwrap_or(&self.watcher)
    }
}

/// What a watcher does with a change; false when the Supervisor's task is gone.
pub(crate) fn reporter(
    events: &mpsc::UnboundedSender<Event>,
    reports: &Reports,
) -> impl Fn(Watch) -> bool + Send + 'static {
    let (events, reports) = (events.clone(), reports.clone());
    move |watch| match reports.is_new(&watch) {
        true => events.send(Event::Changed(watch)).is_ok(),
        false => !events.is_closed(),
    }
}

/// How the Supervisor's task ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) exit: Exit,
    /// Processes that the launcher can no longer stop, because it is gone.
    pub(crate) left: Vec<Left>,
}

/// The Supervisor's task.
#[derive(Debug)]
pub(crate) struct Supervisor {
    world: World,
    fleet: Fleet<Built>,
    hooks: HookRuns,
    probes: Probes,
    outlook: Outlook,
    publisher: Publisher,
    /// Advice about the ring that was logged.
    ring_advice: Heard,
    governor: Governor,
    /// The facts of the fleet, on their way to the record.
    record: Source,
}

impl Supervisor {
    /// Takes over what the launcher holds.
    pub(crate) fn new(
        world: World,
        welcome: &Welcome,
        view: Arc<View>,
        publisher: Publisher,
    ) -> Self {
        let config = fleet_config(&world);
        let fleet = Fleet::new(world.clock.now(), config, inherited::inheritance(welcome));
        let mut supervisor = Self {
            fleet,
            hooks: HookRuns::new(world.output.clone(), world.small_files.clone()),
            probes: Probes::new(),
            outlook: Outlook::new(&view, &world.config.key_cache),
            publisher,
            ring_advice: Heard::default(),
            governor: Governor::default(),
            record: world.recorder.source(),
            world,
        };
        supervisor.look(Glance::Ring, view);
        supervisor.act();
        if let Some(path) = &supervisor.world.config.ring.peer_watch_file {
            let target = Target::File(path.clone());
            supervisor.world.watcher_of_places().watch(Watch::Peers, vec![target]);
        }
        if let Some(tokens) = &supervisor.world.tokens {
            let target = Target::File(tokens.path().into());
            supervisor.world.watcher_of_places().watch(Watch::Tokens, vec![target]);
            // It may have changed since it was read.
            tokens.reread();
        }
        supervisor
    }

    /// Handles events until the end.
    pub(crate) async fn run(
        mut self,
        mut events: mpsc::UnboundedReceiver<Event>,
        mut views: watch::Receiver<Arc<View>>,
        mut launcher: mpsc::Receiver<wire::LauncherEvent>,
    ) -> End {
        let mut alive = tokio::time::interval(ALIVE_EVERY);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut launcher_lives = true;
        // Any sender of gossip can change the ring all the time. Its changes get a share of this
        // task, and what must wait is not queued: only the last view counts.
        loop {
            let clock = self.world.clock;
            let ring_rests = self.governor.rests_until(clock.elapsed());
            let ring_rests = ring_rests.map(|until| clock.at(until));
            let next_wake = self.fleet.next_wake_ms().map(|at_ms| clock.instant(at_ms));
            let wake = next_wake.into_iter().chain(ring_rests).min();
            // Services see the last view before the task takes the next one, so that
            // services see something however fast views follow each other.
            let takes_views = ring_rests.is_none() && !self.fleet.is_reading_ring();
            let mut view_at = None;
            tokio::select! {
                event = events.recv() => {
                    // This task holds a sender too, so the queue never ends.
                    if let Some(event) = event {
                        self.handle(event);
                    }
                    self.handle_waiting(&mut events);
                }
                Ok(()) = views.changed(), if takes_views => {
                    view_at = Some(clock.elapsed());
                    // The ring has sent what it follows from before it.
                    self.handle_waiting(&mut events);
                    let view = Arc::clone(&views.borrow_and_update());
                    self.handle(Event::Ring(view));
                }
                event = launcher.recv(), if launcher_lives => match event {
                    Some(event) => self.handle(Event::Launcher(event)),
                    None => {
                        launcher_lives = false;
                        self.world.self_checks.launcher_gone();
                        self.handle(Event::LauncherGone);
                    }
                },
                () = sleep_until(wake) => self.wake(),
                _ = alive.tick() => {
                    self.world.launcher.alive(&ALIVE);
                    self.world.metrics.queued("launcher-requests", self.world.launcher.waiting());
                    self.world.conditions.state_files(self.world.store.hangs());
                }
            }
            self.world.metrics.queued("events", events.len());
            self.publish();
            self.world.self_checks.turned();
            if let Some(began) = view_at {
                self.governor.worked(began, clock.elapsed());
            }
            if let Some(ending) = self.fleet.finished() {
                let exit = match ending {
                    Ending::Done => Exit::Done,
                    Ending::Departed => Exit::Departed,
                    Ending::LauncherGone => Exit::Failed,
                };
                return End { exit, left: self.fleet.left().to_vec() };
            }
        }
    }

    fn handle_waiting(&mut self, events: &mut mpsc::UnboundedReceiver<Event>) {
        for _ in 1..EVENTS_PER_TURN {
            let Ok(event) = events.try_recv() else { break };
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        let began = Instant::now();
        match event {
            Event::Launcher(event) => self.launcher_sent(event),
            Event::LauncherGone => self.notify_fleet(FleetEvent::LauncherGone),
            Event::Ring(view) => self.look(Glance::Ring, view),
            Event::ContentsRead { took } => {
                self.look_again(Glance::Contents);
                // The other thread took a core of the machine for as long.
                let now = self.world.clock.elapsed();
                self.governor.worked(now.saturating_sub(began.elapsed() + took), now);
            }
            Event::BoxesOpened(opened) => self.boxes_opened(opened),
            Event::Advice(text, _room) => {
                if self.ring_advice.is_due(self.world.clock.now().mono_ms, &text) {
                    self.world.output.sup(&text);
                }
            }
            Event::StopsKnown => self.publisher.entries.show_all(&self.fleet),
            Event::Changed(watch) => {
                self.world.reports.taken(&watch);
                match watch {
                    Watch::Fleet(what) => self.notify_fleet(FleetEvent::Changed(what)),
                    Watch::Peers if self.fleet.is_ending() => {}
                    Watch::Peers => self.world.peers.reread(),
                    Watch::Tokens => {
                        self.world.tokens.iter().for_each(Tokens::reread);
                    }
                }
            }
            Event::Control((request, responder)) => self.command(request, responder),
            Event::Fleet(event) => {
                self.count_probe(&event);
                self.notify_fleet(event);
            }
        }
        self.act();
        self.world.metrics.event_took("sup", began.elapsed());
    }

    /// Passes an event to the fleet. [`Supervisor::act`] then executes its effects.
    fn notify_fleet(&mut self, event: FleetEvent<Built>) {
        self.notify_fleet_because(None, event);
    }

    /// Passes an event that follows from another one in the record.
    fn notify_fleet_because(&mut self, cause: Option<Seq>, event: FleetEvent<Built>) {
        let began = Instant::now();
        if !self.fleet.is_ending()
            && let Some(fact) = record::stopping(&event)
        {
            let stopping = self.world.recorder.record(cause, fact);
            self.fleet.end_because(Cause::Event(stopping));
        }
        self.fleet.handle(self.world.clock.now(), event);
        self.world.metrics.event_took("service", began.elapsed());
    }

    fn wake(&mut self) {
        self.fleet.wake(self.world.clock.now());
        self.act();
    }
}

/// What the fleet has to know of the options.
fn fleet_config(world: &World) -> roost_fleet::Config {
    let config = &world.config;
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    roost_fleet::Config {
        specs: config.root.sup().specs(),
        organization: config.organization.clone(),
        member_id: world.workshop.sys.member_id.clone(),
        settings: Settings {
            backoff: BackoffSettings {
                min_ms: ms(config.backoff.min),
                max_ms: ms(config.backoff.max),
                cooldown_ms: ms(config.backoff.cooldown),
            },
            hook_timeouts: config.hook_timeouts,
            ..Settings::default()
        },
        seed: system::seed(),
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => future::pending().await,
    }
}
