//! The network between members.

use std::collections::BTreeSet;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Properties of the network. Probabilities are per datagram.
#[derive(Debug, Clone)]
pub struct Net {
    /// Shortest latency, in microseconds.
    pub latency_us_min: u64,
    /// Longest ordinary latency, in microseconds.
    pub latency_us_max: u64,
    /// A datagram is lost.
    pub loss: f64,
    /// A datagram arrives twice.
    pub duplication: f64,
    /// A datagram is overtaken by later ones.
    pub reordering: f64,
    /// Members with different numbers do not reach each other.
    sides: Vec<u8>,
    /// Pairs where the first does not reach the second.
    cuts: BTreeSet<(usize, usize)>,
}

/// Delay of an overtaken datagram, in microseconds.
const LATE_US: u64 = 50_000;

impl Net {
    /// A network of a data centre without faults.
    #[must_use]
    pub fn calm(members: usize) -> Self {
        Self {
            latency_us_min: 200,
            latency_us_max: 1_700,
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
            sides: vec![0; members],
            cuts: BTreeSet::new(),
        }
    }

    /// Makes room for members up to this number.
    pub fn grow(&mut self, members: usize) {
        self.sides.resize(self.sides.len().max(members), 0);
    }

    /// Puts a member on one side of a partition; all start on side 0.
    pub fn put_on_side(&mut self, member: usize, side: u8) {
        self.sides[member] = side;
    }

    /// Ends all partitions and cuts.
    pub fn heal(&mut self) {
        self.sides.fill(0);
        self.cuts.clear();
    }

    /// Cuts one direction.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.cuts.insert((from, to));
    }

    /// True when messages of one member can reach the other.
    #[must_use]
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        self.sides[from] == self.sides[to] && !self.cuts.contains(&(from, to))
    }

    /// True when both reach each other.
    #[must_use]
    pub fn connects(&self, a: usize, b: usize) -> bool {
        self.reaches(a, b) && self.reaches(b, a)
    }

    /// Latency of a message, in microseconds.
    pub fn latency_us(&self, random: &mut ChaCha8Rng) -> u64 {
        random.random_range(self.latency_us_min..=self.latency_us_max)
    }

    /// Arrival times of a datagram's copies, in microseconds from now; empty when it is lost.
    pub fn arrivals(&self, from: usize, to: usize, random: &mut ChaCha8Rng) -> [Option<u64>; 2] {
        if !self.reaches(from, to) || random.random_bool(self.loss) {
            return [None, None];
        }
        let mut first = self.latency_us(random);
        if random.random_bool(self.reordering) {
            first += random.random_range(0..LATE_US);
        }
        let second = random.random_bool(self.duplication).then(|| self.latency_us(random));
        [Some(first), second]
    }
}
