//! Milliseconds of each state in each hour of the clock, and the worst state of each of its
//! minutes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Availability, Span, Tally};

/// Days that are kept: those of the longest window, which begins with a full hour.
pub const KEPT_DAYS: u64 = 92;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const HOURS_OF_DAY: u64 = 24;
const DAY_MS: u64 = HOURS_OF_DAY * HOUR_MS;
const MINUTES: usize = 60;

/// The hour of a time, counted from 1970.
#[must_use]
pub fn hour_of(unix_ms: u64) -> u64 {
    unix_ms / HOUR_MS
}

/// The time at which an hour begins, in milliseconds since 1970.
#[must_use]
pub fn start_of_hour(hour: u64) -> u64 {
    hour * HOUR_MS
}

/// The day of a time, counted from 1970.
#[must_use]
pub fn day_of(unix_ms: u64) -> u64 {
    unix_ms / DAY_MS
}

/// What a service was in, by hours from 1970 on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hours(BTreeMap<u64, Hour>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hour {
    /// By the place of the state in [`Availability::ALL`].
    ms: [u32; Availability::ALL.len()],
    worst: [Option<Availability>; MINUTES],
}

impl Hour {
    const EMPTY: Self = Self { ms: [0; Availability::ALL.len()], worst: [None; MINUTES] };

    fn recorded_ms(&self) -> u64 {
        self.ms.iter().map(|ms| u64::from(*ms)).sum()
    }

    /// The times by state when this much of the hour has passed. More than that is recorded when
    /// the clock was ahead before: then each state counts in proportion.
    fn passed(&self, passed_ms: u64) -> [u64; Availability::ALL.len()] {
        let recorded_ms = self.recorded_ms();
        self.ms.map(u64::from).map(|ms| match recorded_ms > passed_ms {
            true => ms * passed_ms / recorded_ms,
            false => ms,
        })
    }

    /// Adds a part of it, counted from its beginning. An hour that a clock passes twice counts
    /// once.
    fn add(&mut self, from_ms: u64, to_ms: u64, state: Availability) {
        let free_ms = HOUR_MS.saturating_sub(self.recorded_ms());
        let ms = u32::try_from((to_ms - from_ms).min(free_ms)).unwrap_or(0);
        self.ms[state as usize] += ms;
        let minutes = (from_ms / MINUTE_MS) as usize..to_ms.div_ceil(MINUTE_MS) as usize;
        for minute in self.worst.get_mut(minutes).unwrap_or_default() {
            *minute = (*minute).max(Some(state));
        }
    }
}

impl Hours {
    /// Adds a time in one state; of a very long one, the end.
    pub fn add(&mut self, span: Span) {
        let mut from_ms = span.from_ms.max(span.to_ms.saturating_sub(KEPT_DAYS * DAY_MS));
        while from_ms < span.to_ms {
            let hour = hour_of(from_ms);
            let start_ms = start_of_hour(hour);
            let to_ms = span.to_ms.min(start_ms + HOUR_MS);
            let content = self.0.entry(hour).or_insert(Hour::EMPTY);
            content.add(from_ms - start_ms, to_ms - start_ms, span.state);
            from_ms = to_ms;
        }
    }

    /// The times of a window by state, from the beginning of an hour on.
    #[must_use]
    pub fn tally(&self, first_hour: u64, to_ms: u64) -> Tally {
        let mut sums = [0; Availability::ALL.len()];
        for (hour, content) in self.0.range(first_hour..=hour_of(to_ms).max(first_hour)) {
            let passed_ms = to_ms.saturating_sub(start_of_hour(*hour)).min(HOUR_MS);
            for (sum, ms) in sums.iter_mut().zip(content.passed(passed_ms)) {
                *sum += ms;
            }
        }
        let recorded: u64 = sums.iter().sum();
        let states = Availability::ALL.into_iter().zip(sums);
        let length = to_ms.saturating_sub(start_of_hour(first_hour));
        Tally {
            states_ms: states.filter(|(_, ms)| *ms > 0).collect(),
            not_recorded_ms: length.saturating_sub(recorded),
        }
    }

    /// The worst state of each of so many parts of a window, whose edges are full minutes; `None`
    /// where nothing was recorded.
    #[must_use]
    pub fn worst(&self, from_ms: u64, to_ms: u64, parts: u64) -> Vec<Option<Availability>> {
        let (first, last) = (from_ms / MINUTE_MS, to_ms.div_ceil(MINUTE_MS));
        let edge = |part: u64| first + last.saturating_sub(first) * part / parts.max(1);
        (0..parts).map(|part| self.worst_of(edge(part), edge(part + 1))).collect()
    }

    /// Of these minutes from 1970 on.
    fn worst_of(&self, from: u64, to: u64) -> Option<Availability> {
        let of_hour = MINUTES as u64;
        let hours = self.0.range(from / of_hour..to.div_ceil(of_hour).max(from / of_hour));
        let minutes = hours.flat_map(|(hour, content)| {
            let place = |minute: u64| minute.saturating_sub(hour * of_hour).min(of_hour) as usize;
            content.worst.get(place(from)..place(to)).unwrap_or_default()
        });
        minutes.copied().max().flatten()
    }

    /// The days of which something is known.
    pub fn days(&self) -> impl Iterator<Item = u64> + '_ {
        let mut last = None;
        let days = self.0.keys().map(|hour| hour / HOURS_OF_DAY);
        days.filter(move |day| last.replace(*day) != Some(*day))
    }

    /// What is stored of a day.
    ///
    /// # Errors
    /// Never for what this type holds.
    pub fn day(&self, day: u64) -> serde_json::Result<Vec<u8>> {
        let first = day * HOURS_OF_DAY;
        let mut runs: Vec<Run> = Vec::new();
        for (hour, content) in self.0.range(first..first + HOURS_OF_DAY) {
            let next = Run::of((hour - first) as u8, content);
            match runs.last_mut() {
                Some(run) if run.is_continued_by(&next) => run.hours += 1,
                _ => runs.push(next),
            }
        }
        serde_json::to_vec(&runs)
    }

    /// Adds what was stored of a day. `None` when it is damaged.
    pub fn read_day(&mut self, day: u64, bytes: &[u8]) -> Option<()> {
        let runs: Vec<Run> = serde_json::from_slice(bytes).ok()?;
        for run in runs {
            let hour = run.hour()?;
            let until = u64::from(run.first) + u64::from(run.hours);
            if until > HOURS_OF_DAY {
                return None;
            }
            let hours = u64::from(run.first)..until;
            self.0.extend(hours.map(|of_day| (day * HOURS_OF_DAY + of_day, hour)));
        }
        Some(())
    }
}

/// Hours of a day that follow each other and are alike: mostly the service was up in all of them.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    first: u8,
    hours: u8,
    ms: BTreeMap<Availability, u32>,
    worst: Vec<Stretch>,
}

/// Minutes with the same worst state.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stretch {
    minutes: u8,
    state: Option<Availability>,
}

impl Run {
    fn of(first: u8, hour: &Hour) -> Self {
        let states = Availability::ALL.into_iter().zip(hour.ms);
        let mut worst: Vec<Stretch> = Vec::new();
        for state in hour.worst {
            match worst.last_mut() {
                Some(stretch) if stretch.state == state => stretch.minutes += 1,
                _ => worst.push(Stretch { minutes: 1, state }),
            }
        }
        Self { first, hours: 1, ms: states.filter(|(_, ms)| *ms > 0).collect(), worst }
    }

    fn is_continued_by(&self, next: &Self) -> bool {
        self.first + self.hours == next.first && self.ms == next.ms && self.worst == next.worst
    }

    fn hour(&self) -> Option<Hour> {
        let mut hour = Hour::EMPTY;
        for (state, ms) in &self.ms {
            hour.ms[*state as usize] = *ms;
        }
        let mut minutes = hour.worst.iter_mut();
        for stretch in &self.worst {
            for _ in 0..stretch.minutes {
                *minutes.next()? = stretch.state;
            }
        }
        (hour.recorded_ms() <= HOUR_MS).then_some(hour)
    }
}
