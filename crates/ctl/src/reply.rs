//! Answers of a Supervisor: pieces of console text and progress, then one [`Reply`].

use bytes::Bytes;
use roost_ident::{DesiredState, PackageIdent, ProcessState, ServiceGroup};

use crate::{
    frame::{Frame, Transaction},
    message::{self, Named},
};

/// Codes of failures (reference: control §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum ErrorCode {
    /// Any error without a specific code, including update and unload of a service that is not
    /// loaded.
    Internal = 0,
    /// Used by clients for problems with their secret file.
    Io = 1,
    /// Status, start, stop, configuration of something not loaded.
    NotFound = 2,
    /// Load, without force, of a loaded service.
    Conflict = 3,
    /// Wrong secret.
    Unauthorized = 4,
    /// Not sent in practice.
    NotSupported = 5,
    /// A configuration that is not text or not TOML.
    BadPayload = 6,
    /// Problems with binds and groups.
    InvalidPayload = 7,
    /// Beyond a size limit.
    EntityTooLarge = 8,
    /// A needed field is missing.
    UpdateClient = 9,
    /// A client without TLS talked to a gateway with TLS.
    TlsHandshakeFailed = 10,
}

/// A failure, shown as `[Err: 2] Service not loaded, acme/redis`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[Err: {code}] {text}")]
pub struct Failure {
    /// One of [`ErrorCode`], or a code of a newer Supervisor.
    pub code: i32,
    /// Text for the user.
    pub text: String,
}

impl Failure {
    /// Makes a failure.
    #[must_use]
    pub fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self { code: code as i32, text: text.into() }
    }

    /// The failure of start, stop, status and default configuration for an unknown service.
    #[must_use]
    pub fn not_loaded(ident: &PackageIdent) -> Self {
        Self::new(ErrorCode::NotFound, format!("Service not loaded, {ident}"))
    }

    /// A request lacks a field that this Supervisor needs.
    #[must_use]
    pub fn client_out_of_date() -> Self {
        Self::new(ErrorCode::UpdateClient, "client out of date")
    }
}

/// Colours of console text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Accepted, but never sent.
    Black,
    /// Missing objects.
    Red,
    /// Status verbs.
    Green,
    /// Headings and warnings.
    Yellow,
    /// Accepted, but never sent.
    Blue,
    /// Ends.
    Magenta,
    /// Objects that were found.
    Cyan,
    /// Accepted.
    White,
}

impl Color {
    /// All of them, in the order of their ANSI numbers 30 to 37.
    pub const ALL: [Self; 8] = [
        Self::Black,
        Self::Red,
        Self::Green,
        Self::Yellow,
        Self::Blue,
        Self::Magenta,
        Self::Cyan,
        Self::White,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Black => "Black",
            Self::Red => "Red",
            Self::Green => "Green",
            Self::Yellow => "Yellow",
            Self::Blue => "Blue",
            Self::Magenta => "Magenta",
            Self::Cyan => "Cyan",
            Self::White => "White",
        }
    }

    /// Reads a name in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|color| color.as_str().eq_ignore_ascii_case(name))
    }

    /// The ANSI number of the colour as foreground.
    #[must_use]
    pub const fn ansi(self) -> u8 {
        30 + self as u8
    }
}

/// A piece of text for the user's terminal. Newlines are explicit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// The text.
    pub text: String,
    /// Its colour, if not the terminal's own.
    pub color: Option<Color>,
    /// Bold or not.
    pub bold: bool,
}

/// State of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStatus {
    /// Fully qualified identifier of the package in use.
    pub ident: PackageIdent,
    /// Its group.
    pub group: ServiceGroup,
    /// Desired state; absent from old Supervisors.
    pub desired: Option<DesiredState>,
    /// Whether its process runs.
    pub state: ProcessState,
    /// Seconds since the last change between up and down.
    pub elapsed_s: u64,
    /// Process id, when it runs.
    pub pid: Option<u32>,
    /// Fields that only Roost sends.
    pub extra: StatusExtra,
}

/// Fields that only Roost sends; all absent from a Supervisor of Habitat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusExtra {
    /// Result of the last health check, spelled as in health documents (`OK`).
    pub health: Option<String>,
    /// Number of restarts since it was loaded.
    pub restarts: Option<u64>,
    /// Time of the last change between up and down, in seconds since 1970.
    pub since_unix_s: Option<u64>,
    /// Member id of the group's leader, in a leader topology that has one.
    pub leader: Option<String>,
    /// State of the service's updater.
    pub update: Option<String>,
    /// Phase of the service, one word.
    pub phase: Option<String>,
    /// Why it is not up, one line.
    pub reason: Option<String>,
    /// The Supervisor has stored a command, perhaps for this service, that it has not applied yet:
    /// this status may be outdated.
    pub pending: Option<bool>,
    /// State of the service, as in the documents of the HTTP API.
    pub service_state: Option<String>,
    /// The reason code, one word.
    pub reason_code: Option<String>,
    /// Output related to the reason.
    pub evidence: Vec<String>,
    /// A hook checks its health.
    pub has_check: Option<bool>,
    /// How long its process has been up, milliseconds.
    pub up_ms: Option<u64>,
    /// The last end of its process.
    pub last_exit: Option<message::LastExit>,
    /// The last hook that failed.
    pub last_hook: Option<message::LastHook>,
    /// Critical health checks in a row until a restart; 0 is never.
    pub restart_when_critical: Option<u32>,
}

/// A service status that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatusError {
    /// No process, or a state that is neither up nor down.
    #[error("Invalid process state {0}, must be `up` or `down`.")]
    State(String),
    /// Its group is not valid.
    #[error(transparent)]
    Group(#[from] roost_ident::ServiceGroupError),
}

impl From<&ServiceStatus> for message::ServiceStatus {
    fn from(status: &ServiceStatus) -> Self {
        let extra = status.extra.clone();
        Self {
            ident: (&status.ident).into(),
            process: Some(message::ProcessStatus {
                elapsed: Some(status.elapsed_s),
                pid: status.pid,
                state: i32::from(status.state == ProcessState::Up),
            }),
            service_group: (&status.group).into(),
            desired_state: status.desired.map(|desired| i32::from(desired == DesiredState::Up)),
            health: extra.health,
            restarts: extra.restarts,
            since_unix_s: extra.since_unix_s,
            leader: extra.leader,
            update: extra.update,
            phase: extra.phase,
            reason: extra.reason,
            pending: extra.pending,
            service_state: extra.service_state,
            reason_code: extra.reason_code,
            evidence: extra.evidence,
            has_check: extra.has_check,
            up_ms: extra.up_ms,
            last_exit: extra.last_exit,
            last_hook: extra.last_hook,
            restart_when_critical: extra.restart_when_critical,
        }
    }
}

impl TryFrom<message::ServiceStatus> for ServiceStatus {
    type Error = StatusError;

    fn try_from(status: message::ServiceStatus) -> Result<Self, Self::Error> {
        let process = status.process.ok_or_else(|| StatusError::State("none".into()))?;
        let state = match process.state {
            0 => ProcessState::Down,
            1 => ProcessState::Up,
            other => return Err(StatusError::State(other.to_string())),
        };
        Ok(Self {
            ident: status.ident.into(),
            group: status.service_group.try_into()?,
            desired: match status.desired_state {
                Some(0) => Some(DesiredState::Down),
                Some(1) => Some(DesiredState::Up),
                _ => None,
            },
            state,
            elapsed_s: process.elapsed.unwrap_or(0),
            pid: process.pid,
            extra: StatusExtra {
                health: status.health,
                restarts: status.restarts,
                since_unix_s: status.since_unix_s,
                leader: status.leader,
                update: status.update,
                phase: status.phase,
                reason: status.reason,
                pending: status.pending,
                service_state: status.service_state,
                reason_code: status.reason_code,
                evidence: status.evidence,
                has_check: status.has_check,
                up_ms: status.up_ms,
                last_exit: status.last_exit,
                last_hook: status.last_hook,
                restart_when_critical: status.restart_when_critical,
            },
        })
    }
}

/// The end of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Done.
    Ok,
    /// Nothing had to be changed, for this reason. Clients of Habitat see [`Reply::Ok`].
    Unchanged(String),
    /// The request failed.
    Failed(Failure),
    /// The state of services, running ones first; an empty list equals [`Reply::Ok`].
    Statuses(Vec<ServiceStatus>),
    /// The default configuration of a package as TOML.
    DefaultConfig(String),
    /// No answer; the connection closes when the server ends, so a client that requested a restart
    /// knows when the old Supervisor is gone.
    CloseAtEnd,
}

impl Reply {
    /// A failure with this code and text.
    #[must_use]
    pub fn failed(code: ErrorCode, text: impl Into<String>) -> Self {
        Self::Failed(Failure::new(code, text))
    }

    /// The frames of this reply; the last one is marked.
    #[must_use]
    pub fn frames(&self, transaction: Transaction) -> Vec<Frame> {
        match self {
            Self::Ok => vec![answer(&message::NetOk::default(), transaction, true)],
            Self::Unchanged(why) => {
                let unchanged = Some(why.clone());
                vec![answer(&message::NetOk { unchanged }, transaction, true)]
            }
            Self::Failed(failure) => {
                vec![answer(
                    &message::NetErr { code: failure.code, msg: failure.text.clone() },
                    transaction,
                    true,
                )]
            }
            Self::Statuses(statuses) if statuses.is_empty() => Self::Ok.frames(transaction),
            Self::Statuses(statuses) => statuses
                .iter()
                .enumerate()
                .map(|(index, status)| {
                    let last = index + 1 == statuses.len();
                    answer(&message::ServiceStatus::from(status), transaction, last)
                })
                .collect(),
            Self::DefaultConfig(text) => vec![answer(
                &message::ServiceCfg { format: Some(0), default: Some(text.clone()) },
                transaction,
                true,
            )],
            Self::CloseAtEnd => Vec::new(),
        }
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A message before the reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partial {
    /// A piece of console text.
    Console(Console),
    /// Progress of a download.
    Progress {
        /// Total bytes.
        total_bytes: u64,
        /// Bytes so far.
        position_bytes: u64,
    },
}

impl Partial {
    /// The frame of this piece.
    #[must_use]
    pub fn frame(&self, transaction: Transaction) -> Frame {
        match self {
            Self::Console(console) => {
                let line = message::ConsoleLine {
                    line: console.text.clone(),
                    color: console.color.map(|color| color.as_str().into()),
                    bold: console.bold,
                };
                answer(&line, transaction, false)
            }
            Self::Progress { total_bytes, position_bytes } => {
                let progress =
                    message::NetProgress { total: *total_bytes, position: *position_bytes };
                answer(&progress, transaction, false)
            }
        }
    }
}

/// The frame of an answer.
pub(crate) fn answer<M: Named>(message: &M, transaction: Transaction, last: bool) -> Frame {
    Frame {
        transaction: Some(transaction.answer(last)),
        id: M::ID.into(),
        body: Bytes::from(message.encode_to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(name: &str) -> ServiceStatus {
        ServiceStatus {
            ident: PackageIdent::new("acme", name, Some("1.0"), Some("20240102030405")),
            group: ServiceGroup::new(name, "default", None).expect("a group"),
            desired: Some(DesiredState::Up),
            state: ProcessState::Up,
            elapsed_s: 8,
            pid: Some(9579),
            extra: StatusExtra { health: Some("OK".into()), ..StatusExtra::default() },
        }
    }

    #[test]
    fn a_status_survives_the_wire() {
        let wire = message::ServiceStatus::from(&status("demo"));
        assert_eq!(ServiceStatus::try_from(wire), Ok(status("demo")));
    }

    #[test]
    fn only_the_last_of_several_statuses_is_marked_last() {
        let reply = Reply::Statuses(vec![status("a"), status("b"), status("c")]);
        let last: Vec<_> = reply
            .frames(Transaction::request(1))
            .iter()
            .filter_map(|frame| frame.transaction.map(|transaction| transaction.last))
            .collect();
        assert_eq!(last, [false, false, true]);
        let none = Reply::Statuses(Vec::new()).frames(Transaction::request(1));
        assert_eq!(none[0].id, "NetOk");
    }

    #[test]
    fn a_status_without_process_is_refused_as_the_reference_client_does() {
        let mut wire = message::ServiceStatus::from(&status("demo"));
        wire.process = None;
        assert!(ServiceStatus::try_from(wire).is_err());
    }

    #[test]
    fn colours_are_read_in_any_case() {
        assert_eq!(Color::from_name("yELLOW").map(Color::ansi), Some(33));
        assert_eq!(Color::from_name("pink"), None);
    }
}
