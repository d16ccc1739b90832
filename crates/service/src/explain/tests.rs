use roost_ident::{BindState, DesiredState, ElectionStatus, HealthStatus, ProcessState};

use super::*;
use crate::{
    account::{Account, ExitCause, LastExit},
    event::ExitStatus,
    status::{PhaseName, ProcessStatus, ServiceState},
    why::Reason,
};

const T: u64 = 1_795_362_328_000;

fn status(state: ServiceState, cause: Option<Reason>) -> Status {
    let is_up = state == ServiceState::Up;
    Status {
        desired_state: DesiredState::Up,
        process: ProcessStatus {
            state: if is_up { ProcessState::Up } else { ProcessState::Down },
            pid: is_up.then_some(7),
            state_entered_s: T / 1_000,
            state_entered_ms: T,
        },
        health: HealthStatus::Ok,
        reason: None,
        why: cause.clone(),
        cause,
        conditions: Vec::new(),
        state,
        health_since_unix_ms: T + 1,
        has_check: true,
        account: Account::default(),
        initialized: is_up,
        last_election_status: ElectionStatus::None,
        last_process_state: None,
        next_restart_at_s: None,
        restart_count: 0,
        restarts_last_hour: 0,
        backoff_ms: None,
        release: None,
        phase: PhaseName::Running,
    }
}

fn reason(code: ReasonCode, message: &str, output: &str) -> Reason {
    let evidence = Excerpt::last_of(output, 1_000);
    Reason { code, message: message.into(), since_unix_ms: T, evidence, also: None }
}

struct Case {
    group: ServiceGroup,
    spec: ServiceSpec,
    status: Status,
    binds: Vec<BindReport>,
    voters: Vec<Voter>,
}

fn case(name: &str, status: Status) -> Case {
    let spec = ServiceSpec::new(roost_ident::PackageIdent::new("acme", name, None, None));
    let group = format!("{name}.default").parse().expect("a group");
    Case { group, spec, status, binds: Vec::new(), voters: Vec::new() }
}

impl Case {
    fn facts(&self) -> Facts<'_> {
        Facts {
            group: &self.group,
            spec: &self.spec,
            status: &self.status,
            binds: &self.binds,
            voters: &self.voters,
            unread: None,
            stopped_by: None,
        }
    }

    fn explain(&self, redact: bool) -> Explanation {
        explain(&self.facts(), &|_| None, redact)
    }

    fn bind(&mut self, name: &str, group: &str, state: BindState) {
        self.spec.binds.push(format!("{name}:{group}").parse().expect("a bind"));
        self.binds.push(BindReport { name: name.into(), group: group.into(), state });
    }
}

fn codes(explanation: &Explanation) -> Vec<ReasonCode> {
    explanation.chain.iter().map(|step| step.code).collect()
}

#[test]
fn a_fine_service_has_no_causes_and_two_times() {
    let mut fine = case("web", status(ServiceState::Up, None));
    let said = fine.explain(false);
    let line = "web.default is up since 2026-11-22T15:45:28.000Z, healthy since \
                2026-11-22T15:45:28.001Z";
    assert_eq!((said.answer.as_str(), said.chain.len(), said.remedies.len()), (line, 0, 0));
    fine.status.restart_count = 7;
    assert!(fine.explain(false).answer.ends_with("; it was restarted 7 times after failures"));
    fine.status.restarts_last_hour = 1;
    let said = fine.explain(false).answer;
    assert!(said.ends_with("; it was restarted 7 times after failures, once in the last hour"));
    fine.status.has_check = false;
    assert!(fine.explain(false).answer.contains(", and has no health check"));
}

#[test]
fn a_service_that_waits_after_a_crash_names_wait_and_crash_and_redaction_hides_the_output() {
    let cause = reason(ReasonCode::RunExits, "the process exited with code 1", "no port 80\n");
    let mut crashed = case("web", status(ServiceState::BackingOff, Some(cause)));
    crashed.status.next_restart_at_s = Some(T / 1_000 + 4);
    crashed.status.restart_count = 3;
    crashed.status.account.exit = Some(LastExit {
        pid: 7,
        status: ExitStatus::Code(1),
        at_unix_ms: T + 5,
        ran_ms: 1,
        cause: ExitCause::Unexpected,
        stderr: Excerpt::default(),
    });
    let said = crashed.explain(false);
    assert_eq!(codes(&said), [ReasonCode::BackingOff, ReasonCode::RunExits]);
    assert_eq!(said.chain[0].since_unix_ms, T + 5);
    assert_eq!(said.chain[1].evidence(false), ["no port 80"]);
    assert_eq!(
        said.answer,
        "web.default is down, and it waits until 2026-11-22T15:45:32Z for its next start: the \
         process exited with code 1: no port 80; it was restarted 3 times after failures"
    );
    assert_eq!(said.remedies[0].command.as_deref(), Some("hab svc logs web --tail 50"));
    let hidden = crashed.explain(true);
    assert!(!hidden.answer.contains("port 80"), "{}", hidden.answer);
    assert!(hidden.chain[1].evidence(true).is_empty());
}

#[test]
fn a_wait_for_a_local_service_is_explained_by_its_cause_and_circles_end() {
    let mut db = case(
        "db",
        status(
            ServiceState::BackingOff,
            Some(reason(ReasonCode::InitFailed, "the init hook exited with code 4", "no disk\n")),
        ),
    );
    let mut api = case("api", status(ServiceState::Blocked, None));
    api.bind("database", "db.default", BindState::Absent);
    api.bind("cache", "redis.default", BindState::MissingExports(["port".into()].into()));
    db.bind("front", "api.default", BindState::Absent);
    let look_up = |group: &str| match group {
        "db.default" => Some(db.facts()),
        "api.default" => Some(api.facts()),
        _ => None,
    };
    let said = explain(&api.facts(), &look_up, false);
    assert_eq!(
        codes(&said),
        [
            ReasonCode::WaitingForBinds,
            ReasonCode::BackingOff,
            ReasonCode::InitFailed,
            ReasonCode::BindFieldMissing
        ]
    );
    assert_eq!(said.chain[2].message, "db.default: the init hook exited with code 4");
    assert_eq!(said.chain[3].evidence(false), ["cache:redis.default needs port"]);
    let commands: Vec<_> = said.remedies.iter().filter_map(|it| it.command.as_deref()).collect();
    assert!(commands.contains(&"hab svc logs db --tail 50"), "{commands:?}");
    db.status.state = ServiceState::Blocked;
    let look_up = |group: &str| match group {
        "db.default" => Some(db.facts()),
        "api.default" => Some(api.facts()),
        _ => None,
    };
    let circle = explain(&api.facts(), &look_up, false);
    assert_eq!(circle.chain.len(), 3, "{:?}", codes(&circle));
    assert_eq!(
        circle.chain[1].message,
        "db.default: bind 'front' waits for api.default, which is not in the ring"
    );
}

#[test]
fn a_lost_quorum_shows_its_arithmetic_and_whom_to_remove() {
    let cause = reason(ReasonCode::NoQuorum, "too few", "");
    let mut pg = case("pg", status(ServiceState::Blocked, Some(cause)));
    let voter = |number: u32, health| Voter {
        member_id: format!("id{number}"),
        name: format!("host{number} 10.0.0.{number}"),
        health,
    };
    pg.voters = vec![
        voter(1, MemberHealth::Alive),
        voter(2, MemberHealth::Suspect),
        voter(3, MemberHealth::Confirmed),
    ];
    let said = pg.explain(false);
    assert_eq!(codes(&said), [ReasonCode::NoQuorum]);
    assert_eq!(
        said.chain[0].message,
        "1 of 3 members of its group are alive, and an election needs 2"
    );
    assert_eq!(said.chain[0].facts[2], "host3 10.0.0.3 (id3): confirmed");
    let commands: Vec<_> = said.remedies.iter().filter_map(|it| it.command.as_deref()).collect();
    assert_eq!(commands, ["hab sup depart id3"]);
}

#[test]
fn every_code_has_a_remedy() {
    for code in ReasonCode::ALL {
        let state = match code {
            ReasonCode::BackingOff => ServiceState::BackingOff,
            _ => ServiceState::Up,
        };
        let it = case("web", status(state, Some(reason(*code, "a message", ""))));
        assert!(!it.explain(false).remedies.is_empty(), "{code}");
    }
    for (message, command) in [
        (
            "Package requires user pg to exist, but it doesn't",
            "useradd --system --user-group --no-create-home pg",
        ),
        ("Package requires group pg to exist, but it doesn't", "groupadd --system pg"),
    ] {
        let cause = Some(reason(ReasonCode::UserMissing, message, ""));
        let said = case("web", status(ServiceState::Failed, cause)).explain(false);
        assert_eq!(said.remedies[0].command.as_deref(), Some(command));
    }
}
