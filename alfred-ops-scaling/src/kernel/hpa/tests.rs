use std::time::Duration;

use chrono::{DateTime, TimeDelta};

use super::{HpaBehavior, HpaHistory, HpaPolicy, HpaRules, HpaSelect};

fn rules(window: u64, select: HpaSelect, policies: &[HpaPolicy]) -> HpaRules {
    HpaRules { window: Duration::from_secs(window), select, policies: policies.to_vec() }
}

/// Plays recommendations, one every 15 s, each obeyed.
fn play(behavior: &HpaBehavior, mut current: u32, recommended: &[u32]) -> Vec<u32> {
    let (mut history, mut now) = (HpaHistory::default(), DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    let mut results = Vec::new();
    for recommended in recommended {
        current = behavior.apply(&mut history, current, *recommended, (1, 100), now).limited;
        results.push(current);
        now += TimeDelta::seconds(15);
    }
    results
}

#[test]
fn the_default_doubles_up_and_waits_on_the_way_down() {
    let behavior = HpaBehavior::default();
    assert_eq!(play(&behavior, 1, &[100, 100, 100, 100, 100]), [5, 10, 20, 40, 80]);
    let mut fall = vec![10];
    fall.extend([2; 22]);
    let played = play(&behavior, 10, &fall);
    assert_eq!(played.iter().position(|count| *count == 2), Some(20), "five minutes after the last 10");
}

#[test]
fn a_direction_can_be_shut_and_the_least_change_chosen() {
    let period = Duration::from_secs(60);
    let both = [HpaPolicy::pods(2, period), HpaPolicy::percent(50, period)];
    let behavior =
        HpaBehavior { up: rules(0, HpaSelect::Disabled, &both), down: rules(0, HpaSelect::Min, &both) };
    assert_eq!(play(&behavior, 10, &[50, 1, 1, 1, 1, 1]), [10, 8, 8, 8, 8, 6]);
}
