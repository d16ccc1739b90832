//! State of a service kept outside the Supervisor, so that the next one can reattach to its process
//! without loss. A Protocol Buffers message; unknown fields are skipped, so that an older
//! Supervisor can read what a newer one wrote.

use prost::Message;
use roost_ident::HealthStatus;

use self::message::State;
use crate::{
    account::Account,
    event::{Plan, ProcessEnd},
    health::Streak,
    recent::Span,
    status::LastProcess,
    why::Failure,
};

mod message;

/// Upper limit of the length of [`Remembered::encode`].
pub const REMEMBERED_SIZE_MAX_BYTES: usize = 4_096;

/// Version of the message. New fields keep it; a change of meaning raises it.
const VERSION: u32 = 1;

/// The bytes do not come from [`Remembered::encode`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RememberedError {
    /// There are more than [`REMEMBERED_SIZE_MAX_BYTES`].
    #[error("remembered state has {0} bytes, more than the {REMEMBERED_SIZE_MAX_BYTES} allowed")]
    TooLarge(usize),
    /// They are not a message.
    #[error("remembered state is damaged: {0}")]
    Damaged(#[from] prost::DecodeError),
    /// It is of another version.
    #[error("remembered state has version {0}, this program reads version {VERSION}")]
    Version(u32),
}

/// Remembered state of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remembered {
    /// Restarts after failures.
    pub restart_count: u64,
    /// The last restart.
    pub last_process_state: Option<LastProcess>,
    /// Last health result.
    pub health: HealthStatus,
    /// The last back-off drawn, in milliseconds.
    pub backoff_ms: Option<u64>,
    /// Start of the last restart, Unix milliseconds.
    pub restarted_at_unix_ms: Option<u64>,
    /// The process is being stopped.
    pub stopping: bool,
    /// The plan that the process was started from. Only release, hooks, signal and timeout are
    /// kept.
    pub plan: Option<Plan>,
    /// When the process last changed between up and down, Unix milliseconds.
    pub state_entered_unix_ms: Option<u64>,
    /// When the health last changed, Unix milliseconds.
    pub health_since_unix_ms: Option<u64>,
    /// A check of this process was OK.
    pub has_passed: bool,
    /// Its health results in a row.
    pub streak: Streak,
    /// Earliest next start, Unix milliseconds.
    pub not_before_unix_ms: Option<u64>,
    /// The next start counts as a restart.
    pub restarting: bool,
    /// The last reason why it did not run.
    pub failure: Option<Failure>,
    /// The last unexpected ends, Unix milliseconds.
    pub crashes_unix_ms: Vec<u64>,
    /// Restarts of the last hour, with Unix milliseconds.
    pub recent: Vec<Span>,
    /// The last events.
    pub account: Account,
}

/// A process that outlived its Supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Its id.
    pub pid: u32,
    /// When it was started.
    pub started_unix_ms: u64,
    /// Remembered state of its service; the default when there is none.
    pub remembered: Remembered,
    /// All its processes have ended, but its stop is not complete: only `post-stop` remains.
    pub is_gone: bool,
    /// How it ended, if the former Supervisor did not see that.
    pub unseen_end: Option<ProcessEnd>,
}

impl Remembered {
    /// As at most [`REMEMBERED_SIZE_MAX_BYTES`]: what does not fit is left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut state = State::from(self);
        for leave_out in State::EXPENDABLE {
            if state.encoded_len() <= REMEMBERED_SIZE_MAX_BYTES {
                break;
            }
            leave_out(&mut state);
        }
        state.encode_to_vec()
    }

    /// Reads what [`Remembered::encode`] wrote. What it does not understand is skipped.
    ///
    /// # Errors
    /// When it is too large, damaged or of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, RememberedError> {
        if bytes.len() > REMEMBERED_SIZE_MAX_BYTES {
            return Err(RememberedError::TooLarge(bytes.len()));
        }
        let state = State::decode(bytes)?;
        match state.version {
            VERSION => Ok(state.into()),
            other => Err(RememberedError::Version(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roost_ident::{Hook, ShutdownSignal, TerminationReason};

    use super::*;
    use crate::{
        account::{ExitCause, HookFailure, LastCheck, LastExit},
        event::{ExitStatus, HookOutcome},
        excerpt::{Excerpt, HOOK_BYTES_MAX, Printed, STDERR_BYTES_MAX, one_line},
        why::ReasonCode,
    };

    fn some() -> Remembered {
        Remembered {
            restart_count: 3,
            last_process_state: Some(LastProcess {
                pid: Some(42),
                reason: TerminationReason::RunHookFailed,
                terminated_at_s: 1_795_362_328,
            }),
            health: HealthStatus::Warning,
            backoff_ms: Some(6_960),
            restarted_at_unix_ms: Some(1_795_362_330_123),
            stopping: true,
            plan: Some(Plan {
                hooks: vec![Hook::Run, Hook::PostStop, Hook::HealthCheck],
                shutdown_signal: ShutdownSignal::Int,
                shutdown_timeout_s: Some(20),
                hook_timeouts_ms: std::collections::BTreeMap::new(),
                ..Plan::bare("o/n/1.0/20250101000000")
            }),
            ..Remembered::default()
        }
    }

    /// All fields at their largest.
    fn much() -> Remembered {
        let text = |c: &str| c.repeat(199) + "\n";
        let stream = |c: &str| Excerpt::last_of(&text(c).repeat(9), HOOK_BYTES_MAX);
        Remembered {
            state_entered_unix_ms: Some(1_795_362_330_124),
            health_since_unix_ms: Some(1_795_362_330_125),
            has_passed: true,
            streak: Streak::new(3, 0, 2),
            not_before_unix_ms: Some(1_795_362_330_126),
            restarting: true,
            failure: Some(Failure {
                printed: Excerpt::last_of("bad helper\n", 100),
                code: ReasonCode::TemplateError,
                message: one_line(&text("m")),
                since_unix_ms: 9,
            }),
            crashes_unix_ms: vec![7, 8],
            recent: vec![Span { since_ms: 1_795_362_330_126, count: 300_000 }; 12],
            account: Account {
                exit: Some(LastExit {
                    pid: 42,
                    status: ExitStatus::Signal(9),
                    at_unix_ms: 10,
                    ran_ms: 11,
                    cause: ExitCause::StopTimeout { after_ms: 8_000 },
                    stderr: Excerpt::last_of(&text("e").repeat(9), STDERR_BYTES_MAX),
                }),
                hook: Some(HookFailure {
                    hook: Hook::Init,
                    outcome: HookOutcome::CouldNotRun("it's \\ gone".into()),
                    timed_out: true,
                    at_unix_ms: 12,
                    printed: stream("h"),
                }),
                check: Some(LastCheck {
                    status: HealthStatus::Critical,
                    exit_code: Some(2),
                    at_unix_ms: 13,
                    duration_ms: 14,
                    printed: Printed {
                        first: "first".into(),
                        stdout: stream("o"),
                        stderr: stream("r"),
                        output: format!("{}{}", stream("o").text(), stream("r").text()).into(),
                    },
                }),
            },
            ..some()
        }
    }

    #[test]
    fn the_last_events_are_kept_and_fit() {
        let remembered = much();
        assert_eq!(Remembered::decode(&remembered.encode()), Ok(remembered));
        for outcome in [HookOutcome::Exit(-1), HookOutcome::Signal(15)] {
            for status in [ExitStatus::Code(3), ExitStatus::Unknown] {
                for cause in [ExitCause::Stopped, ExitCause::Unexpected] {
                    let mut remembered = much();
                    let exit = remembered.account.exit.as_mut().expect("one");
                    (exit.status, exit.cause) = (status, cause);
                    let hook = remembered.account.hook.as_mut().expect("one");
                    (hook.outcome, hook.timed_out) = (outcome.clone(), false);
                    assert_eq!(Remembered::decode(&remembered.encode()), Ok(remembered));
                }
            }
        }
    }

    /// What decides how a service goes on takes few bytes: one such state per service is held.
    #[test]
    fn encoded_state_is_small() {
        let bytes = some().encode();
        assert!(bytes.len() < 120, "{}", bytes.len());
    }

    #[test]
    fn encoded_state_decodes_and_unknown_fields_are_skipped() {
        let mut bytes = some().encode();
        assert_eq!(Remembered::decode(&bytes), Ok(some()));
        // Field 1000 with a number, field 1001 with a text.
        bytes.extend([0xc0, 0x3e, 7, 0xca, 0x3e, 2, b'h', b'i']);
        assert_eq!(Remembered::decode(&bytes), Ok(some()));
        let none = Remembered::default();
        assert_eq!(Remembered::decode(&none.encode()), Ok(none));
    }

    #[test]
    fn words_of_a_newer_supervisor_are_skipped() {
        let mut state = State::from(&much());
        state.health = "Splendid".into();
        state.failure.as_mut().expect("one").code = "new_reason".into();
        state.plan.as_mut().expect("one").hooks.push("new-hook".into());
        state.exit.as_mut().expect("one").cause = "new_cause".into();
        let account = Account { exit: None, ..much().account };
        let expected =
            Remembered { health: HealthStatus::default(), failure: None, account, ..much() };
        assert_eq!(Remembered::decode(&state.encode_to_vec()), Ok(expected));
    }

    #[test]
    fn other_versions_damage_and_large_states_are_refused() {
        let mut state = State::from(&some());
        state.version = 2;
        assert_eq!(Remembered::decode(&state.encode_to_vec()), Err(RememberedError::Version(2)));
        assert_eq!(Remembered::decode(b""), Err(RememberedError::Version(0)));
        let cut = &some().encode()[..20];
        assert!(matches!(Remembered::decode(cut), Err(RememberedError::Damaged(_))));
        let large = [0; REMEMBERED_SIZE_MAX_BYTES + 1];
        assert_eq!(Remembered::decode(&large), Err(RememberedError::TooLarge(large.len())));
    }

    #[test]
    fn the_least_important_fields_are_left_out_beyond_the_size_limit() {
        let mut remembered = much();
        let check = remembered.account.check.as_mut().expect("one");
        check.printed.first = "x".repeat(REMEMBERED_SIZE_MAX_BYTES);
        let bytes = remembered.encode();
        assert!(bytes.len() <= REMEMBERED_SIZE_MAX_BYTES);
        let read = Remembered::decode(&bytes).expect("our own");
        assert_eq!(read.account.check, None);
        assert_eq!(read.account.exit.as_ref().expect("kept").pid, 42);
        let rest = |remembered| Remembered { account: Account::default(), ..remembered };
        assert_eq!(rest(read), rest(much()));

        let plan = Some(Plan::bare(&"x".repeat(REMEMBERED_SIZE_MAX_BYTES)));
        let remembered = Remembered { plan, ..some() };
        let bytes = remembered.encode();
        assert_eq!(Remembered::decode(&bytes), Ok(Remembered { plan: None, ..some() }));
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
        ) {
            let _ = Remembered::decode(&bytes);
            let mut damaged = much().encode();
            let at = at.index(damaged.len() - bytes.len());
            damaged[at..at + bytes.len()].copy_from_slice(&bytes);
            if let Ok(remembered) = Remembered::decode(&damaged) {
                prop_assert!(remembered.encode().len() <= REMEMBERED_SIZE_MAX_BYTES);
            }
        }
    }
}
