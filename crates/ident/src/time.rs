//! Points in time as text: RFC 3339 for logs and documents, 14-digit UTC stamps for releases and
//! key revisions.
//!
//! The only calendar of the project. Times are passed as numbers; nothing here reads a clock.

use jiff::{
    SignedDuration, Timestamp,
    civil::{DateTime, datetime},
};

/// Digits of a stamp `YYYYMMDDhhmmss`.
pub const STAMP_DIGITS: usize = 14;

/// First and last second of the stamp format: 0000-01-01 00:00:00 and 9999-12-31 23:59:59.
pub const STAMP_RANGE_S: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

const EPOCH: DateTime = datetime(1970, 1, 1, 0, 0, 0, 0);

/// Last millisecond of the RFC 3339 format.
const RFC3339_LAST_MS: u64 = 253_402_300_799_999;

/// `2026-11-22T15:51:38.250Z`: milliseconds since 1970 as RFC 3339 in UTC, always with three
/// fractional digits. Times after the year 9999 give its last millisecond.
#[must_use]
pub fn rfc3339_ms(unix_ms: u64) -> String {
    let time = utc_of_ms(unix_ms);
    format!("{}.{:03}Z", time.strftime("%Y-%m-%dT%H:%M:%S"), time.millisecond())
}

/// `2026-11-22T15:51:38Z`: milliseconds since 1970 as RFC 3339 in UTC, in whole seconds.
#[must_use]
pub fn rfc3339_s(unix_ms: u64) -> String {
    utc_of_ms(unix_ms).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Reads RFC 3339 with any offset and up to nine fractional digits, as milliseconds since 1970;
/// `None` for other text, for times before 1970 and in the last two days of 9999.
#[must_use]
pub fn parse_rfc3339_ms(text: &str) -> Option<u64> {
    let time: Timestamp = text.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

/// Reads a point in time as users give it, as milliseconds since 1970: RFC 3339, or a number with
/// `s`, `m`, `h` or `d` before `now_ms`, with or without a minus sign (`-10m`, `2h`). `None` for
/// other text. Longer ago than 1970 is 1970.
#[must_use]
pub fn parse_moment_ms(text: &str, now_ms: u64) -> Option<u64> {
    let ago = text.strip_prefix('-').unwrap_or(text);
    let unit_ms = match ago.bytes().last()? {
        b's' => 1_000,
        b'm' => 60_000,
        b'h' => 3_600_000,
        b'd' => 86_400_000,
        _ => return parse_rfc3339_ms(text),
    };
    let count = &ago[..ago.len() - 1];
    let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    let ago_ms = is_number.then(|| count.parse::<u64>().unwrap_or(u64::MAX))?;
    Some(now_ms.saturating_sub(ago_ms.saturating_mul(unit_ms)))
}

/// The stamp of a time in seconds since 1970. Times outside the years 0 to 9999 give the nearest
/// second inside.
#[must_use]
pub fn stamp(unix_s: i64) -> String {
    let unix_s = unix_s.clamp(*STAMP_RANGE_S.start(), *STAMP_RANGE_S.end());
    utc(SignedDuration::from_secs(unix_s)).strftime("%Y%m%d%H%M%S").to_string()
}

/// The time of a stamp in seconds since 1970; `None` for text that is not a stamp, or whose date
/// does not exist.
#[must_use]
pub fn parse_stamp(text: &str) -> Option<i64> {
    if text.len() != STAMP_DIGITS || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| text[from..to].parse::<i8>().ok();
    let year = text[..4].parse::<i16>().ok()?;
    let time = DateTime::new(
        year,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?,
        0,
    );
    Some(time.ok()?.duration_since(EPOCH).as_secs())
}

fn utc_of_ms(unix_ms: u64) -> DateTime {
    let unix_ms = i64::try_from(unix_ms.min(RFC3339_LAST_MS)).unwrap_or_default();
    utc(SignedDuration::from_millis(unix_ms))
}

/// Date and time in UTC. `Timestamp` is unsuitable: it ends a day before the end of the year 9999,
/// so that every offset fits.
fn utc(since_1970: SignedDuration) -> DateTime {
    EPOCH.saturating_add(since_1970)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_times_have_known_stamps() {
        // Checked with `date -u -d @N +%Y%m%d%H%M%S`.
        for (unix_s, expected) in [
            (0, "19700101000000"),
            (-1, "19691231235959"),
            (951_782_400, "20000229000000"),
            (1_735_689_599, "20241231235959"),
            (4_107_542_400, "21000301000000"),
            (i64::MAX, "99991231235959"),
            (i64::MIN, "00000101000000"),
        ] {
            assert_eq!(stamp(unix_s), expected);
        }
    }

    #[test]
    fn text_that_is_not_a_stamp_has_no_time() {
        for text in [
            "",
            "2024",
            "2024010100000x",
            "20240230000000",
            "20241301000000",
            "20240101240000",
            "202401010000001",
            "２0240101000000",
        ] {
            assert_eq!(parse_stamp(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_written_as_rfc3339_in_utc() {
        assert_eq!(rfc3339_s(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339_s(951_782_399_000), "2000-02-28T23:59:59Z");
        assert_eq!(rfc3339_ms(951_782_400_007), "2000-02-29T00:00:00.007Z");
        assert_eq!(rfc3339_s(1_795_362_698_999), "2026-11-22T15:51:38Z");
        assert_eq!(rfc3339_ms(1_795_362_698_999), "2026-11-22T15:51:38.999Z");
        assert_eq!(rfc3339_ms(u64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn rfc3339_with_an_offset_is_read() {
        assert_eq!(parse_rfc3339_ms("2000-02-29T01:00:00.007+01:00"), Some(951_782_400_007));
        assert_eq!(parse_rfc3339_ms("1969-12-31T23:59:59Z"), None);
        assert_eq!(parse_rfc3339_ms("yesterday"), None);
    }

    #[test]
    fn moments_are_points_in_time_or_so_long_ago() {
        let now_ms = 200_000_000;
        for (text, expected) in [
            ("-10m", Some(199_400_000)),
            ("10m", Some(199_400_000)),
            ("-90s", Some(199_910_000)),
            ("2h", Some(192_800_000)),
            ("1d", Some(113_600_000)),
            ("99999999999999999999d", Some(0)),
            ("1970-01-01T00:00:01Z", Some(1_000)),
            ("", None),
            ("m", None),
            ("-", None),
            ("+5m", None),
            ("5", None),
            ("5 m", None),
            ("--5m", None),
            ("5é", None),
        ] {
            assert_eq!(parse_moment_ms(text, now_ms), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn stamps_read_what_they_write_and_sort_as_time(a in STAMP_RANGE_S, b in STAMP_RANGE_S) {
            prop_assert_eq!(parse_stamp(&stamp(a)), Some(a));
            prop_assert_eq!(a.cmp(&b), stamp(a).cmp(&stamp(b)));
        }

        #[test]
        fn rfc3339_reads_what_it_writes(ms in 0..253_402_200_000_000u64) {
            prop_assert_eq!(parse_rfc3339_ms(&rfc3339_ms(ms)), Some(ms));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}|[0-9]{14}") {
            let _ = parse_stamp(&text);
            let _ = parse_rfc3339_ms(&text);
        }
    }
}
