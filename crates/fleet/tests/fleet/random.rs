//! Whatever happens in whatever order: the fleet asks for nothing that does harm, follows the
//! last event, shows the same after a restart, and always comes to an end.

use proptest::prelude::*;
use roost_events::Cause;
use roost_fleet::{FleetEvent, Glance, Watched};
use roost_ident::{DesiredState, Hook, PackageIdent};
use roost_service::ServiceSpec;

use crate::model::Model;

const HOOKS: [Hook; 8] = [
    Hook::Init,
    Hook::Run,
    Hook::PostRun,
    Hook::PostStop,
    Hook::HealthCheck,
    Hook::Reconfigure,
    Hook::Suitability,
    Hook::FileUpdated,
];

const SERVICES: [&str; 2] = ["db", "web"];

/// A step of a random caller. Numbers choose among what is possible at that moment.
#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Wake,
    Answer {
        which: usize,
        choice: u8,
    },
    Exit {
        which: usize,
        group_alive: bool,
    },
    EndGroup {
        which: usize,
    },
    /// A command writes what is wanted of a service; `None` unloads it.
    Command {
        service: &'static str,
        spec: Option<ServiceSpec>,
        timeout_s: Option<u32>,
    },
    /// A person edits the file.
    Edit {
        service: &'static str,
        spec: Option<ServiceSpec>,
    },
    Changed(Watched),
    Ring,
    Suitability {
        service: &'static str,
    },
    /// The Supervisor is replaced, after it let go of its services or without.
    Replace {
        orderly: bool,
    },
}

fn spec(service: &str) -> ServiceSpec {
    ServiceSpec::new(PackageIdent::new("acme", service, None, None))
}

fn specs(service: &'static str) -> impl Strategy<Value = ServiceSpec> {
    (any::<bool>(), proptest::bool::weighted(0.2), 0..2u32, 0..3u32).prop_map(
        move |(other_group, down, timeout_s, channel)| {
            let mut spec = spec(service);
            if other_group {
                spec.group = "blue".into();
            }
            if down {
                spec.desired_state = DesiredState::Down;
            }
            spec.shutdown_timeout_s = (timeout_s > 0).then_some(timeout_s);
            spec.channel = format!("c{channel}");
            spec
        },
    )
}

fn wishes() -> impl Strategy<Value = (&'static str, Option<ServiceSpec>)> {
    proptest::sample::select(SERVICES.to_vec())
        .prop_flat_map(|service| (Just(service), proptest::option::weighted(0.75, specs(service))))
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let service = || proptest::sample::select(SERVICES.to_vec());
    let step = prop_oneof![
        14 => (any::<usize>(), any::<u8>())
            .prop_map(|(which, choice)| Step::Answer { which, choice }),
        3 => prop_oneof![0..50u64, 0..2_000u64, 0..40_000u64].prop_map(Step::Pass),
        4 => Just(Step::Wake),
        2 => (any::<usize>(), any::<bool>())
            .prop_map(|(which, group_alive)| Step::Exit { which, group_alive }),
        1 => any::<usize>().prop_map(|which| Step::EndGroup { which }),
        3 => (wishes(), proptest::option::of(0..3u32)).prop_map(|((service, spec), timeout_s)| {
            Step::Command { service, spec, timeout_s }
        }),
        1 => wishes().prop_map(|(service, spec)| Step::Edit { service, spec }),
        1 => service().prop_map(|service| Step::Changed(Watched::User(service.into()))),
        1 => service().prop_map(|service| Step::Changed(Watched::Monitor(service.into()))),
        1 => service().prop_map(|service| Step::Changed(Watched::Sources(service.into()))),
        4 => Just(Step::Ring),
        1 => service().prop_map(|service| Step::Suitability { service }),
        1 => any::<bool>().prop_map(|orderly| Step::Replace { orderly }),
    ];
    proptest::collection::vec(step, 0..most)
}

fn write(model: &mut Model, service: &str, spec: Option<ServiceSpec>) {
    match spec {
        Some(spec) => drop(model.specs.insert(service.into(), spec)),
        None => drop(model.specs.remove(service)),
    }
}

fn take(model: &mut Model, step: Step) {
    match step {
        Step::Pass(ms) => model.pass(ms),
        Step::Wake => model.wake(),
        Step::Answer { which, choice } => model.answer(which, choice),
        Step::Exit { which, group_alive } => model.exit(which, group_alive),
        Step::EndGroup { which } => model.end_group(which),
        Step::Command { service, spec, timeout_s } => {
            model.tell(FleetEvent::SpecsBeingWritten);
            if spec.is_none() {
                let (service, cause) = (service.into(), Cause::Unknown);
                model.tell(FleetEvent::WillChange { service, timeout_s, cause });
            }
            if let Some(spec) = spec.clone().filter(|_| timeout_s.is_none()) {
                let (release, spec) = (model.read(service), Box::new(spec));
                model.tell(FleetEvent::Read { spec, release });
            }
            write(model, service, spec);
            model.tell(FleetEvent::Changed(Watched::Specs));
            model.tell(FleetEvent::SpecsWritten);
        }
        Step::Edit { service, spec } => {
            write(model, service, spec);
            model.tell(FleetEvent::Changed(Watched::Specs));
        }
        Step::Changed(what) => model.tell(FleetEvent::Changed(what)),
        Step::Ring => model.see(Glance::Ring),
        Step::Suitability { service } => {
            let group = format!("{service}.default");
            model.tell(FleetEvent::NeedSuitability { group, term: 1 });
        }
        Step::Replace { orderly } => {
            if orderly {
                model.tell(FleetEvent::Restart);
            }
            model.replace();
        }
    }
}

fn hooks() -> impl Strategy<Value = Vec<Hook>> {
    proptest::sample::subsequence(HOOKS.to_vec(), 0..=HOOKS.len())
}

proptest! {
    /// Nothing that was acknowledged is lost, however it is interrupted.
    #[test]
    fn any_order_of_events_leads_to_what_was_wanted_last(hooks in hooks(), steps in steps(120)) {
        let mut model = Model::new(&hooks);
        for step in steps {
            take(&mut model, step);
        }
        model.work(Model::is_as_wanted);
    }

    /// A shutdown at any moment ends everything, also when no file system answers any more.
    #[test]
    fn any_order_of_events_ends(hooks in hooks(), steps in steps(120), disk_hangs: bool) {
        let mut model = Model::new(&hooks);
        for step in steps {
            take(&mut model, step);
        }
        model.disk_hangs = disk_hangs;
        model.tell(FleetEvent::ShutDown);
        model.work(|model| model.ended);
        prop_assert!(model.fleet.services().next().is_none());
        let leads = model.launcher.groups.values().find(|group| group.leads);
        prop_assert!(leads.is_none(), "{leads:?} was not stopped");
    }

}

proptest! {
    // Each case works through several Supervisors.
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A Supervisor that was replaced shows what it showed before, and touches no process.
    #[test]
    fn a_restart_shows_what_was_shown(
        hooks in hooks(), steps in steps(60), orderly: bool, replaces in 1..3u8,
    ) {
        let mut model = Model::new(&hooks);
        for step in steps {
            take(&mut model, step);
        }
        model.work(Model::is_as_wanted);
        let before = model.shown();
        for _ in 0..replaces {
            if orderly {
                model.tell(FleetEvent::Restart);
                prop_assert!(model.ended, "it lets go at once");
            }
            model.replace();
            model.work(Model::is_as_wanted);
        }
        prop_assert_eq!(model.shown(), before);
    }
}

/// An order that was found by [`a_restart_shows_what_was_shown`]: a service changes its group while
/// no Supervisor runs, and comes back to the former one before its process of that time has ended.
#[test]
fn the_end_of_an_orphan_is_not_that_of_the_service_in_its_group() {
    let of = |group: &str, desired_state: DesiredState| {
        Some(ServiceSpec { group: group.into(), desired_state, ..spec("web") })
    };
    let command = |spec| Step::Command { service: "web", spec, timeout_s: None };
    let answer = || Step::Answer { which: 0, choice: 4 };
    let mut model = Model::new(&[]);
    for step in [
        // It starts in the group blue.
        command(of("blue", DesiredState::Up)),
        Step::Replace { orderly: true },
        answer(),
        answer(),
        answer(),
        Step::Edit { service: "web", spec: of("default", DesiredState::Up) },
        answer(),
        Step::Replace { orderly: true },
        // It is in the group default now; its process in the group blue is being stopped.
        answer(),
        Step::Wake,
        command(of("blue", DesiredState::Down)),
    ] {
        take(&mut model, step);
    }
    shows_the_same_after_a_restart(&mut model);
}

/// Another one: the process of the former group has ended before.
#[test]
fn what_a_group_knew_is_forgotten_when_its_service_comes_back_from_another_group() {
    let command = |group: &str, desired_state| {
        let spec = ServiceSpec { group: group.into(), desired_state, ..spec("db") };
        Step::Command { service: "db", spec: Some(spec), timeout_s: None }
    };
    let mut model = Model::new(&[]);
    take(&mut model, command("default", DesiredState::Up));
    model.work(Model::is_as_wanted);
    for step in [
        Step::Exit { which: 0, group_alive: false },
        Step::Pass(1),
        command("blue", DesiredState::Up),
        Step::Replace { orderly: false },
        // The specs are read.
        Step::Answer { which: 0, choice: 1 },
        Step::Pass(1),
        command("default", DesiredState::Down),
    ] {
        take(&mut model, step);
    }
    shows_the_same_after_a_restart(&mut model);
}

/// A third one: the process of the former group leaves others behind, which are given up.
#[test]
fn the_end_of_an_orphan_is_forgotten_though_others_of_its_group_live() {
    let command = |group: &str, desired_state| {
        let spec = ServiceSpec { group: group.into(), desired_state, ..spec("web") };
        Step::Command { service: "web", spec: Some(spec), timeout_s: None }
    };
    let mut model = Model::new(&[]);
    take(&mut model, command("default", DesiredState::Up));
    model.work(Model::is_as_wanted);
    for step in [
        Step::Replace { orderly: false },
        command("blue", DesiredState::Up),
        Step::Answer { which: 0, choice: 2 },
        Step::Wake,
        command("default", DesiredState::Down),
        Step::Exit { which: 0, group_alive: true },
        // It is killed, then given up.
        Step::Wake,
        Step::Wake,
        Step::Wake,
    ] {
        take(&mut model, step);
    }
    shows_the_same_after_a_restart(&mut model);
}

#[test]
fn a_service_that_a_command_has_read_is_not_read_again() {
    let mut model = Model::new(&[]);
    model.work(Model::is_as_wanted);
    take(&mut model, Step::Command { service: "web", spec: Some(spec("web")), timeout_s: None });
    take(&mut model, Step::Answer { which: 0, choice: 1 });
    assert_eq!(model.builds(), [true]);
    model.work(Model::is_as_wanted);
    // A spec that a person writes, and a later start, are read.
    take(&mut model, Step::Edit { service: "db", spec: Some(spec("db")) });
    take(&mut model, Step::Answer { which: 0, choice: 1 });
    assert_eq!(model.builds(), [false]);
}

fn shows_the_same_after_a_restart(model: &mut Model) {
    model.work(Model::is_as_wanted);
    let before = model.shown();
    model.replace();
    model.work(Model::is_as_wanted);
    assert_eq!(model.shown(), before);
}
