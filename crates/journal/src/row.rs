//! An event as a row of the journal.
//!
//! ```text
//! CRC-32 of the rest │ time ms u64 │ severity u8 │ length u8, type │ length u16, group │ JSON
//! ```
//! What filters need stands before the document, so that a scan parses no JSON. The type is text: a
//! journal of a newer Supervisor, with types unknown here, stays readable. Numbers are
//! little-endian.

use roost_events::{Event, Seq, Severity};

/// A row, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    pub(crate) time_ms: u64,
    pub(crate) severity: Severity,
    pub(crate) kind: &'a str,
    pub(crate) service: Option<&'a str>,
    pub(crate) json: &'a str,
}

impl Row<'_> {
    /// True when it is the event with this number: the check sum does not cover the key of the row.
    pub(crate) fn is_of(&self, Seq(seq): Seq) -> bool {
        let number = self.json.strip_prefix("{\"seq\":").and_then(|rest| rest.split(',').next());
        number.and_then(|number| number.parse().ok()) == Some(seq)
    }
}

/// The bytes of an event.
pub(crate) fn encode(event: &Event) -> Vec<u8> {
    encode_row(&Row {
        time_ms: event.time_ms,
        severity: event.fact.severity,
        kind: event.fact.kind.as_str(),
        service: event.fact.service.as_deref(),
        json: &event.to_json(),
    })
}

pub(crate) fn encode_row(row: &Row<'_>) -> Vec<u8> {
    let Row { time_ms, severity, kind, service, json } = *row;
    let service = service.unwrap_or_default();
    let mut bytes = Vec::with_capacity(4 + 8 + 1 + 1 + kind.len() + 2 + service.len() + json.len());
    bytes.extend([0; 4]);
    bytes.extend(time_ms.to_le_bytes());
    bytes.push(severity as u8);
    // Both are bounded far below these lengths (`limits.rs` of the events).
    bytes.push(u8::try_from(kind.len()).unwrap_or(0));
    bytes.extend(kind.as_bytes());
    bytes.extend(u16::try_from(service.len()).unwrap_or(0).to_le_bytes());
    bytes.extend(service.as_bytes());
    bytes.extend(json.as_bytes());
    let sum = crc32fast::hash(&bytes[4..]);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Takes a row apart. `None` when it is damaged.
pub(crate) fn decode(bytes: &[u8]) -> Option<Row<'_>> {
    let (sum, rest) = bytes.split_first_chunk()?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (time, rest) = rest.split_first_chunk()?;
    let (severity, rest) = rest.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (kind, rest) = rest.split_at_checked(usize::from(*length))?;
    let (length, rest) = rest.split_first_chunk()?;
    let (service, json) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let text = |bytes| std::str::from_utf8(bytes).ok();
    Some(Row {
        time_ms: u64::from_le_bytes(*time),
        severity: *Severity::ALL.get(usize::from(*severity))?,
        kind: text(kind)?,
        service: Some(text(service)?).filter(|service| !service.is_empty()),
        json: text(json)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roost_events::{Fact, Kind, Seq};

    use super::*;

    fn event() -> Event {
        let fact = Fact::new(Kind::HookFailed, "the hook failed").of("web.default");
        Event { seq: Seq(7), time_ms: 1234, cause: None, fact }
    }

    #[test]
    fn a_row_holds_the_document_and_what_filters_need() {
        let bytes = encode(&event());
        let json = event().to_json();
        let row = Row {
            time_ms: 1234,
            severity: Severity::Warning,
            kind: "hook.failed",
            service: Some("web.default"),
            json: &json,
        };
        assert_eq!(decode(&bytes), Some(row));
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(at in 0..1000_usize, flip in 1..=255_u8) {
            let mut bytes = encode(&event());
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert_eq!(decode(&bytes), None);
        }

        #[test]
        fn any_bytes_are_a_row_or_not(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
