//! The composition root: everything is made here, in the order of the Supervisor's start
//! (reference: services §3.1), and handed to the tasks that own it.

use std::{
    fs, io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use roost_journal::Record;
use roost_launch::wire::{self, Remembered, Request, Welcome};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    Exit, VERSION,
    answers::Answers,
    clock::Clock,
    conditions::Conditions,
    config::{RingKeySource, SupConfig},
    control::{self, Control, ControlError},
    documents::{entries::Entries, service::Common},
    event_stream::{self, NotConnected},
    exposure,
    fanout::Fanout,
    files::{
        identity::{self, IdentityError},
        store::Store,
        watch::Watcher,
    },
    history::View,
    http::{Http, HttpError, Opened},
    journal,
    launcher::{Launcher, LauncherError},
    left,
    load::{SpecCommands, SpecWriter},
    machine_watch,
    me::{Listeners, Me},
    metrics::Metrics,
    output::Output,
    peers::Peers,
    record,
    ring::{self, RingError},
    self_checks::SelfChecks,
    services::{jobs::Workshop, small_files::SmallFiles},
    stops::Stops,
    supervisor::{
        self, End, Places, Supervisor, World,
        event::{Event, Reports},
        publish::Publisher,
    },
    systemd,
    usages::Usages,
    vital,
};

/// Under this name the launcher keeps for later Supervisors that what was named at the start
/// has been loaded.
const LOADED: &str = "hab-sup";

/// By then what happens only at a start has happened.
const SETTLED: Duration = Duration::from_secs(10);

/// How often free memory is given back to the system.
const HEAP_PERIOD: Duration = Duration::from_secs(30);

/// How long the end waits for state files to be written.
const FLUSH_PATIENCE: Duration = Duration::from_secs(10);

/// Why a Supervisor cannot start. The text is for the user.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no launcher, or it is gone.
    #[error(transparent)]
    Launcher(#[from] LauncherError),
    /// A directory or thread of the Supervisor's own.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// The error of the system.
        source: io::Error,
    },
    /// Who this member is.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The HTTP gateway.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The control gateway.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The ring.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// The event stream.
    #[error(transparent)]
    EventStream(#[from] NotConnected),
    /// Others may write a directory of the Supervisor's own.
    #[error(transparent)]
    Unsafe(#[from] roost_files::UnsafeDirectory),
    /// A service named at the start cannot be loaded.
    #[error("{0}")]
    Load(String),
}

fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> StartError {
    let what = what.into();
    move |source| StartError::System { what, source }
}

/// Runs a Supervisor from its start to its end.
///
/// One that cannot start ends everything, unless it follows another one: services that run are
/// not stopped because a file or port of the Supervisor is not as it should be.
pub(crate) async fn run(config: SupConfig, output: &Output) -> Result<Exit, StartError> {
    let connected = Launcher::connect(config.style, config.service_log_bytes).await?;
    let follows = connected.1.state_of(LOADED).is_some() || !connected.1.running.is_empty();
    let mut record = None;
    let ended = start(config, output, connected, &mut record).await;
    if let (Err(_), Some(record)) = (&ended, record) {
        // Otherwise the next start would take this one for one that was killed.
        let _ = tokio::time::timeout(FLUSH_PATIENCE, journal::end(&record)).await;
    }
    match ended {
        Err(error) if follows => {
            output.text(&format!("{error}\nServices are left running; trying again.\n"));
            Ok(Exit::NotYet)
        }
        result => result,
    }
}

async fn start(
    config: SupConfig,
    output: &Output,
    (launcher, welcome, from_launcher): (Launcher, Welcome, mpsc::Receiver<wire::LauncherEvent>),
    opened: &mut Option<Record>,
) -> Result<Exit, StartError> {
    let clock = Clock::start();
    systemd::through(&launcher);
    let config = Arc::new(config);
    let shutdown = CancellationToken::new();
    let _ends_with_us = shutdown.clone().drop_guard();
    prepare_directories(&config)?;

    output.sup(&format!("chef/hab-sup (chef/hab-sup/{VERSION})"));
    let metrics = Metrics::new(prometheus::Registry::new());
    let conditions = Conditions::new(output, &metrics);
    let store = Store::start(metrics.clone())
        .map_err(system("Unable to start the writer of state files"))?;
    let sup = config.root.sup();
    let member_id = identity::member_id(&sup.member_id(), &sup.data(), &metrics)?;
    output.sup(&format!("Supervisor Member-ID {member_id}"));
    let mut connection = match &config.event_stream {
        None => None,
        Some(stream) => {
            let takes_back = !welcome.running.is_empty();
            let connecting = event_stream::connect(
                stream,
                takes_back,
                &member_id,
                output,
                &conditions,
                &metrics,
            );
            Some(connecting.await?)
        }
    };
    let opening = journal::open(config.journal, sup.journal(), &conditions, &metrics);
    let (events_record, found) =
        opening.await.map_err(system("Unable to start the writer of the journal"))?;
    *opened = Some(events_record.clone());
    let recorder = events_record.recorder().clone();

    let has_peers = !config.ring.peers.is_empty() || config.ring.peer_watch_file.is_some();
    let self_checks = SelfChecks::new(clock, conditions.clone(), has_peers);

    // The ports come first: one that is taken ends the start before any service is touched.
    let (publish, snapshots) = watch::channel(None);
    let facts = Arc::new(OnceLock::new());
    let http = match config.http.disabled {
        true => None,
        false => {
            let answers = Answers {
                root: config.root.path().into(),
                record: events_record.clone(),
                view: View::redacted_if(config.http.redact),
                usages: Usages::new(snapshots.clone()),
                output: output.clone(),
                conditions: conditions.clone(),
                self_checks: self_checks.clone(),
                fanout: Fanout::new(
                    config.http.token.as_deref().and_then(|token| token.to_str()),
                    config.ring.key != RingKeySource::None && config.http.tls_key.is_none(),
                ),
                facts: Arc::clone(&facts),
            };
            Some(Http::prepare(&config.http, snapshots, &metrics, answers, output)?)
        }
    };
    let control = Control::prepare(&config.ctl, &sup.ctl_secret(), metrics.clone())?;
    if let Some(warning) = control::tls_without_key(&config.ctl) {
        output.sup(&warning);
    }
    let takes_back = !welcome.running.is_empty();
    let tokens = http.as_ref().and_then(Http::tokens);
    let http = match http {
        None => Opened { address: config.http.listen, listens: false },
        Some(http) => {
            let socket = sup.http_socket();
            http.open_socket(&socket, output, shutdown.clone());
            http.open(takes_back, output, shutdown.clone())?
        }
    };
    let ctl_listener = control::bind(config.ctl.listen).await?;
    let ctl_address = ctl_listener.local_addr().unwrap_or(config.ctl.listen);
    let sockets = ring::bind(config.ring.listen).await?;
    let gossip_address = SocketAddr::new(config.ring.listen.ip(), sockets.port);
    let listeners = Listeners { http: http.address, ctl: ctl_address, gossip: gossip_address };

    let started = recorder.record(None, record::started(&member_id, found.last_seen_ms));
    let running = welcome.running.iter().map(|process| process.name.clone());
    if let Some(fact) = record::took_back(running.collect()) {
        recorder.record(Some(started), fact);
    }

    let stops = Stops::default();
    let writer = SpecWriter {
        config: Arc::clone(&config),
        store: store.clone(),
        recorder: recorder.clone(),
        stops: stops.clone(),
        output: output.clone(),
        updates_reported: Arc::default(),
    };
    if welcome.state_of(LOADED).is_none() {
        writer.load_given().await.map_err(StartError::Load)?;
    }
    launcher
        .send(&Request::Remember(Remembered { name: LOADED.into(), bytes: b"loaded".to_vec() }));

    output.sup(&format!("Starting gossip-listener on {gossip_address}"));
    let (events, inbox) = mpsc::unbounded_channel();
    let parts = ring::Parts {
        member_id: member_id.clone(),
        config: config.ring.clone(),
        key: ring::key(&config.ring.key, config.key_cache.clone())?,
        data: sup.data(),
        still_running: welcome.running.iter().map(|running| running.name.clone()).collect(),
        store: store.clone(),
        metrics: metrics.clone(),
        events: events.clone(),
        recorder: recorder.clone(),
    };
    let (ring, mut views) = ring::start(parts, sockets);
    self_checks.ring_runs(views.clone());
    let peers = Peers::start(&config.ring, ring.clone(), conditions.clone());

    let me = Me::find(&config, member_id, listeners);
    // Set once: this is the only place.
    let _ = facts.set(me.facts(&clock));
    machine_watch::start(sup.root.clone(), &conditions);
    exposure::note(&config, &listeners.ctl, &listeners.gossip, &conditions);
    let reports = Reports::default();
    let watcher = Watcher::start(supervisor::reporter(&events, &reports))
        .map_err(system("Unable to watch files (see fs.inotify.max_user_instances)"))?;
    let small_files = SmallFiles::start(metrics.clone())
        .map_err(system("Unable to start the writer of small files"))?;
    let common = Common::new(&config.root, me.document(), &config.backoff, config.http.redact);
    let entries = Entries::new(config.root.clone(), common, metrics.clone(), stops.clone());
    let recall = {
        let (record, events) = (events_record.clone(), events.clone());
        async move {
            stops.recall(record).await;
            // Without the Supervisor's task the process is ending.
            let _ = events.send(Event::StopsKnown);
        }
    };
    let event_stream = match (&mut connection, &config.event_stream) {
        (Some(connection), Some(stream)) => Some(connection.open(stream, listeners.gossip, clock)),
        _ => None,
    };
    let world = World {
        event_stream,
        workshop: Arc::new(Workshop {
            root: config.root.clone(),
            interpreter: config.interpreter.clone(),
            sys: me.template(),
        }),
        specs: SpecCommands::start(writer, events.clone()),
        config: Arc::clone(&config),
        output: output.clone(),
        store: store.clone(),
        small_files: small_files.clone(),
        watcher,
        places: Places::default(),
        launcher,
        ring: ring.clone(),
        here: me.here(config.ring.key != RingKeySource::None),
        peers,
        tokens,
        conditions,
        metrics,
        clock,
        self_checks: self_checks.clone(),
        events: events.clone(),
        reports,
        recorder,
    };
    let (started, all_read) = oneshot::channel();
    let view = Arc::clone(&views.borrow_and_update());
    let publisher = Publisher::new(entries, publish, started);
    let supervisor = Supervisor::new(world, &welcome, view, publisher);

    let opening = {
        let (output, shutdown) = (output.clone(), shutdown.clone());
        async move {
            // An end before everything is read opens nothing.
            if all_read.await.is_ok() {
                output.sup(&format!("Starting ctl-gateway on {}", listeners.ctl));
                control.serve(ctl_listener, events, shutdown);
                self_checks.control_open();
                if http.listens {
                    output.sup(&format!("Starting http-gateway on {}", listeners.http));
                }
                systemd::ready();
                tokio::time::sleep(SETTLED).await;
                loop {
                    // Memory that a start, or a burst of clients or loads, needed is free
                    // afterwards.
                    roost_launch::release_heap();
                    roost_launch::release_program();
                    tokio::time::sleep(HEAP_PERIOD).await;
                }
            }
        }
    };
    vital::spawn("opening", opening);
    vital::spawn("stops of the past", recall);
    let End { exit, left: still_running } = supervisor.run(inbox, views, from_launcher).await;
    ring.end().await;
    if !still_running.is_empty() {
        // The next Supervisor may be starting already, and needs the ports.
        shutdown.cancel();
        tokio::task::yield_now().await;
        left::stop_without_launcher(&still_running);
    }
    if let Some(connection) = connection {
        connection.end().await;
    }
    // Failed writes are logged already; a disk that hangs must not keep the next Supervisor from
    // its services.
    let written =
        async { tokio::join!(store.flush(), small_files.flush(), journal::end(&events_record)) };
    let _ = tokio::time::timeout(FLUSH_PATIENCE, written).await;
    if exit == Exit::Departed {
        output.text(&departure_notice(&config.root.sup().root));
    }
    Ok(exit)
}

/// Makes the directories of the Supervisor, and clears what a former one left half-written.
fn prepare_directories(config: &SupConfig) -> Result<(), StartError> {
    let sup = config.root.sup();
    let directories =
        [sup.data(), sup.specs(), sup.directories(), sup.releases(), sup.user_copies()];
    for directory in &directories {
        roost_files::create_directories(directory, roost_files::PUBLIC_DIRECTORY)
            .map_err(system(format!("Can't create directory {}", directory.display())))?;
    }
    for directory in directories.iter().chain([&sup.root]) {
        roost_files::check_directory(directory)?;
    }
    let left = |path: &Path| path.extension().is_some_and(|e| e == "tmp" || e == "health");
    for entry in fs::read_dir(sup.data()).into_iter().flatten().flatten() {
        if left(&entry.path()) {
            // Harmless when it stays.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// What a member reads that was departed by hand.
fn departure_notice(sup: &Path) -> String {
    format!(
        "This Supervisor has been manually departed.\n\n\
         For the safety of the system, this Supervisor cannot be started (if it were, it might \
         receive gossip about services that it no longer takes part in). To rejoin the ring as \
         a new member, remove its identity and its ring data:\n\n    \
         rm -rf {0}/MEMBER_ID {0}/data\n",
        sup.display()
    )
}
