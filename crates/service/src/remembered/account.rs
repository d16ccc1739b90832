//! The lines of the last events.

use roost_ident::Hook;

use crate::{
    account::{Account, ExitCause, HookFailure, LastCheck, LastExit},
    event::{ExitStatus, HookOutcome},
    excerpt::{Excerpt, Printed, STDERR_BYTES_MAX},
};

/// Passes every line to `line`, the short ones first.
pub(super) fn lines(account: &Account, mut line: impl FnMut(&str, &str)) {
    let Account { exit, hook, check } = account;
    if let Some(LastExit { pid, status, at_unix_ms, ran_ms, cause, stderr: _ }) = exit {
        let status = match status {
            ExitStatus::Code(code) => format!("code {code}"),
            ExitStatus::Signal(number) => format!("signal {number}"),
            ExitStatus::Unknown => "unknown 0".into(),
        };
        let after_ms = match cause {
            ExitCause::StopTimeout { after_ms } => *after_ms,
            ExitCause::Unexpected | ExitCause::Stopped => 0,
        };
        let cause = cause.as_str();
        line("exit", &format!("{pid} {status} {at_unix_ms} {ran_ms} {cause} {after_ms}"));
    }
    if let Some(HookFailure { hook, outcome, timed_out, at_unix_ms, printed: _ }) = hook {
        let outcome = match outcome {
            HookOutcome::Exit(code) => format!("exit {code}"),
            HookOutcome::Signal(number) => format!("signal {number}"),
            HookOutcome::CouldNotRun(error) => format!("error {}", escape(error)),
        };
        line("hook", &format!("{hook} {at_unix_ms} {timed_out} {outcome}"));
    }
    if let Some(LastCheck { status, exit_code, at_unix_ms, printed }) = check {
        let code = exit_code.map_or_else(|| "-".into(), |code| code.to_string());
        line("check", &format!("{} {code} {at_unix_ms} {}", status.as_str(), printed.first));
    }
    let texts = [
        ("exit_stderr", exit.as_ref().map(|exit| &exit.stderr)),
        ("hook_printed", hook.as_ref().map(|hook| &hook.printed)),
        ("check_stderr", check.as_ref().map(|check| &check.printed.stderr)),
        ("check_stdout", check.as_ref().map(|check| &check.printed.stdout)),
    ];
    for (key, excerpt) in texts {
        if let Some(excerpt) = excerpt.filter(|excerpt| !excerpt.is_empty()) {
            line(key, &escape(&excerpt.text()));
        }
    }
}

/// Reads one line; false when its key is not one of these.
pub(super) fn take(account: &mut Account, key: &str, value: &str) -> bool {
    let excerpt = || Excerpt::last_of(&unescape(value), STDERR_BYTES_MAX);
    match (key, account) {
        ("exit", account) => account.exit = exit(value),
        ("hook", account) => account.hook = hook(value),
        ("check", account) => account.check = check(value),
        ("exit_stderr", Account { exit: Some(exit), .. }) => exit.stderr = excerpt(),
        ("hook_printed", Account { hook: Some(hook), .. }) => hook.printed = excerpt(),
        ("check_stderr", Account { check: Some(check), .. }) => check.printed.stderr = excerpt(),
        ("check_stdout", Account { check: Some(check), .. }) => check.printed.stdout = excerpt(),
        _ => return false,
    }
    true
}

fn exit(value: &str) -> Option<LastExit> {
    let mut parts = value.split(' ');
    let pid = parts.next()?.parse().ok()?;
    let (word, number) = (parts.next()?, parts.next()?.parse().ok()?);
    let at_unix_ms = parts.next()?.parse().ok()?;
    let ran_ms = parts.next()?.parse().ok()?;
    let (cause, after_ms) = (parts.next()?, parts.next()?.parse().ok()?);
    let status = match word {
        "code" => ExitStatus::Code(number),
        "signal" => ExitStatus::Signal(number),
        _ => ExitStatus::Unknown,
    };
    let causes = [ExitCause::Unexpected, ExitCause::Stopped, ExitCause::StopTimeout { after_ms }];
    let cause = causes.into_iter().find(|known| known.as_str() == cause)?;
    Some(LastExit { pid, status, at_unix_ms, ran_ms, cause, stderr: Excerpt::default() })
}

fn hook(value: &str) -> Option<HookFailure> {
    let mut parts = value.splitn(5, ' ');
    let hook: Hook = parts.next()?.parse().ok()?;
    let at_unix_ms = parts.next()?.parse().ok()?;
    let timed_out = parts.next()? == "true";
    let outcome = match (parts.next()?, parts.next()?) {
        ("exit", code) => HookOutcome::Exit(code.parse().ok()?),
        ("signal", number) => HookOutcome::Signal(number.parse().ok()?),
        ("error", text) => HookOutcome::CouldNotRun(unescape(text)),
        _ => return None,
    };
    Some(HookFailure { hook, outcome, timed_out, at_unix_ms, printed: Excerpt::default() })
}

fn check(value: &str) -> Option<LastCheck> {
    let mut parts = value.splitn(4, ' ');
    let status = parts.next()?.parse().ok()?;
    let exit_code = match parts.next()? {
        "-" => None,
        code => Some(code.parse().ok()?),
    };
    let at_unix_ms = parts.next()?.parse().ok()?;
    let printed = Printed { first: parts.next()?.into(), ..Printed::default() };
    Some(LastCheck { status, exit_code, at_unix_ms, printed })
}

/// Text as one line.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}
