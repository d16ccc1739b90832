//! Processes that the launcher holds, as the fleet takes them over.

use roost_fleet::{Held, HeldEnd, Inheritance, Kept, Shutdown};
use roost_launch::wire::{self, WireStatus};
use roost_service::{Excerpt, ExitStatus, ProcessEnd, excerpt::STDERR_BYTES_MAX};

/// What the launcher holds when a Supervisor begins.
pub(crate) fn inheritance(welcome: &wire::Welcome) -> Inheritance {
    let ended = welcome.ended.iter().map(|ended| HeldEnd {
        id: ended.id,
        group: ended.name.clone(),
        pid: ended.pid,
        end: process_end(ended),
    });
    let kept = welcome
        .remembered
        .iter()
        .map(|kept| Kept { group: kept.name.clone(), state: kept.bytes.clone() });
    Inheritance {
        next_id: welcome.next_id,
        running: welcome.running.iter().map(held).collect(),
        ended: ended.collect(),
        survivors: welcome.survivors.iter().map(held).collect(),
        kept: kept.collect(),
    }
}

fn held(process: &wire::Process) -> Held {
    let wire::Shutdown { signal, timeout_ms } = process.shutdown;
    Held {
        id: process.id,
        group: process.name.clone(),
        pid: process.pid,
        started_unix_ms: process.started_unix_ms,
        shutdown: Shutdown { signal, timeout_ms },
    }
}

/// How a process ended.
pub(crate) fn process_end(ended: &wire::Ended) -> ProcessEnd {
    let status = match ended.status {
        Some(WireStatus::Code(code)) => ExitStatus::Code(code),
        Some(WireStatus::Signal(number)) => ExitStatus::Signal(number),
        None => ExitStatus::Unknown,
    };
    let stderr = Excerpt::last_of(&ended.last_words, STDERR_BYTES_MAX);
    ProcessEnd { status, at_unix_ms: ended.at_unix_ms, stderr }
}
