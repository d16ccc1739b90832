//! Two facts of the machine that an operator should know: its clock was set, or the disk of the
//! state files is almost full.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    time::{
        ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec,
        clock_gettime, timerfd_create, timerfd_settime,
    },
};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    conditions::{Conditions, Kind},
    vital,
};

/// What these conditions are about.
const CLOCK: &str = "clock";
const DISK: &str = "state files";
/// Smaller jumps happen on every machine.
const JUMP_MIN_MS: u64 = 1_000;
/// How long a jump is of interest.
const JUMP_KEPT: Timespec = Timespec { tv_sec: 24 * 60 * 60, tv_nsec: 0 };
/// For the thread that waits for changes of the clock.
const STACK_BYTES: usize = 64 * 1024;
/// Interval of the checks of the disk.
const DISK_EVERY: Duration = Duration::from_secs(60);
/// The disk is low with less free than this, and no longer with twice as much.
const LOW_BYTES: u64 = 64 * 1024 * 1024;
const LOW_FILES: u64 = 1_000;

/// Starts to watch; `directory` holds the state files.
pub(crate) fn start(directory: PathBuf, conditions: &Conditions) {
    vital::spawn("disk-watch", watch_disk(directory, conditions.clone()));
    let conditions = conditions.clone();
    let unnoticed = |error| tracing::warn!("Changes of the clock are not noticed: {error}");
    let watch = move || watch_clock(&conditions).unwrap_or_else(unnoticed);
    vital::spawn_thread("clock-watch", STACK_BYTES, watch).unwrap_or_else(unnoticed);
}

/// Room on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    free_bytes: u64,
    /// `None` where files are not limited.
    free_files: Option<u64>,
}

impl Room {
    fn of(directory: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(directory)?;
        Ok(Self {
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            free_files: (found.f_files > 0).then_some(found.f_favail),
        })
    }

    /// Why it is low; `was_low` keeps a disk at the limit from changing to and fro.
    fn low(self, was_low: bool) -> Option<String> {
        let factor = if was_low { 2 } else { 1 };
        if self.free_bytes < LOW_BYTES * factor {
            return Some(format!("{} MiB are free", self.free_bytes / (1024 * 1024)));
        }
        let files = self.free_files.filter(|files| *files < LOW_FILES * factor)?;
        Some(format!("only {files} more files can be created"))
    }
}

async fn watch_disk(directory: PathBuf, conditions: Conditions) {
    let mut due = interval(DISK_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_low = false;
    loop {
        due.tick().await;
        let looked_at = directory.clone();
        // A disk that hangs is another condition; this one waits for it.
        let room = vital::spawn_blocking("disk-watch", move || Room::of(&looked_at)).await;
        let Ok(Ok(room)) = room else { continue };
        let low = room.low(was_low);
        let place = directory.display();
        match &low {
            Some(why) => {
                let line = format!("The disk of {place} is almost full: {why}");
                conditions.appear(Kind::DiskLow, DISK, &line);
            }
            None => {
                let line = format!("The disk of {place} has room again");
                conditions.end(Kind::DiskLow, DISK, &line);
            }
        }
        was_low = low.is_some();
    }
}

/// Waits for changes of the clock: the kernel cancels a timer that nothing else ends.
fn watch_clock(conditions: &Conditions) -> io::Result<()> {
    let timer = timer()?;
    let mut before_ms = since_boot_ms();
    loop {
        arm(&timer)?;
        // A change between the last look and this line cancels nothing.
        if since_boot_ms().abs_diff(before_ms) < JUMP_MIN_MS {
            let limit = conditions.is_present(Kind::ClockJumped).then_some(&JUMP_KEPT);
            if !canceled(&timer, limit)? {
                conditions.forget(Kind::ClockJumped, CLOCK);
            }
        }
        let now_ms = since_boot_ms();
        if let Some(line) = jump(before_ms, now_ms) {
            // It begins again: the last change counts.
            conditions.forget(Kind::ClockJumped, CLOCK);
            conditions.appear(Kind::ClockJumped, CLOCK, &line);
        }
        before_ms = now_ms;
    }
}

fn timer() -> io::Result<OwnedFd> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    Ok(timerfd_create(TimerfdClockId::Realtime, flags)?)
}

/// Waits until the clock is set; false when the time is over before.
fn canceled(timer: &OwnedFd, limit: Option<&Timespec>) -> io::Result<bool> {
    loop {
        match poll(&mut [PollFd::new(timer, PollFlags::IN)], limit) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn arm(timer: &OwnedFd) -> io::Result<()> {
    let never = Timespec { tv_sec: i64::from(u32::MAX) * 2, tv_nsec: 0 };
    let once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    timerfd_settime(timer, flags, &Itimerspec { it_interval: once, it_value: never })?;
    Ok(())
}

/// How far the clock is ahead of the time since boot, which only a change of the clock changes.
fn since_boot_ms() -> i64 {
    let ms = |time: Timespec| time.tv_sec * 1_000 + time.tv_nsec / 1_000_000;
    ms(clock_gettime(ClockId::Realtime)) - ms(clock_gettime(ClockId::Boottime))
}

/// The line about a change of the clock, if it is one.
fn jump(before_ms: i64, now_ms: i64) -> Option<String> {
    let by_ms = now_ms.abs_diff(before_ms);
    let direction = if now_ms > before_ms { "forward" } else { "back" };
    (by_ms >= JUMP_MIN_MS).then(|| {
        let seconds = by_ms as f64 / 1_000.0;
        format!("The clock of this machine was set {direction} by {seconds:.1} s")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_steps_are_no_jump() {
        assert_eq!(jump(5_000, 5_999), None);
        assert_eq!(jump(5_000, 4_001), None);
        let line = |text: &str| Some(format!("The clock of this machine was set {text}"));
        assert_eq!(jump(5_000, 3_605_000), line("forward by 3600.0 s"));
        assert_eq!(jump(5_000, -81_400_500), line("back by 81405.5 s"));
    }

    #[test]
    fn a_disk_at_the_limit_does_not_change_to_and_fro() {
        let room = |free_bytes, free_files| Room { free_bytes, free_files };
        let plenty = 100 * LOW_BYTES;
        assert_eq!(room(plenty, None).low(false), None);
        assert_eq!(room(LOW_BYTES, Some(LOW_FILES)).low(false), None);
        assert_eq!(room(LOW_BYTES - 1, None).low(false).as_deref(), Some("63 MiB are free"));
        assert!(room(LOW_BYTES, None).low(true).is_some());
        assert_eq!(room(2 * LOW_BYTES, None).low(true), None);
        let few = room(plenty, Some(9)).low(false);
        assert_eq!(few.as_deref(), Some("only 9 more files can be created"));
    }

    #[test]
    fn the_room_of_a_directory_is_known() {
        let here = tempfile::tempdir().expect("a directory");
        assert!(Room::of(here.path()).expect("a disk").free_bytes > 0);
        assert!(Room::of(Path::new("/nowhere")).is_err());
    }

    #[test]
    fn a_clock_that_is_not_set_cancels_nothing() {
        let timer = timer().expect("a timer");
        arm(&timer).expect("a time");
        let soon = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        assert!(!canceled(&timer, Some(&soon)).expect("it can be waited for"));
    }
}
