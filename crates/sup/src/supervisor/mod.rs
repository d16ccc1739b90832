//! The Supervisor's task: the one owner of its state, one event at a time.
//!
//! Everything slow runs beside it and comes back as an [`Event`]: reading packages, rendering,
//! hooks, writing state. After each event the state machines that were touched are drained,
//! and if something that documents show has changed, a new snapshot is published.
//!
//! | file | holds |
//! |---|---|
//! | [`event`] | what can happen |
//! | [`managed`] | one loaded service |
//! | `effects` | what the state machines ask for |
//! | `candidates` | what would replace that which runs, and what is gone back to |
//! | `launched` | what the launcher says |
//! | `specs` | the spec directory and the services it asks for |
//! | `errands` | slow work, which is not waited for without end |
//! | `governor` | the share of this task that changes of the ring get |
//! | `heard` | which advice was logged |
//! | `key_watch` | when a rumor that could not be opened is tried again |
//! | `contexts` | census, configuration layers, gossiped files: what templates see |
//! | `directories` | plain directories |
//! | `suitability` | hooks that elections ask |
//! | `orphans` | processes that are nobody's service any more |
//! | `commands` | what clients of the control gateway want |
//! | `publish` | documents |

pub(crate) mod event;
pub(crate) mod managed;

mod boxes;
mod candidates;
mod commands;
mod contexts;
mod directories;
mod effects;
mod errands;
mod governor;
mod heard;
mod key_watch;
mod launched;
pub(crate) mod orphans;
mod publish;
mod specs;
mod suitability;

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    future,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use roost_api::Snapshot;
use roost_census::Census;
use roost_crypto::KeyCache;
use roost_ident::PackageIdent;
use roost_launch::wire::{self, Shutdown, Welcome};
use roost_ring::{SysInfo, View};
use roost_service::Remembered;
use roost_template::context::Sys;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::MissedTickBehavior,
};

use self::{
    boxes::Boxes,
    directories::Directory,
    errands::{Errands, Kind},
    event::{Event, Reports, Watch},
    governor::Governor,
    heard::Heard,
    key_watch::KeyWatch,
    managed::Managed,
    orphans::Orphans,
    publish::Publisher,
    specs::Inherited,
    suitability::Asked,
};
use crate::{
    Exit,
    clock::Clock,
    conditions::{self, Conditions},
    config::SupConfig,
    documents::service::Common,
    files::{
        store::Store,
        watch::{Target, Watcher},
    },
    launcher::Launcher,
    load::SpecCommands,
    metrics::Metrics,
    output::Output,
    peers::Peers,
    ring::RingHandle,
    services::{hook_run::HookRuns, small_files::SmallFiles},
    systemd, vital,
};

/// An end waits so long for the specs of services that still run and were not taken back yet.
const SPECS_PATIENCE_MS: u64 = 5_000;
/// Events that are handled before documents are published again.
const EVENTS_PER_TURN: usize = 64;
/// What the condition of a disk that hangs is about.
const STATE_FILES: &str = "state files";
/// How often the launcher hears that events are handled.
const ALIVE_EVERY: Duration = Duration::from_secs(10);
/// Heard nothing for so long, it starts another Supervisor.
const ALIVE: wire::Request = wire::Request::Alive(wire::Alive { within_ms: 60_000 });

/// Handles of everything outside the Supervisor's task.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Arc<SupConfig>,
    pub(crate) output: Output,
    pub(crate) store: Store,
    pub(crate) small_files: SmallFiles,
    pub(crate) watcher: Watcher<Watch>,
    pub(crate) places: Places,
    pub(crate) launcher: Launcher,
    pub(crate) ring: RingHandle,
    pub(crate) peers: Peers,
    pub(crate) conditions: Conditions,
    pub(crate) specs: SpecCommands,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) common: Common,
    /// This Supervisor as templates see it, and as its service rumors tell it.
    pub(crate) sys: Sys,
    pub(crate) ring_sys: SysInfo,
    pub(crate) events: mpsc::UnboundedSender<Event>,
    pub(crate) reports: Reports,
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

/// What the Supervisor is doing as a whole.
#[derive(Debug)]
enum Course {
    /// Not everything is read yet; who waits for it.
    Starting {
        started: Option<oneshot::Sender<()>>,
        specs_read: bool,
    },
    Running,
    /// Every service is being stopped or let go.
    Ending(Exit),
}

/// How the Supervisor's task ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) exit: Exit,
    /// Processes that the launcher can no longer stop, because it is gone.
    pub(crate) left: Vec<(u32, Shutdown)>,
}

/// The Supervisor's task.
#[derive(Debug)]
pub(crate) struct Supervisor {
    world: World,
    services: BTreeMap<String, Managed>,
    orphans: Orphans,
    /// Slow work for services that is under way.
    errands: Errands,
    hooks: HookRuns,
    /// Services by the launcher's number of their process.
    processes: BTreeMap<u64, String>,
    next_id: u64,
    /// Processes of the former Supervisor that wait for their spec, by service group.
    inherited: BTreeMap<String, Inherited>,
    /// What the former Supervisor kept of services that are not loaded yet, by service group.
    remembered: BTreeMap<String, Remembered>,
    /// Complaints about spec files that were told, by path.
    spec_complaints: BTreeMap<PathBuf, String>,
    specs_being_read: bool,
    specs_read_again: bool,
    /// A command that changes specs is under way.
    specs_being_written: bool,
    /// The end waits for the specs, no longer than this: with them, what still runs is stopped
    /// as its package wants.
    end_waits_until_ms: Option<u64>,
    census: Census,
    view: Arc<View>,
    keys: KeyCache,
    key_watch: KeyWatch,
    /// Suitability hooks that run, with the elections that wait for them.
    suitability: BTreeMap<u64, Asked>,
    /// Install hooks that run, with the package each belongs to.
    installing: BTreeMap<u64, (PackageIdent, PathBuf)>,
    /// Plain directories that are followed, by service.
    directories: BTreeMap<String, Directory>,
    publisher: Publisher,
    touched: BTreeSet<String>,
    /// Advice that was logged: of this member's services and directories, and of the ring.
    own_advice: Heard,
    ring_advice: Heard,
    governor: Governor,
    /// What services see of the ring is being parsed beside this task.
    contents_being_read: bool,
    boxes: Boxes,
    /// Processes that nobody will stop but the end of this process.
    left: Vec<(u32, Shutdown)>,
    course: Course,
}

impl Supervisor {
    /// Takes over what the launcher holds. `started` is told when every spec was read and its
    /// service can be shown.
    pub(crate) fn new(
        world: World,
        welcome: &Welcome,
        view: Arc<View>,
        snapshots: watch::Sender<Option<Arc<Snapshot>>>,
        started: oneshot::Sender<()>,
    ) -> Self {
        let hooks = HookRuns::new(world.output.clone(), world.small_files.clone());
        let keys = KeyCache::new(world.config.key_cache.clone());
        let mut supervisor = Self {
            census: Census::new(&world.sys.member_id).read_beside(),
            services: BTreeMap::new(),
            orphans: Orphans::default(),
            errands: Errands::default(),
            hooks,
            processes: BTreeMap::new(),
            next_id: welcome.next_id,
            inherited: BTreeMap::new(),
            remembered: BTreeMap::new(),
            spec_complaints: BTreeMap::new(),
            specs_being_read: false,
            specs_read_again: false,
            specs_being_written: false,
            end_waits_until_ms: None,
            view: Arc::new(View::empty(view.id.clone())),
            keys,
            key_watch: KeyWatch::default(),
            suitability: BTreeMap::new(),
            installing: BTreeMap::new(),
            directories: BTreeMap::new(),
            publisher: Publisher::new(snapshots),
            touched: BTreeSet::new(),
            own_advice: Heard::default(),
            ring_advice: Heard::default(),
            governor: Governor::default(),
            contents_being_read: false,
            boxes: Boxes::default(),
            left: Vec::new(),
            course: Course::Starting { started: Some(started), specs_read: false },
            world,
        };
        supervisor.take_over(welcome);
        supervisor.take_view(view);
        supervisor.watch_files();
        supervisor.read_specs();
        supervisor
    }

    fn watch_files(&mut self) {
        let specs = self.world.config.root.sup().specs();
        self.world.watcher.watch_and_report(Watch::Specs, vec![Target::Directory(specs)]);
        if let Some(path) = &self.world.config.ring.peer_watch_file {
            let target = Target::File(path.clone());
            self.world.watcher_of_places().watch(Watch::Peers, vec![target]);
        }
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
        // Whoever can send gossip can change the ring all the time. Its changes get a share of this
        // task, and what must wait is not queued: only the last view counts.
        loop {
            let ring_rests = self.governor.rests_until(Instant::now());
            let wake = self.next_wake().into_iter().chain(ring_rests).min();
            // What the last view brought is looked at before the next one is taken, so that
            // services see something however fast views follow each other.
            let takes_views = ring_rests.is_none() && !self.contents_being_read;
            let mut view_at = None;
            tokio::select! {
                event = events.recv() => {
                    // This task holds a sender too, so the queue never ends.
                    if let Some(event) = event {
                        self.handle(event);
                    }
                    for _ in 1..EVENTS_PER_TURN {
                        let Ok(event) = events.try_recv() else { break };
                        self.handle(event);
                    }
                }
                Ok(()) = views.changed(), if takes_views => {
                    view_at = Some(Instant::now());
                    let view = Arc::clone(&views.borrow_and_update());
                    self.handle(Event::Ring(view));
                }
                event = launcher.recv(), if launcher_lives => match event {
                    Some(event) => self.handle(Event::Launcher(event)),
                    None => {
                        launcher_lives = false;
                        self.handle(Event::LauncherGone);
                    }
                },
                () = sleep_until(wake) => self.wake(),
                _ = alive.tick() => {
                    self.world.launcher.alive(&ALIVE);
                    self.world.metrics.queued("launcher-requests", self.world.launcher.waiting());
                    self.look_at_disk();
                }
            }
            self.world.metrics.queued("events", events.len());
            self.publish();
            if let Some(began) = view_at {
                self.governor.worked(began, Instant::now());
            }
            if let Some(exit) = self.finished() {
                return End { exit, left: self.left };
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let began = Instant::now();
        match event {
            Event::Launcher(event) => self.launcher_said(event),
            Event::LauncherGone => self.launcher_gone(),
            Event::Ring(view) => self.take_view(view),
            Event::ContentsRead { took } => {
                self.contents_read();
                // The other thread took a core of the machine for as long.
                let now = Instant::now();
                self.governor.worked(began.checked_sub(took).unwrap_or(began), now);
            }
            Event::BoxesOpened(opened) => self.boxes_opened(opened),
            Event::NeedSuitability { group, term } => self.find_suitability(&group, term),
            Event::Departed => self.departed(),
            Event::Advice(text, _room) => {
                if self.ring_advice.is_due(self.world.clock.now().mono_ms, &text) {
                    self.world.output.sup(&text);
                }
            }
            Event::Changed(watch) => {
                self.world.reports.taken(&watch);
                // Everything is read again when the command has ended.
                if watch != Watch::Specs || !self.specs_being_written {
                    self.file_changed(watch);
                }
            }
            Event::Specs(listing) => self.take_specs(listing),
            Event::Built { service, result, look } => self.built(&service, result, look),
            Event::CandidateBuilt { service, result } => self.candidate_built(&service, result),
            Event::CandidateChecked { service, result } => {
                self.candidate_checked(&service, result);
            }
            Event::Rendered { service, rendering } => {
                if self.errands.end(&service, Kind::Render) {
                    self.tell(&service, roost_service::Event::Rendered(rendering));
                } else {
                    self.ended_late(&service, Kind::Render);
                }
            }
            Event::UserLayer { service, result } => self.take_user_layer(&service, result),
            Event::InstallReady { service, result } => self.run_install_hook(&service, result),
            Event::FilesWritten { service, names, failed, initial } => {
                self.files_written(&service, names, failed, initial);
            }
            Event::FilesAgain { service } => self.write_files_again(&service),
            Event::Staged { service, directory, result } => {
                self.staged(&service, &directory, result);
            }
            Event::Control((request, responder)) => self.command(request, responder),
            Event::WillStop { service, timeout_s } => {
                if let Some(managed) = self.services.get_mut(&service) {
                    managed.stop_timeout = timeout_s;
                }
            }
            Event::SpecsBeingWritten => self.specs_being_written = true,
            Event::SpecsWritten => {
                self.specs_being_written = false;
                self.read_specs();
            }
        }
        self.world.metrics.event_took("sup", began.elapsed());
    }

    /// Tells a service's machine something and does what it asks for.
    fn tell(&mut self, service: &str, event: roost_service::Event) {
        let now = self.world.clock.now();
        if let Some(managed) = self.services.get_mut(service) {
            managed.machine.handle(now, event);
            self.drive(service);
        }
    }

    /// Lets every machine do what is due.
    fn wake(&mut self) {
        let now = self.world.clock.now();
        let due = |managed: &Managed| {
            managed.machine.next_wake_ms().is_some_and(|wake| wake <= now.mono_ms)
        };
        let due: Vec<String> = self
            .services
            .values()
            .filter(|managed| due(managed))
            .map(|managed| managed.name.clone())
            .collect();
        for service in due {
            if let Some(managed) = self.services.get_mut(&service) {
                managed.machine.wake(now);
            }
            self.drive(&service);
        }
        self.kill_late_orphans();
        self.give_up_errands();
        if self.end_waits_until_ms.is_some_and(|until_ms| until_ms <= now.mono_ms) {
            self.stop_all();
        }
        self.end_late_hooks();
    }

    fn next_wake(&self) -> Option<Instant> {
        let machines = self.services.values().filter_map(|managed| managed.machine.next_wake_ms());
        let own =
            [self.orphans.next_wake_ms(), self.errands.next_wake_ms(), self.hooks.next_late_ms()];
        let own = own.into_iter().flatten().chain(self.end_waits_until_ms);
        let next = machines.chain(own).min()?;
        Some(self.world.clock.instant(next))
    }

    /// Notices a disk below the state files that does not answer.
    fn look_at_disk(&self) {
        let (conditions, kind) = (&self.world.conditions, conditions::Kind::DiskHangs);
        match self.world.store.hangs() {
            Some((path, time)) => conditions.appear(
                kind,
                STATE_FILES,
                &format!(
                    "The disk has not taken {} for {} secs; does a file system not answer? \
                     Services run on; changes are refused until it does",
                    path.display(),
                    time.as_secs()
                ),
            ),
            None => conditions.end(kind, STATE_FILES, "The disk takes state files again"),
        }
    }

    /// Begins the end: every service is stopped, then the process ends with the code.
    fn shut_down(&mut self, exit: Exit) {
        if matches!(self.course, Course::Ending(_)) {
            return;
        }
        systemd::stopping();
        self.world.output.sup("Gracefully departing from butterfly network.");
        self.world.ring.command(roost_ring::Command::LeaveGracefully);
        let before = std::mem::replace(&mut self.course, Course::Ending(exit));
        if matches!(before, Course::Starting { specs_read: false, .. })
            && !self.inherited.is_empty()
        {
            self.end_waits_until_ms = Some(self.world.clock.now().mono_ms + SPECS_PATIENCE_MS);
        } else {
            self.stop_all();
        }
    }

    fn stop_all(&mut self) {
        self.end_waits_until_ms = None;
        self.tell_all(&roost_service::Event::Shutdown);
        self.stop_inherited();
    }

    /// Logs what an operator must know of, each thing once.
    fn advise(&mut self, text: &str) {
        if self.own_advice.is_due(self.world.clock.now().mono_ms, text) {
            self.world.output.sup(text);
        }
    }

    /// This member was departed by hand: it may not come back under its id.
    fn departed(&mut self) {
        self.shut_down(Exit::Departed);
    }

    /// Lets go of every service and ends, so that the launcher starts a new Supervisor.
    fn restart(&mut self) {
        if matches!(self.course, Course::Ending(_)) {
            return;
        }
        self.world.output.sup("Supervisor shutting down for restart");
        self.world.output.sup("Preparing services for Supervisor restart");
        self.course = Course::Ending(Exit::Done);
        self.tell_all(&roost_service::Event::Detach);
    }

    fn tell_all(&mut self, event: &roost_service::Event) {
        let services: Vec<String> = self.services.keys().cloned().collect();
        for service in services {
            self.tell(&service, event.clone());
        }
    }

    fn finished(&self) -> Option<Exit> {
        match self.course {
            Course::Ending(exit)
                if self.services.is_empty()
                    && self.orphans.is_empty()
                    && self.end_waits_until_ms.is_none() =>
            {
                Some(exit)
            }
            _ => None,
        }
    }

    fn is_ending(&self) -> bool {
        matches!(self.course, Course::Ending(_))
    }

    /// A number that the launcher has not seen.
    fn new_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Runs something slow beside this task; what it returns comes back as an event.
    fn beside(&self, work: impl FnOnce() -> Event + Send + 'static) {
        let events = self.world.events.clone();
        // Without a receiver the process is ending.
        vital::spawn_blocking("work for services", move || drop(events.send(work())));
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => future::pending().await,
    }
}
