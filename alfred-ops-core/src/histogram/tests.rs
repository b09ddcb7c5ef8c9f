use super::*;

fn exponential(schema: i32, positive: &[(i32, f64)]) -> Histogram {
    let count = positive.iter().map(|(_, count)| count).sum();
    Histogram { positive: positive.to_vec(), count, sum: count, ..Histogram::exponential(schema) }
}

#[test]
fn bounds_follow_the_schema() {
    for (schema, index, expected) in [
        (0, 0, 1.0),
        (0, 1, 2.0),
        (0, -2, 0.25),
        (-1, 1, 4.0),
        (-4, 1, 65536.0),
        (1, 1, std::f64::consts::SQRT_2),
        (1, 2, 2.0),
        (8, 256, 2.0),
        (8, 512, 4.0),
        (0, 1024, f64::MAX),
        (0, 1025, f64::INFINITY),
        (2, 4096, f64::MAX),
        (2, 4097, f64::INFINITY),
    ] {
        let bound = Histogram::exponential(schema).upper_bound(index);
        assert!(bound == expected || (bound - expected).abs() < 1e-12, "{schema} {index}: {bound}");
    }
    let custom = Histogram::custom([1.0, 5.0]);
    assert_eq!([-1, 0, 1, 2].map(|i| custom.upper_bound(i)), [f64::NEG_INFINITY, 1.0, 5.0, f64::INFINITY]);
}

#[test]
fn sums_have_the_coarser_schema_and_the_wider_zero_bucket() {
    let mut left = exponential(1, &[(1, 1.0), (2, 2.0), (3, 4.0)]);
    let right = exponential(0, &[(1, 10.0)]);
    assert_eq!(left.add(&right), Some(Combined::default()));
    assert_eq!((left.schema, left.count), (0, 17.0));
    assert_eq!(left.positive, [(1, 13.0), (2, 4.0)]);

    let mut narrow =
        Histogram { zero_threshold: 0.5, zero_count: 1.0, ..exponential(0, &[(0, 3.0), (1, 5.0)]) };
    let wide = Histogram { zero_threshold: 0.75, zero_count: 2.0, ..exponential(0, &[(1, 1.0)]) };
    narrow.add(&wide).unwrap();
    // 0.75 lies within the bucket (0.5,1], which is swallowed whole.
    assert_eq!((narrow.zero_threshold, narrow.zero_count), (1.0, 6.0));
    assert_eq!(narrow.positive, [(1, 6.0)]);
    assert!(narrow.add(&Histogram::custom([1.0])).is_none());
}

#[test]
fn custom_bounds_that_differ_leave_those_in_common() {
    let filled = |bounds: &[f64], counts: &[f64]| Histogram {
        positive: (0..).zip(counts.iter().copied()).collect(),
        count: counts.iter().sum(),
        ..Histogram::custom(bounds)
    };
    let mut left = filled(&[1.0, 2.0, 5.0], &[1.0, 2.0, 3.0, 4.0]);
    let right = filled(&[2.0, 3.0, 5.0], &[10.0, 20.0, 30.0, 40.0]);
    assert!(left.add(&right).unwrap().bounds_matched);
    assert_eq!(*left.custom_bounds, [2.0, 5.0]);
    assert_eq!(left.positive, [(0, 13.0), (1, 53.0), (2, 44.0)]);
}

#[test]
fn resets_are_seen_in_any_bucket() {
    let before = exponential(1, &[(1, 2.0), (4, 2.0)]);
    assert!(!exponential(1, &[(1, 2.0), (2, 1.0), (4, 2.0)]).is_reset_after(&before));
    assert!(exponential(1, &[(1, 1.0), (4, 9.0)]).is_reset_after(&before));
    assert!(exponential(1, &[(1, 9.0)]).is_reset_after(&before));
    assert!(exponential(2, &[(1, 9.0)]).is_reset_after(&before));
    assert!(!exponential(0, &[(1, 2.0), (2, 3.0)]).is_reset_after(&before));
    let hinted = Histogram { reset_hint: ResetHint::NotReset, ..exponential(1, &[]) };
    assert!(!hinted.is_reset_after(&before));
}

#[test]
fn buckets_are_listed_in_order_and_printed() {
    let histogram = Histogram {
        zero_threshold: 0.001,
        zero_count: 2.0,
        negative: vec![(0, 1.0), (1, 2.0)],
        ..exponential(0, &[(1, 1.0), (2, 3.0)])
    };
    assert_eq!(
        histogram.to_string(),
        "{count:4, sum:4, [-2,-1):2, [-1,-0.5):1, [-0.001,0.001]:2, (1,2]:1, (2,4]:3}"
    );
    assert_eq!(histogram.buckets().len(), 5);
}
