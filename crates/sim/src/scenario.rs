//! Scenarios: setup, faults and expectations. Each is a small file.

use rand::{Rng, seq::IteratorRandom};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use crate::liar::Lie;

/// Name and text of every built-in scenario, in the order of listings.
pub const SCENARIOS: [(&str, &str); 20] = [
    ("calm", include_str!("../scenarios/calm.toml")),
    ("rumor", include_str!("../scenarios/rumor.toml")),
    ("death", include_str!("../scenarios/death.toml")),
    ("join", include_str!("../scenarios/join.toml")),
    ("cold", include_str!("../scenarios/cold.toml")),
    ("pauses", include_str!("../scenarios/pauses.toml")),
    ("partition", include_str!("../scenarios/partition.toml")),
    ("one-way", include_str!("../scenarios/one-way.toml")),
    ("restarts", include_str!("../scenarios/restarts.toml")),
    ("elections", include_str!("../scenarios/elections.toml")),
    ("cut-leader", include_str!("../scenarios/cut-leader.toml")),
    ("keys", include_str!("../scenarios/keys.toml")),
    ("slander", include_str!("../scenarios/slander.toml")),
    ("liars", include_str!("../scenarios/liars.toml")),
    ("usurpers", include_str!("../scenarios/usurpers.toml")),
    ("highest", include_str!("../scenarios/highest.toml")),
    ("exile", include_str!("../scenarios/exile.toml")),
    ("flood", include_str!("../scenarios/flood.toml")),
    ("chaos", include_str!("../scenarios/chaos.toml")),
    ("chaos-key", include_str!("../scenarios/chaos-key.toml")),
];

/// A scenario, as in its file; `docs/internals/ring.md` shows one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// Its purpose, in one line.
    pub about: String,
    /// Default number of members.
    #[serde(default = "twenty")]
    pub members: usize,
    /// Default seed.
    #[serde(default = "one")]
    pub seed: u64,
    /// Length of the main part, in seconds.
    #[serde(default)]
    pub seconds: f64,
    /// Initial state of the ring.
    #[serde(default)]
    pub start: Start,
    /// Groups of five members each that elect leaders before the main part.
    #[serde(default)]
    pub groups: usize,
    /// The network until the main part ends.
    #[serde(default)]
    pub net: Conditions,
    /// Number of permanent peers: those with the lowest numbers.
    #[serde(default = "three")]
    pub permanent: usize,
    /// Limit of the member list, if not the usual one.
    #[serde(default = "members_max")]
    pub members_max: usize,
    /// Everything is encrypted with one ring key.
    #[serde(default)]
    pub ring_key: bool,
    /// Members that have another key instead.
    #[serde(default)]
    pub wrong_key: Option<Who>,
    /// Members that lie, by number; otherwise they behave correctly. Without any, lies come from a
    /// stranger.
    #[serde(default)]
    pub liars: Vec<usize>,
    /// Planned faults.
    #[serde(default)]
    pub fault: Vec<Planned>,
    /// The measurement.
    #[serde(default)]
    pub measure: Option<Measure>,
    /// Expectations besides the invariants.
    #[serde(default)]
    pub expect: Expect,
}

/// Initial state of a ring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// All members know each other.
    #[default]
    Converged,
    /// All start at once, without data files, with one address.
    Cold,
}

/// Properties of the network and of clocks.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Conditions {
    /// Share that is lost.
    pub loss: Span,
    /// Share that arrives twice.
    pub duplication: Span,
    /// Share that is overtaken by later ones.
    pub reordering: Span,
    /// Drift of clocks, in millionths.
    pub drift_ppm: Span,
}

/// A number, or a range from which the seed chooses.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub enum Span {
    /// This one.
    Just(f64),
    /// Anything from the first to the second.
    Between(f64, f64),
}

/// Selection of members.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// One, by the seed.
    #[default]
    One,
    /// This share of all, by the seed.
    Share(f64),
    /// Every second, third … one.
    Every(usize),
    /// These, by number.
    Members(Vec<usize>),
}

/// A fault with its time and members.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Planned {
    /// Seconds after the start of the main part.
    pub at: Span,
    /// Number of repetitions, each with its own members and time.
    #[serde(default = "one")]
    pub times: u64,
    /// Period of repetitions in seconds, until the main part ends.
    pub every: Option<f64>,
    /// The members; a lie takes one of the liars.
    #[serde(default)]
    pub who: Who,
    /// The fault.
    pub what: What,
}

/// Kinds of faults and actions.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The member crashes.
    Crash,
    /// It crashes with a data file up to 30 s old, and restarts after this many seconds.
    Restart(Span),
    /// It is paused for this many seconds; its messages wait.
    Pause(Span),
    /// It leaves intentionally.
    Leave,
    /// It moves to a side of a partition; all start on side 0.
    Side(u8),
    /// Its messages do not reach one other member, by the seed.
    Cut,
    /// All partitions and cuts end.
    Heal,
    /// It restarts with the right ring key.
    Rekey,
    /// It starts a service, or changes it.
    Publish,
    /// An unknown member starts with one address.
    Join,
    /// A liar sends one of these lies.
    Lie(Vec<Lie>),
}

/// Measurements besides traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// When members learn of published rumors.
    Rumor,
    /// When members learn of crashes.
    Death,
    /// The cost of a newcomer.
    Join,
}

/// Expectations besides the invariants.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Expect {
    /// After the main part all faults end; then all members must list each other as alive, and no
    /// others, and groups must have one leader.
    pub agreement: bool,
    /// No running and reachable member is declared dead before.
    pub no_false_deaths: bool,
    /// No paused member is declared dead.
    pub no_paused_deaths: bool,
    /// All agree on each group's leader too; lies can make that impossible.
    pub leaders: bool,
    /// Limit of the last term of an election.
    pub terms: Option<u64>,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            agreement: true,
            no_false_deaths: false,
            no_paused_deaths: false,
            leaders: true,
            terms: None,
        }
    }
}

const fn twenty() -> usize {
    20
}

const fn three() -> usize {
    3
}

const fn members_max() -> usize {
    roost_ring::limits::MEMBERS_MAX
}

const fn one() -> u64 {
    1
}

impl Scenario {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// When it is not a scenario, with a message for its author.
    pub fn parse(text: &str) -> Result<Self, String> {
        let scenario: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for fault in &scenario.fault {
            match fault.what {
                What::Lie(ref lies) if lies.is_empty() => return Err("a lie without a kind".into()),
                _ if fault.every.is_some_and(|every| every <= 0.0) => {
                    return Err("'every' must be more than 0 seconds".into());
                }
                _ => {}
            }
        }
        Ok(scenario)
    }

    /// The scenario of this name, or in this file.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(name: &str) -> Result<Self, String> {
        if let Some((_, text)) = SCENARIOS.iter().find(|(known, _)| *known == name) {
            return Self::parse(text);
        }
        if !name.ends_with(".toml") {
            return Err(format!("unknown scenario '{name}'; --help lists all"));
        }
        let text = std::fs::read_to_string(name).map_err(|error| format!("{name}: {error}"))?;
        Self::parse(&text).map_err(|error| format!("{name}: {error}"))
    }
}

impl Default for Span {
    fn default() -> Self {
        Self::Just(0.0)
    }
}

impl Span {
    /// The number, or one of the range.
    pub fn draw(self, random: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Between(from, to) if from < to => random.random_range(from..to),
            Self::Just(number) | Self::Between(number, _) => number,
        }
    }
}

impl Who {
    /// The selected members in a ring of that size.
    pub fn choose(&self, members: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
        match self {
            Self::One => vec![random.random_range(0..members)],
            Self::Share(share) => {
                let count = (members as f64 * share).ceil() as usize;
                (0..members).choose_multiple(random, count)
            }
            Self::Every(step) => (0..members).step_by((*step).max(1)).collect(),
            Self::Members(numbers) => numbers.iter().map(|number| number % members).collect(),
        }
    }
}
