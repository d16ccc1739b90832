//! Releases as UTC stamps `YYYYMMDDhhmmss`.
//!
//! The calendar is the algorithm of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"
//! (`civil_from_days`, `days_from_civil`): years begin in March, so that the leap day comes last,
//! and are counted in eras of 400 years, after which the calendar repeats.

const DAY_S: i64 = 86_400;
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
/// First and last second that fourteen digits can name: 0000-01-01 and 9999-12-31.
const RANGE_S: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// The stamp of a time in seconds since 1970. Times outside of the years 0 to 9999 give the
/// nearest year's end.
pub(super) fn format(time_s: i64) -> String {
    let time_s = time_s.clamp(*RANGE_S.start(), *RANGE_S.end());
    let (days, second) = (time_s.div_euclid(DAY_S), time_s.rem_euclid(DAY_S));
    let days = days + EPOCH_DAYS;
    let (era, day_of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{:02}", second % 60)
}

/// The time of a stamp in seconds since 1970; `None` for text that is none.
pub(super) fn parse(text: &str) -> Option<i64> {
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let march_year = year - i64::from(month <= 2);
    let (era, year_of_era) = (march_year.div_euclid(400), march_year.rem_euclid(400));
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * ERA_DAYS + day_of_era - EPOCH_DAYS;
    let time_s = days * DAY_S + hour * 3600 + minute * 60 + second;
    // A month 13 or an hour 25 comes out as another date than it went in.
    (format(time_s) == text).then_some(time_s)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_times_have_known_stamps() {
        // Checked with `date -u -d @N +%Y%m%d%H%M%S`.
        for (time_s, stamp) in [
            (0, "19700101000000"),
            (-1, "19691231235959"),
            (951_782_400, "20000229000000"),
            (1_735_689_599, "20241231235959"),
            (4_107_542_400, "21000301000000"),
            (i64::MAX, "99991231235959"),
            (i64::MIN, "00000101000000"),
        ] {
            assert_eq!(format(time_s), stamp);
        }
    }

    #[test]
    fn text_that_is_no_stamp_has_no_time() {
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
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn stamps_read_what_they_write_and_sort_as_time(a in RANGE_S, b in RANGE_S) {
            prop_assert_eq!(parse(&format(a)), Some(a));
            prop_assert_eq!(a.cmp(&b), format(a).cmp(&format(b)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}|[0-9]{14}") {
            let _ = parse(&text);
        }
    }
}
