use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, TimeZone as _, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::{MissedRuns, PassedOver, Schedule, Window};

const HOUR: Duration = Duration::from_secs(3600);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn slots(schedule: &Schedule, from: &str, count: usize) -> Vec<String> {
    let mut time = at(from);
    (0..count)
        .map(|_| {
            time = schedule.next_after(time).unwrap();
            time.format("%m-%dT%H:%M").to_string()
        })
        .collect()
}

#[test]
fn a_fixed_time_inside_a_gap_runs_right_after_it() {
    for (zone, from, wanted) in [
        // 2:00 jumps to 3:00 at 1:00 UTC.
        (chrono_tz::Europe::Berlin, "2026-03-28T12:00:00Z", ["03-29T01:00", "03-30T00:30"]),
        // 2:00 jumps to 3:00 at 7:00 UTC.
        (chrono_tz::America::New_York, "2026-03-07T12:00:00Z", ["03-08T07:00", "03-09T06:30"]),
    ] {
        let nightly = Schedule::cron("30 2 * * *", zone).unwrap();
        assert_eq!(slots(&nightly, from, 2), wanted, "{zone}");
    }
    // Lord Howe jumps by half an hour, from 2:00 to 2:30, at 15:30 UTC.
    let nightly = Schedule::cron("15 2 * * *", chrono_tz::Australia::Lord_Howe).unwrap();
    assert_eq!(slots(&nightly, "2026-10-03T12:00:00Z", 2), ["10-03T15:30", "10-04T15:15"]);
}

#[test]
fn a_fixed_time_in_a_repeated_hour_runs_once_at_its_first_occurrence() {
    let nightly = Schedule::cron("30 2 * * *", chrono_tz::Europe::Berlin).unwrap();
    assert_eq!(slots(&nightly, "2026-10-24T12:00:00Z", 2), ["10-25T00:30", "10-26T01:30"]);
}

#[test]
fn an_hourly_pattern_keeps_its_rhythm_over_both_changes() {
    let hourly = Schedule::cron("0 * * * *", chrono_tz::Europe::Berlin).unwrap();
    assert_eq!(
        slots(&hourly, "2026-03-28T23:30:00Z", 4),
        ["03-29T00:00", "03-29T01:00", "03-29T02:00", "03-29T03:00"]
    );
    assert_eq!(
        slots(&hourly, "2026-10-24T23:30:00Z", 4),
        ["10-25T00:00", "10-25T01:00", "10-25T02:00", "10-25T03:00"]
    );
}

#[test]
fn a_year_of_nights_has_one_run_each() {
    for zone in [chrono_tz::Europe::Berlin, chrono_tz::America::New_York, chrono_tz::Australia::Lord_Howe] {
        for minute in [0, 15, 30, 59] {
            let nightly = Schedule::cron(&format!("{minute} 2 * * *"), zone).unwrap();
            let start = zone.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap().with_timezone(&Utc);
            let mut dates = Vec::new();
            let mut time = start;
            for _ in 0..365 {
                time = nightly.next_after(time).unwrap();
                let wall = time.with_timezone(&zone);
                assert!(wall.hour() == 2 || (wall.hour() == 3 && wall.minute() == 0), "{wall}");
                dates.push(wall.date_naive());
            }
            assert!(dates.windows(2).all(|pair| pair[1] == pair[0].succ_opt().unwrap()), "{zone} {minute}");
        }
    }
}

#[test]
fn windows_and_blackouts_bound_the_slots() {
    let three = NaiveTime::from_hms_opt(23, 0, 0).unwrap();
    let sunday_night = Window::new([Weekday::Sun], three, 3 * HOUR, Tz::UTC).unwrap();
    let hourly = Schedule::every(HOUR).unwrap().with_maintenance(sunday_night);
    // 2026-11-22 is a Sunday; the window reaches over midnight.
    assert_eq!(
        slots(&hourly, "2026-11-20T00:00:00Z", 4),
        ["11-22T23:00", "11-23T00:00", "11-23T01:00", "11-29T23:00"]
    );
    let midnight = Window::new([], NaiveTime::MIN, HOUR, Tz::UTC).unwrap();
    let outside = hourly.with_blackout(midnight);
    assert_eq!(slots(&outside, "2026-11-20T00:00:00Z", 3), ["11-22T23:00", "11-23T01:00", "11-29T23:00"]);
    let due = outside.due("x", at("2026-11-22T22:30:00Z"), at("2026-11-23T00:30:00Z"));
    assert_eq!(due.run, [at("2026-11-22T23:00:00Z")]);
    assert_eq!(due.passed_over[0].why, PassedOver::Window);
    assert!(Window::new([], three, Duration::ZERO, Tz::UTC).is_err());
}

#[test]
fn missed_slots_follow_their_policy() {
    let hourly = Schedule::every(HOUR).unwrap();
    let (handled, now) = (at("2026-11-20T00:00:00Z"), at("2026-11-20T05:10:00Z"));
    let run = |missed| {
        let due = hourly.clone().with_missed_runs(missed).due("x", handled, now);
        assert_eq!(due.handled, Some(at("2026-11-20T05:00:00Z")));
        assert_eq!(due.run.len() + due.passed_over.len(), 5, "every slot is accounted for");
        due.run.iter().map(Timelike::hour).collect::<Vec<u32>>()
    };
    assert_eq!(run(MissedRuns::Skip { grace: Duration::from_secs(60) }), Vec::<u32>::new());
    assert_eq!(run(MissedRuns::Skip { grace: HOUR }), [5]);
    assert_eq!(run(MissedRuns::FireOnce), [5]);
    assert_eq!(run(MissedRuns::CatchUp { max: 3, window: 24 * HOUR }), [3, 4, 5]);
    assert_eq!(run(MissedRuns::CatchUp { max: 9, window: 2 * HOUR + HOUR / 2 }), [3, 4, 5]);
}

#[test]
fn mistakes_are_named() {
    let error = Schedule::cron("61 * * * *", Tz::UTC).unwrap_err().to_string();
    assert!(error.contains("\"61 * * * *\""), "{error}");
    assert!(Schedule::every(Duration::ZERO).unwrap_err().to_string().contains("0ns"));
}

proptest! {
    #[test]
    fn the_next_slot_is_later_and_in_step(seconds in 1u64..1_000_000, anchor in 0i64..2_000_000_000, time in 0i64..4_000_000_000) {
        let anchor = DateTime::UNIX_EPOCH + TimeDelta::seconds(anchor);
        let time = DateTime::UNIX_EPOCH + TimeDelta::seconds(time);
        let period = Duration::from_secs(seconds);
        let next = Schedule::every_from(period, anchor).unwrap().next_after(time).unwrap();
        prop_assert!(next > time && next - time <= TimeDelta::from_std(period).unwrap());
        prop_assert_eq!((next - anchor).num_seconds().rem_euclid(i64::try_from(seconds).unwrap()), 0);
    }

    #[test]
    fn jitter_is_stable_and_bounded(name: String, max in 1u64..1_000_000_000) {
        let schedule = Schedule::every(HOUR).unwrap().with_jitter(Duration::from_nanos(max));
        prop_assert!(schedule.jitter_of(&name) < Duration::from_nanos(max));
        prop_assert_eq!(schedule.jitter_of(&name), schedule.clone().jitter_of(&name));
    }

    #[test]
    fn a_slot_is_decided_once_however_often_one_looks(looks in prop::collection::vec(1i64..20_000, 1..30)) {
        let schedule = Schedule::every(HOUR).unwrap().with_missed_runs(MissedRuns::CatchUp { max: 100, window: 1000 * HOUR });
        let mut handled = DateTime::UNIX_EPOCH;
        let (mut now, mut seen) = (handled, Vec::new());
        for pause in looks {
            now += TimeDelta::seconds(pause);
            let due = schedule.due("job", handled, now);
            seen.extend(due.run);
            handled = due.handled.unwrap_or(handled);
        }
        let hours = (now - DateTime::UNIX_EPOCH).num_hours();
        let wanted: Vec<_> = (1..=hours).map(|hour| DateTime::UNIX_EPOCH + TimeDelta::hours(hour)).collect();
        prop_assert_eq!(seen, wanted);
    }
}
