//! What to do about a cause.

use roost_ident::{BindState, MemberHealth};

use super::{
    Facts, Remedy,
    chain::{Link, alive, quorum},
};
use crate::why::ReasonCode;

fn remedy(text: impl Into<String>, command: impl Into<String>) -> Remedy {
    Remedy { text: text.into(), command: Some(command.into()) }
}

fn advice(text: impl Into<String>) -> Remedy {
    Remedy { text: text.into(), command: None }
}

/// The remedies of one cause, the most direct first.
pub(super) fn of(link: &Link<'_>) -> Vec<Remedy> {
    let facts = &link.about;
    let ident = &facts.spec.ident;
    let (name, short) = (&ident.name, format!("{}/{}", ident.origin, ident.name));
    let logs = |what: &str| {
        remedy(format!("Read what {what} printed"), format!("hab svc logs {name} --tail 50"))
    };
    match link.step.code {
        ReasonCode::DesiredDown => {
            vec![remedy("Start it", format!("hab svc start {short}"))]
        }
        ReasonCode::Stopping => vec![remedy(
            "Shorten the wait for its end: the process is killed after that many seconds",
            format!("hab svc stop --shutdown-timeout 1 {short}"),
        )],
        ReasonCode::WaitingForBinds => waiting(link, &short),
        ReasonCode::BindFieldMissing => {
            let fields = match link.bind.map(|bind| &bind.state) {
                Some(BindState::MissingExports(fields)) => {
                    fields.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
                }
                _ => "the fields".into(),
            };
            let group = link.bind.map_or("the group", |bind| bind.group.as_str());
            vec![
                advice(format!("Export {fields} from the package of {group}, and load that again")),
                relaxed(&short),
            ]
        }
        ReasonCode::ElectionInProgress => vec![advice(
            "An election takes a few seconds. If it does not end, see whether the members of the \
             group reach each other's gossip ports (UDP and TCP)",
        )],
        ReasonCode::NoQuorum => no_quorum(facts),
        ReasonCode::InstallFailed => vec![logs("the install hook")],
        ReasonCode::InitFailed => vec![logs("the init hook")],
        ReasonCode::StartFailed => vec![advice(format!(
            "See whether the run hook and its interpreter exist, and whether the service's user \
             may execute them: hab/svc/{name}/hooks/run"
        ))],
        ReasonCode::RunExits => {
            vec![logs("it"), remedy("Keep it down meanwhile", format!("hab svc stop {short}"))]
        }
        ReasonCode::BackingOff => {
            let command = format!("hab svc stop {short} && hab svc start {short}");
            vec![remedy("Start it at once instead", command)]
        }
        ReasonCode::TemplateError => vec![
            advice("Correct the template or the value that it uses; it is rendered again then"),
            remedy("See the values", format!("hab config show {name}")),
        ],
        ReasonCode::ConfigError => {
            vec![advice("Correct what the message names; the service is read again then")]
        }
        ReasonCode::NotReplaced => vec![advice(
            "What ran before goes on. Correct the newer release or spec; it is checked again then",
        )],
        ReasonCode::PackageMissing => {
            vec![remedy("Install the package", format!("hab pkg install {name}.hart"))]
        }
        ReasonCode::PackageBroken => vec![
            advice("Add hooks/run to the package, and build and install it again"),
            remedy("Or stop waiting for it", format!("hab svc unload {short}")),
        ],
        ReasonCode::UserMissing => user_missing(&link.step.message),
        ReasonCode::DirectoryError => {
            vec![advice("Create the directory, and give it to the user of the Supervisor")]
        }
        ReasonCode::FilesNotAnswering => vec![remedy(
            "Find the file system that does not answer: processes in state D wait for it",
            "ps -eo pid,stat,wchan:30,args | awk '$2 ~ /^D/'",
        )],
        ReasonCode::HealthCritical | ReasonCode::HealthUnknown => {
            vec![remedy("See the result of the check", format!("hab svc check {name}")), logs("it")]
        }
        ReasonCode::HealthTimeout => vec![
            logs("it"),
            advice(
                "Make the health-check hook faster, or allow it more time \
                 (HAB_HEALTH_CHECK_TIMEOUT_SECS)",
            ),
        ],
    }
}

fn relaxed(short: &str) -> Remedy {
    remedy(
        "Start it without waiting for its binds",
        format!("hab svc load --force --binding-mode relaxed {short}"),
    )
}

fn waiting(link: &Link<'_>, short: &str) -> Vec<Remedy> {
    let Some(bind) = link.bind else { return vec![relaxed(short)] };
    let group = &bind.group;
    let service = group.split('.').next().unwrap_or_default();
    vec![
        remedy(
            format!("Load the service of {group}, here or on another Supervisor of the ring"),
            format!("hab svc load ORIGIN/{service}"),
        ),
        relaxed(short),
    ]
}

fn no_quorum(facts: &Facts<'_>) -> Vec<Remedy> {
    let voters = facts.voters;
    if voters.is_empty() {
        return vec![remedy(
            "Start the service on other machines, and join their Supervisors with this one",
            "hab sup run --peer HOST",
        )];
    }
    let lacking = quorum(voters).saturating_sub(alive(voters));
    let mut remedies = Vec::new();
    if lacking > 0 {
        remedies.push(advice(format!(
            "Start or reconnect the Supervisors of the members that are not alive; {lacking} more \
             must be alive"
        )));
    }
    let gone = voters.iter().filter(|voter| voter.health == MemberHealth::Confirmed);
    remedies.extend(gone.map(|voter| {
        remedy(
            format!("If {} will never come back, remove it from the ring", voter.name),
            format!("hab sup depart {}", voter.member_id),
        )
    }));
    remedies
}

/// The message names the account (`roost_pkg::user::UserError`).
fn user_missing(message: &str) -> Vec<Remedy> {
    let account = |kind: &str| {
        let rest = message.split_once(&format!("requires {kind} "))?.1;
        rest.split_once(" to exist").map(|(name, _)| name)
    };
    if let Some(user) = account("user") {
        let command = format!("useradd --system --user-group --no-create-home {user}");
        return vec![remedy("Create the user", command)];
    }
    if let Some(group) = account("group") {
        return vec![remedy("Create the group", format!("groupadd --system {group}"))];
    }
    let command = "useradd --system --user-group --no-create-home hab";
    vec![remedy("Create the user of services", command)]
}
