use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, TimeZone as _, Timelike as _, Utc, Weekday};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::{Schedule, Window};

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
    assert!(Window::new([], three, Duration::ZERO, Tz::UTC).is_err());
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
    fn jitter_is_stable_and_bounded(name: String, max in 1u64..3_600_000_000_000, time in 0i64..4_000_000_000) {
        let time = DateTime::UNIX_EPOCH + TimeDelta::seconds(time);
        let schedule = Schedule::every(HOUR).unwrap().with_jitter(&name, Duration::from_nanos(max));
        let slot = schedule.next_after(time).unwrap();
        let bare = slot.timestamp() / 3600 * 3600;
        prop_assert!(slot > time && slot - DateTime::from_timestamp(bare, 0).unwrap() < TimeDelta::nanoseconds(max.cast_signed()));
        prop_assert_eq!(schedule.next_after(slot).unwrap() - slot, TimeDelta::hours(1));
    }
}
