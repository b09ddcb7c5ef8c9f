//! Whatever is asked: an answer or an error, and no panic.

use proptest::prelude::*;

use super::notation::parse_series;
use super::{Query, QueryOptions, RecordedSeries};

/// Words of which queries are made, and some of which none is.
const WORDS: [&str; 72] = [
    "a",
    "b",
    "h",
    "x_bucket",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ",",
    ":",
    "@",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "==",
    "!=",
    "<",
    ">",
    "<=",
    ">=",
    "</",
    ">/",
    "=",
    "=~",
    "!~",
    "and",
    "or",
    "unless",
    "atan2",
    "bool",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "by",
    "without",
    "offset",
    "anchored",
    "smoothed",
    "fill",
    "5m",
    "1h30m",
    "0",
    "1",
    "1e308",
    "NaN",
    "Inf",
    "0.5",
    "\"le\"",
    "\"x\"",
    "\".*\"",
    "sum",
    "topk",
    "quantile",
    "count_values",
    "rate",
    "increase",
    "histogram_quantile",
    "label_replace",
    "absent",
    "scalar",
    "vector",
    "time",
    "deriv",
    "predict_linear",
    "start",
    "step",
];

/// Shapes that can be read more often than not, with places for others.
const SHAPES: [&str; 14] = [
    "rate(§[5m])",
    "sum by (l) (§)",
    "§ + §",
    "§ / on (l) §",
    "topk(2, §)",
    "quantile(0.5, §)",
    "§ > 1",
    "§ and §",
    "histogram_quantile(0.9, §)",
    "max_over_time((§)[10m:1m])",
    "(§) offset 5m",
    "-§",
    "label_replace(§, \"m\", \"$1\", \"l\", \"(.*)\")",
    "count_values(\"v\", §)",
];

fn series() -> RecordedSeries {
    let mut recorded = RecordedSeries::new();
    for line in [
        "a{l=\"1\"} 0+1x20",
        "a{l=\"2\"} 5 3 NaN Inf -Inf 1e308 -1e308 0 _ stale 1",
        "b{l=\"1\",m=\"2\"} 7x20",
        "x_bucket{le=\"1\"} 0+1x20",
        "x_bucket{le=\"+Inf\"} 0+2x20",
        "x_bucket{le=\"nonsense\"} 1x20",
        "h{l=\"1\"} {{schema:0 sum:5 count:4 buckets:[1 2 1]}}+{{schema:0 sum:5 count:4 buckets:[1 2 1]}}x20",
        "h{l=\"2\"} {{schema:-53 sum:5 count:4 custom_values:[1 5] buckets:[1 2 1]}}x20",
    ] {
        let (labels, entries) = parse_series(line).unwrap();
        recorded.push_entries(&labels, 0, 60_000, &entries);
    }
    recorded
}

fn ask(text: &str, recorded: &RecordedSeries) {
    let options = QueryOptions::default().with_samples_max(100_000).with_steps_max(500);
    let Ok(query) = text.parse::<Query>() else { return };
    for at in [-1, 0, 600_000, i64::MAX / 2] {
        let _ = query.instant(recorded, at, &options);
    }
    let _ = query.range(recorded, (0, 1_200_000, 60_000), &options);
}

fn filled(depth: u32) -> BoxedStrategy<String> {
    let leaf =
        prop::sample::select(vec!["a", "b", "h", "x_bucket", "1", "vector(2)", "a @ 300", "a offset -1m"]);
    let leaf = leaf.prop_map(str::to_owned).boxed();
    if depth == 0 {
        return leaf;
    }
    let inner = filled(depth - 1);
    let shape = prop::sample::select(SHAPES.to_vec());
    let made = (shape, inner.clone(), inner)
        .prop_map(|(shape, first, second)| shape.replacen('§', &first, 1).replace('§', &second));
    prop_oneof![1 => leaf, 4 => made].boxed()
}

#[test]
fn the_longest_chain_that_is_read_can_be_evaluated() {
    let chain = |operators: usize, word: &str| vec!["(a)"; operators + 1].join(word);
    for word in [" or ", " + ", " ^ "] {
        let query: Query = chain(128, word).parse().unwrap();
        query.range(&series(), (0, 1_200_000, 600_000), &QueryOptions::default()).unwrap();
        assert!(chain(129, word).parse::<Query>().unwrap_err().hint().is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn words_in_any_order_never_panic(words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..14)) {
        ask(&words.join(" "), &series());
    }

    #[test]
    fn queries_of_any_shape_never_panic(text in filled(4)) {
        ask(&text, &series());
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,60}") {
        ask(&text, &series());
    }
}
