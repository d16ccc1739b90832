//! Measures when each member learns of news.

use std::collections::BTreeMap;

use roost_ring::Now;

/// Active and finished measurements. Times are in microseconds.
#[derive(Debug, Default)]
pub struct Watch {
    /// Rumors are watched.
    pub rumors: bool,
    /// Deaths are watched.
    pub deaths: bool,
    /// Owner and incarnation of the spreading service.
    pub(crate) service: Option<(usize, u64)>,
    /// The member whose death spreads.
    pub(crate) death: Option<usize>,
    pub(crate) since: Now,
    pub(crate) knew: BTreeMap<usize, u64>,
    pub(crate) suspected: BTreeMap<usize, u64>,
    pub(crate) confirmed: BTreeMap<usize, u64>,
    /// Times until each member knew a rumor.
    pub rumor_us: Vec<u64>,
    /// Times until each member knew of a suspicion.
    pub suspected_us: Vec<u64>,
    /// Times until each member knew of a death.
    pub confirmed_us: Vec<u64>,
    /// Running members that had not learnt of news before the next measurement.
    pub missed: usize,
}
