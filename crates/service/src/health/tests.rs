//! The schedule of checks, round by round.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{
    HealthStatus::{Critical, Ok, Unknown, Warning},
    *,
};

fn at(mono_ms: u64) -> Now {
    Now { mono_ms, unix_ms: mono_ms }
}

/// Ends the hook, and with it the round.
fn ended(
    health: &mut Health,
    now: Now,
    status: HealthStatus,
    interval: Interval,
    rule: &Rule,
    rng: &mut ChaCha8Rng,
) -> u64 {
    health.hook_ended(status);
    health.finish_round(now, interval, rule, rng).expect("all checks have ended")
}

/// The pauses after consecutive checks with these results.
fn pauses(interval_s: u64, seed: u64, results: &[HealthStatus]) -> Vec<u64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut health = Health::default();
    health.begin(at(0));
    let interval = Interval::from_secs(interval_s);
    results
        .iter()
        .map(|status| {
            health.round_started(0, Some(60_000), 0);
            ended(&mut health, at(0), *status, interval, &Rule::default(), &mut rng)
        })
        .collect()
}

#[test]
fn until_the_first_good_result_checks_come_soon() {
    let results = [Critical, Warning, Unknown, Critical, Critical, Critical, Critical, Critical];
    let growing = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
    assert_eq!(pauses(300, 0, &results), growing);
    assert_eq!(pauses(1, 0, &results[..4]), [250, 500, 1_000, 1_000], "at most the interval");
    assert_eq!(pauses(0, 0, &results[..4]), [250, 500, 1_000, 1_000]);
    assert_eq!(pauses(300, 0, &[Critical, Ok, Critical])[2], 30_000, "not after it");
}

#[test]
fn a_process_that_had_passed_before_it_was_taken_back_is_not_starting() {
    for (has_passed, pause_ms) in [(true, 30_000), (false, 250)] {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut health = Health::default();
        health.restore(Critical, 5, has_passed);
        health.resume(10);
        health.round_started(10, Some(100), 0);
        assert_eq!(
            ended(
                &mut health,
                at(11),
                Critical,
                Interval::from_secs(60),
                &Rule::default(),
                &mut rng
            ),
            pause_ms
        );
        assert_eq!(health.since_unix_ms(), 5, "unchanged");
    }
}

#[test]
fn after_a_bad_result_the_next_check_comes_within_thirty_seconds() {
    assert_eq!(pauses(300, 0, &[Ok, Critical, Warning, Unknown])[1..], [30_000; 3]);
    assert_eq!(pauses(5, 0, &[Ok, Critical, Warning])[1..], [5_000; 2]);
}

#[test]
fn the_first_good_result_is_followed_by_a_random_pause_below_the_interval() {
    let firsts: Vec<u64> = (0..60).map(|seed| pauses(300, seed, &[Ok])[0]).collect();
    assert!(firsts.iter().all(|pause| *pause < 300_000 && pause % 1_000 == 0));
    assert!(firsts.iter().max() > firsts.iter().min());
    assert_eq!(pauses(300, 0, &[Ok, Ok, Critical, Ok])[1..], [300_000, 30_000, 300_000]);
}

#[test]
fn an_interval_of_zero_pauses_a_second() {
    assert_eq!(pauses(0, 0, &[Ok, Ok, Critical]), [1_000; 3]);
}

#[test]
fn a_check_that_times_out_is_unknown_with_a_reason() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut health = Health::default();
    health.begin(at(5));
    assert!(health.is_due(5));
    health.round_started(5, Some(100), 0);
    assert!(!health.is_overdue(104) && health.is_overdue(105));
    health.time_out(at(106), Unknown, "too long".into());
    assert_eq!(health.next_wake_ms(), None, "nothing to do until the hook has ended");
    let pause_ms =
        ended(&mut health, at(110), Ok, Interval::from_secs(7), &Rule::default(), &mut rng);
    assert_eq!((health.status(), health.reason()), (Unknown, Some("too long")));
    assert_eq!((pause_ms, health.next_wake_ms()), (250, Some(360)));
}

#[test]
fn a_restarted_loop_checks_at_once_or_right_after_the_running_check() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut health = Health::default();
    health.begin(at(0));
    health.round_started(0, Some(100), 0);
    health.restart(1);
    assert_eq!(
        ended(&mut health, at(2), Ok, Interval::from_secs(60), &Rule::default(), &mut rng),
        0
    );
    assert!(health.is_due(2));
    health.round_started(2, Some(100), 0);
    ended(&mut health, at(3), Ok, Interval::from_secs(60), &Rule::default(), &mut rng);
    health.restart(4);
    assert!(health.is_due(4));
}

#[test]
fn a_round_ends_with_its_last_check_and_has_the_worst_result() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (interval, rule) = (Interval::from_secs(60), Rule::default());
    let mut health = Health::default();
    health.begin(at(0));
    health.round_started(0, Some(100), 2);
    assert_eq!(health.next_wake_ms(), Some(100));
    health.probe_ended(Critical);
    health.hook_ended(Ok);
    assert_eq!(health.finish_round(at(5), interval, &rule, &mut rng), None);
    assert_eq!(health.next_wake_ms(), None);
    assert_eq!(health.status(), Unknown);
    health.probe_ended(Warning);
    assert_eq!(health.finish_round(at(6), interval, &rule, &mut rng), Some(250));
    assert_eq!((health.status(), health.drop_probes(6)), (Critical, false));
}

#[test]
fn a_hook_that_is_critical_when_it_times_out_shows_that_at_its_end() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut health = Health::default();
    health.begin(at(0));
    health.round_started(0, Some(100), 0);
    health.time_out(at(100), Critical, "too long".into());
    assert_eq!((health.status(), health.reason()), (Unknown, None));
    let interval = Interval::from_secs(60);
    ended(&mut health, at(101), Unknown, interval, &Rule::default(), &mut rng);
    assert_eq!(health.status(), Critical);
}
