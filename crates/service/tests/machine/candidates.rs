//! A newer candidate replaces the running release only when it can start; otherwise the service
//! falls back.

use roost_ident::{Hook, PackageIdent};
use roost_service::{
    BuildFailure, Effect, MachineEvent, PhaseName, RenderFailure, RenderedKind, Rendering,
    ServiceSpec, Settings,
};

use crate::support::{Script, World, group, has_line, is_build, plan, rendering, spec, world};

const NEWER: &str = "example/web/2.0.0/20260101000000";
const RAN: &str = "example/web/1.0.0/20250101000000";

fn running(hooks: &[Hook]) -> World {
    let mut world = world(hooks, |_| {});
    world.pass(5_000);
    assert_eq!(world.machine.status().phase, PhaseName::Running);
    world
}

fn refused_at(check: &str) -> World {
    let mut world = running(&[Hook::Run]);
    world.script.check = Err(check.into());
    world.tell(MachineEvent::PackageUpdated(NEWER.into()));
    world.pass(10);
    world
}

/// The former release is read after a crash, because this spec was refused; it could start now.
fn going_back_from(refused: ServiceSpec) -> World {
    let mut world = running(&[Hook::Run]);
    world.script.check = Err("bad".into());
    world.tell(MachineEvent::SpecChanged { spec: refused, group: group("web") });
    world.pass(10);
    world.tell(MachineEvent::Exited { pid: 1_001, group_alive: false, end: crate::support::end() });
    assert_eq!(world.machine.status().phase, PhaseName::Building);
    world.script.check = Ok(());
    world
}

fn is_signal(effect: &Effect) -> bool {
    matches!(effect, Effect::Signal { .. } | Effect::Kill { .. })
}

fn pid(world: &World) -> Option<u32> {
    world.machine.status().process.pid
}

#[test]
fn a_release_that_cannot_start_does_not_stop_the_process_and_is_logged_once() {
    let mut world = refused_at("config/c:1:1: not closed");
    world.pass(200_000);
    assert_eq!((pid(&world), world.places(is_signal).len()), (Some(1_001), 0));
    let reason = format!("config/c:1:1: not closed; not applied, {RAN} keeps running");
    assert_eq!(world.machine.status().reason.as_deref(), Some(reason.as_str()));
    assert_eq!(has_line(&world, &format!("web.default(SR): {reason}")), 1);
}

#[test]
fn a_release_that_can_start_replaces_the_process_and_is_the_one_that_is_built() {
    let mut world = refused_at("bad");
    world.script.check = Ok(());
    world.tell(MachineEvent::PackageUpdated(NEWER.into()));
    world.pass(5_000);
    assert_eq!(pid(&world), Some(1_002));
    assert_eq!(world.machine.status().reason, None);
    let mut builds = world.effects.iter().filter(|(_, effect)| is_build(effect));
    let last = builds.next_back().map(|(_, effect)| effect.clone());
    assert_eq!(last, Some(Effect::Build { pin: Some(NEWER.into()) }));
}

#[test]
fn a_refused_release_is_checked_again_by_itself() {
    let mut world = refused_at("no space left");
    world.script.check = Ok(());
    world.pass(31_000);
    assert_eq!(pid(&world), Some(1_002));
}

#[test]
fn the_release_that_runs_wanted_again_clears_the_condition() {
    let mut world = refused_at("bad");
    world.script.check = Ok(());
    world.tell(MachineEvent::PackageUpdated(RAN.into()));
    world.pass(5_000);
    assert_eq!((pid(&world), world.machine.status().reason), (Some(1_001), None));
}

#[test]
fn a_change_during_a_check_is_checked_too() {
    let mut world = running(&[Hook::Run]);
    world.script.check = Err("bad".into());
    world.tell(MachineEvent::PackageUpdated("example/web/1.5/1".into()));
    world.script.check = Ok(());
    world.tell(MachineEvent::PackageUpdated(NEWER.into()));
    world.pass(5_000);
    let checks = world.times(|effect| matches!(effect, Effect::Check { .. }));
    assert_eq!((checks.len(), pid(&world)), (2, Some(1_002)));
}

#[test]
fn install_hooks_of_a_newer_release_run_beside_the_process() {
    let mut world = running(&[Hook::Run]);
    world.script.plan.installs = true;
    world.script.install = Err("exit 3".into());
    world.tell(MachineEvent::PackageUpdated(NEWER.into()));
    world.pass(100);
    assert_eq!((pid(&world), world.places(is_signal).len()), (Some(1_001), 0));
    assert!(world.machine.status().reason.is_some_and(|reason| reason.starts_with("exit 3")));
    world.script.install = Ok(());
    world.tell(MachineEvent::FilesChanged);
    world.pass(5_000);
    assert_eq!(pid(&world), Some(1_002));
}

#[test]
fn a_crash_while_a_newer_release_is_refused_starts_what_ran() {
    let mut world = refused_at("bad");
    world.script.build = Err(BuildFailure::Refused("bad".into()));
    world.tell(MachineEvent::Exited { pid: 1_001, group_alive: false, end: crate::support::end() });
    world.pass(5_000);
    assert_eq!(pid(&world), Some(1_002));
    let former = Effect::BuildFormer { release: RAN.into() };
    assert_eq!(world.places(|effect| *effect == former).len(), 1);
    assert!(world.machine.status().reason.is_some_and(|reason| reason.starts_with("bad; ")));
}

#[test]
fn a_check_that_is_answered_before_the_former_release_runs_is_repeated() {
    let mut world = going_back_from(pinned("2.0.0"));
    world.tell(MachineEvent::SpecChanged { spec: spec("web"), group: group("web") });
    world.pass(5_000);
    assert_eq!((pid(&world), world.machine.status().reason), (Some(1_002), None));
    assert!(!world.machine.is_undecided());
}

#[test]
fn an_older_refused_spec_never_replaces_a_newer_one() {
    let mut world = going_back_from(pinned("2.0.0"));
    world.tell(MachineEvent::SpecChanged { spec: pinned("3.0.0"), group: group("web") });
    world.pass(120_000);
    assert_eq!(world.machine.spec(), &pinned("3.0.0"));
    assert_eq!(world.machine.status().reason, None);
}

#[test]
fn a_restart_during_a_check_tries_the_newest_and_forgets_the_condition() {
    let mut world = refused_at("bad");
    world.script.check = Ok(());
    world.script.renderings = vec![rendering(RenderedKind::ConfigModified)];
    world.tell(MachineEvent::ContextChanged);
    world.pass(5_000);
    assert_eq!((pid(&world).is_some(), world.machine.status().reason), (true, None));
}

#[test]
fn stopped_and_started_again_with_a_broken_release_the_former_one_runs() {
    let mut world = running(&[Hook::Run]);
    world.tell(MachineEvent::Stop { timeout_s: None });
    world.pass(5_000);
    world.script.build = Err(BuildFailure::Refused("config/c:1:1: bad".into()));
    world.script.check = Err("config/c:1:1: bad".into());
    world.tell(MachineEvent::Start);
    world.pass(100);
    assert_eq!(pid(&world), Some(1_002));
    let reason = format!(
        "Unable to start example/web, config/c:1:1: bad; {RAN}, the former release, is started instead"
    );
    assert_eq!(world.machine.status().reason.as_deref(), Some(reason.as_str()));
    // Once repaired, it is accepted.
    world.script.build = Ok(());
    world.script.check = Ok(());
    world.script.plan = plan_newer();
    world.tell(MachineEvent::FilesChanged);
    world.pass(5_000);
    let status = world.machine.status();
    assert_eq!((status.release.as_deref(), status.reason), (Some(NEWER), None));
}

fn plan_newer() -> roost_service::Plan {
    roost_service::Plan { ident: NEWER.into(), ..plan("web", &[Hook::Run]) }
}

#[test]
fn a_release_that_only_rendering_shows_to_be_broken_goes_back_too() {
    let mut world = running(&[Hook::Run]);
    world.tell(MachineEvent::Stop { timeout_s: None });
    world.pass(5_000);
    world.script.plan = plan_newer();
    world.script.renderings =
        vec![Rendering { refused: true, ..Rendering::failed(RenderFailure::Config("bad".into())) }];
    world.script.check = Err("bad".into());
    world.tell(MachineEvent::Start);
    world.pass(5_000);
    let status = world.machine.status();
    assert_eq!((status.phase, status.release.as_deref()), (PhaseName::Running, Some(RAN)));
}

#[test]
fn a_supervisor_that_starts_falls_back_to_the_release_of_an_earlier_one() {
    let mut script = Script::new(plan("web", &[Hook::Run]));
    script.build = Err(BuildFailure::Refused("bad".into()));
    script.check = Err("bad".into());
    let mut world = World::new("web", script, Settings::default());
    world.machine.know_former(RAN);
    world.pass(5_000);
    let status = world.machine.status();
    assert_eq!((status.phase, status.release.as_deref()), (PhaseName::Running, Some(RAN)));
}

#[test]
fn when_neither_can_start_both_are_reported_and_the_newest_is_tried_first() {
    let mut script = Script::new(plan("web", &[Hook::Run]));
    script.build = Err(BuildFailure::Refused("bad".into()));
    script.former = Err(BuildFailure::NotInstalled("gone".into()));
    let mut world = World::new("web", script, Settings::default());
    world.machine.know_former(RAN);
    world.pass(100_000);
    let status = world.machine.status();
    let reason = format!(
        "Unable to start example/web, bad; nor can {RAN} be started, Unable to start \
         example/web, gone"
    );
    assert_eq!((status.phase, status.reason), (PhaseName::Broken, Some(reason)));
    world.script.build = Ok(());
    world.tell(MachineEvent::FilesChanged);
    world.pass(5_000);
    assert_eq!(world.machine.status().phase, PhaseName::Running);
}

#[test]
fn a_release_of_another_package_is_not_a_fallback() {
    let mut script = Script::new(plan("web", &[Hook::Run]));
    script.build = Err(BuildFailure::Refused("bad".into()));
    let mut world = World::new("web", script, Settings::default());
    world.machine.know_former("other/web/1/2");
    world.pass(5_000);
    assert_eq!(world.machine.status().phase, PhaseName::Broken);
}

fn pinned(version: &str) -> ServiceSpec {
    ServiceSpec { ident: PackageIdent::new("example", "web", Some(version), None), ..spec("web") }
}

#[test]
fn a_spec_that_cannot_be_started_waits_and_the_former_stays_in_force() {
    let mut world = running(&[Hook::Run]);
    world.script.check = Err("no such bind".into());
    let wanted = pinned("2.0.0");
    world.tell(MachineEvent::SpecChanged { spec: wanted.clone(), group: group("web") });
    world.pass(1_000);
    assert_eq!((pid(&world), world.places(is_signal).len()), (Some(1_001), 0));
    assert_eq!((world.machine.spec(), world.machine.newest_spec()), (&spec("web"), &wanted));
    // The same file is read again and again.
    world.tell(MachineEvent::SpecChanged { spec: spec("web"), group: group("web") });
    world.script.check = Ok(());
    world.pass(60_000);
    assert_eq!((pid(&world), world.machine.status().reason), (Some(1_001), None));
    world.tell(MachineEvent::SpecChanged { spec: wanted.clone(), group: group("web") });
    world.pass(5_000);
    assert_eq!((pid(&world), world.machine.spec()), (Some(1_002), &wanted));
}

#[test]
fn an_unchecked_spec_that_fails_gives_way_to_the_one_that_ran() {
    let mut world = running(&[Hook::Run]);
    world.tell(MachineEvent::Stop { timeout_s: None });
    world.pass(5_000);
    world.script.build = Err(BuildFailure::Binds("no such bind".into()));
    world.script.check = Err("no such bind".into());
    world.tell(MachineEvent::SpecChanged { spec: pinned("2.0.0"), group: group("web") });
    world.pass(5_000);
    assert_eq!(world.machine.status().phase, PhaseName::Running);
    assert_eq!(
        (world.machine.spec(), world.machine.newest_spec()),
        (&spec("web"), &pinned("2.0.0"))
    );
}

#[test]
fn a_directory_that_cannot_become_a_release_is_a_condition() {
    let mut world = running(&[Hook::Run]);
    for _ in 0..2 {
        world.tell(MachineEvent::ReleaseRefused("default.toml:1:5: bad".into()));
    }
    world.pass(100_000);
    assert_eq!(world.machine.status().reason.as_deref(), Some("default.toml:1:5: bad"));
    assert_eq!(has_line(&world, "web.default(SR): default.toml:1:5: bad"), 1);
    // It stays with the running release: no other is accepted.
    world.tell(MachineEvent::ReleaseFit);
    world.pass(100);
    assert_eq!((pid(&world), world.machine.status().reason), (Some(1_001), None));
    world.tell(MachineEvent::ReleaseRefused("default.toml:1:5: bad".into()));
    world.pass(100);
    world.tell(MachineEvent::PackageUpdated(RAN.into()));
    world.pass(100);
    assert_eq!((pid(&world), world.machine.status().reason), (Some(1_001), None));
}

#[test]
fn a_rendering_that_fails_while_the_process_runs_is_a_condition() {
    let failed = Rendering {
        refused: true,
        ..Rendering::failed(RenderFailure::Hook(Hook::Init, "bad".into()))
    };
    let mut world = world(&[Hook::Run], |script| {
        script.renderings =
            vec![Rendering::default(), failed, rendering(RenderedKind::ConfigModified)];
    });
    world.pass(5_000);
    world.tell(MachineEvent::ContextChanged);
    world.pass(100);
    let status = world.machine.status();
    assert_eq!(status.process.pid, Some(1_001));
    assert_eq!(status.reason.as_deref(), Some("Failed to compile init hook: bad"));
    world.tell(MachineEvent::ContextChanged);
    world.pass(100);
    assert_eq!((pid(&world), world.machine.status().reason), (Some(1_002), None));
}

#[test]
fn a_crash_while_templates_cannot_be_rendered_starts_from_what_is_on_disk() {
    let failed = Rendering {
        refused: true,
        ..Rendering::failed(RenderFailure::Hook(Hook::Run, "bad".into()))
    };
    let mut world = world(&[Hook::Run], |script| {
        script.renderings = vec![Rendering::default(), failed.clone(), failed];
    });
    world.pass(5_000);
    world.tell(MachineEvent::ContextChanged);
    world.pass(100);
    world.tell(MachineEvent::Exited { pid: 1_001, group_alive: false, end: crate::support::end() });
    world.pass(100);
    assert_eq!(pid(&world), Some(1_002));
}
