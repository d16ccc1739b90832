//! Kinds of rumors: one type with [`RumorType`], and one row of the table below.

use std::borrow::Cow;

use crate::dropped::Dropped;

/// The kinds of rumors besides member rumors, in the order of documents and of the data file: the
/// order of its store, its type and the name of its payload on the wire, its number there, its
/// label in metrics, the name of its store. All code that lists the kinds is generated from it:
/// `for_each_kind!(make)` calls the macro `make` with all rows.
macro_rules! for_each_kind {
    ($make:ident) => {
        $make! {
            /// Services by group and member id.
            Service(Service) = 2, "service", services;
            /// Configurations by group and the constant `service_config`.
            ServiceConfig(ServiceConfig) = 4, "service-config", service_configs;
            /// Files by group and file name.
            ServiceFile(ServiceFile) = 5, "service-file", service_files;
            /// Leader elections by group and the constant `election`.
            Election(Election) = 3, "election", elections;
            /// Update elections by group and the constant `election`.
            ElectionUpdate(Election) = 8, "election-update", update_elections;
            /// Manual departures by the constant `departure` and member id.
            Departure(Departure) = 9, "departure", departures;
        }
    };
}
pub(crate) use for_each_kind;

macro_rules! make_kinds {
    ($($(#[$doc:meta])* $kind:ident($payload:ident) = $number:literal, $label:literal, $list:ident;)*) => {
        /// Kinds of rumors, in the order in which documents list them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)] // see [`super::Rumor`]
        pub enum RumorKind {
            Member,
            $($kind,)*
        }

        impl RumorKind {
            /// Every kind.
            pub const ALL: [Self; 1 + [$($label),*].len()] = [Self::Member, $(Self::$kind),*];

            /// The spelling in labels of metrics (reference: ring §15.3).
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::Member => "member",
                    $(Self::$kind => $label,)*
                }
            }
        }
    };
}
for_each_kind!(make_kinds);

/// A kind of rumors: its key in the store, its merge rule, its wire form.
pub(crate) trait RumorType: Clone {
    /// Its row in the table of kinds.
    const KIND: RumorKind;
    /// Its fields on the wire (reference: ring §3.2).
    type Wire;

    /// The first level key of its store: a group, or a constant.
    fn key(&self) -> &str;

    /// The second level key: a member id, a file name, or a constant.
    fn id(&self) -> Cow<'_, str>;

    /// The result when another version arrives.
    fn merged(&self, incoming: Self) -> Merge<Self>;

    /// Size of its content besides its key and id, in bytes.
    fn weight(&self) -> usize;

    /// The sender in its message (reference: ring §3.4).
    fn sender(&self) -> String;

    fn to_wire(&self) -> Self::Wire;

    /// Checks a rumor from another member.
    ///
    /// # Errors
    /// When a mandatory field is absent, a name invalid, or a limit exceeded.
    fn from_wire(from_id: String, wire: Self::Wire) -> Result<Self, Dropped>;
}

/// The outcome of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Merge<T> {
    /// This version is stored, and spread.
    News(T),
    /// The stored version has arrived again.
    Known,
    /// The stored version is newer.
    Older,
}

impl<T> Merge<T> {
    /// The merge rule of kinds with version numbers: the higher one wins, at equal ones the first
    /// stays.
    pub(crate) fn by_incarnation(stored: u64, incoming: u64, version: T) -> Self {
        match incoming.cmp(&stored) {
            std::cmp::Ordering::Greater => Self::News(version),
            std::cmp::Ordering::Equal => Self::Known,
            std::cmp::Ordering::Less => Self::Older,
        }
    }
}
