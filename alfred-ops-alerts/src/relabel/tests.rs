use alfred_ops_core::Labels;
use proptest::prelude::*;

use super::anchored_regex::AnchoredRegex;
use super::{NameScheme, RelabelAction, RelabelRule, RelabelSpec, apply};

fn rule(spec: RelabelSpec) -> RelabelRule {
    RelabelRule::new(spec).unwrap()
}

fn replace(sources: &[&str], regex: &str, target: &str, replacement: &str) -> RelabelSpec {
    RelabelSpec::default()
        .with_source_labels(sources.iter().copied())
        .with_regex(regex)
        .with_target_label(target)
        .with_replacement(replacement)
}

fn act(action: RelabelAction, sources: &[&str]) -> RelabelSpec {
    RelabelSpec::new(action).with_source_labels(sources.iter().copied())
}

/// Checks what the rules make of the labels; `None` is dropped.
#[track_caller]
fn check<const N: usize>(
    labels: &[(&str, &str)],
    specs: [RelabelSpec; N],
    expected: Option<&[(&str, &str)]>,
) {
    let rules: Vec<RelabelRule> = specs.into_iter().map(rule).collect();
    let before = Labels::from_pairs(labels.iter().copied());
    let expected = expected.map(|pairs| Labels::from_pairs(pairs.iter().copied()));
    assert_eq!(apply(&rules, before), expected);
}

#[test]
fn replace_sets_removes_and_leaves() {
    let abc = [("a", "foo"), ("b", "bar"), ("c", "baz")];
    check(
        &abc,
        [replace(&["a"], "f(.*)", "d", "ch${1}-ch${1}")],
        Some(&[("a", "foo"), ("b", "bar"), ("c", "baz"), ("d", "choo-choo")]),
    );
    // No match, no change; anchored at both ends.
    check(&abc, [replace(&["a"], "o", "d", "x")], Some(&abc));
    check(&abc, [replace(&["a"], "fo", "d", "x")], Some(&abc));
    // Sources are joined by `;`, and missing ones are empty.
    check(
        &[("a", "1"), ("b", "2")],
        [replace(&["a", "missing", "b"], "(.*);(.*);(.*)", "j", "$3|$2|$1")],
        Some(&[("a", "1"), ("b", "2"), ("j", "2||1")]),
    );
    check(
        &[("a", "1"), ("b", "2")],
        [replace(&["a", "b"], "(.*)", "j", "$1").with_separator("-")],
        Some(&[("a", "1"), ("b", "2"), ("j", "1-2")]),
    );
    // An empty result removes the label; so does an empty source with all by default.
    check(&abc, [replace(&["a"], ".*", "b", "")], Some(&[("a", "foo"), ("c", "baz")]));
    check(&abc, [replace(&["none"], "(.*)", "b", "$1")], Some(&[("a", "foo"), ("c", "baz")]));
    // A constant without sources.
    check(&[], [replace(&[], "(.*)", "env", "production")], Some(&[("env", "production")]));
    // Rules see what those before them made.
    check(
        &[("a", "x")],
        [replace(&["a"], "(.*)", "b", "$1$1"), replace(&["b"], "(.*)", "c", "$1$1")],
        Some(&[("a", "x"), ("b", "xx"), ("c", "xxxx")]),
    );
    // A line break is a character like any other.
    check(&[("a", "x\ny")], [replace(&["a"], "x.y", "b", "1")], Some(&[("a", "x\ny"), ("b", "1")]));
}

#[test]
fn templates_expand_as_in_go() {
    let expands = |template: &str, expected: &str| {
        let labels = [("a", "foo-bar")];
        let spec = replace(&["a"], "(?P<left>[a-z]+)-(?<right>[a-z]+)(z)?", "t", template);
        let all: Vec<(&str, &str)> = labels.into_iter().chain([("t", expected)]).collect();
        check(&labels, [spec], Some(&all));
    };
    expands("$1", "foo");
    expands("${1}x", "foox");
    // The longest name counts, and there is no group `1x` or `left_`.
    expands("[$1x]", "[]");
    expands("[$left_]", "[]");
    expands("$right.$left", "bar.foo");
    expands("${right}_${left}", "bar_foo");
    expands("$0", "foo-bar");
    expands("[$3]", "[]");
    expands("[$9]", "[]");
    expands("[${01}]", "[]");
    expands("[$99999999999999999999]", "[]");
    expands("$$1", "$1");
    expands("$", "$");
    expands("5$ or ${ or ${} or ${1", "5$ or ${ or ${} or ${1");
    expands("$-$1", "$-foo");
}

#[test]
fn the_target_of_replace_is_a_template() {
    check(
        &[("a", "some-name-value")],
        [replace(&["a"], "some-([^-]+)-([^,]+)", "${1}", "${2}")],
        Some(&[("a", "some-name-value"), ("name", "value")]),
    );
    // A name that comes out empty is none, and nothing is set.
    check(&[("a", "x")], [replace(&["a"], "x(y)?", "$1", "v")], Some(&[("a", "x")]));
    // UTF-8 names are names, unless the rule asks for those of Prometheus 2.
    let dotted = || replace(&["a"], "(.*)", "$1", "v");
    check(&[("a", "x.y")], [dotted()], Some(&[("a", "x.y"), ("x.y", "v")]));
    check(&[("a", "x.y")], [dotted().with_scheme(NameScheme::Legacy)], Some(&[("a", "x.y")]));
}

#[test]
fn keep_and_drop() {
    let labels = [("a", "foo"), ("b", "bar")];
    check(&labels, [act(RelabelAction::Keep, &["a"]).with_regex("f.*")], Some(&labels));
    check(&labels, [act(RelabelAction::Keep, &["a"]).with_regex("no-match")], None);
    check(&labels, [act(RelabelAction::Keep, &["a"]).with_regex("f")], None);
    check(&labels, [act(RelabelAction::Drop, &["a"]).with_regex(".*o.*")], None);
    check(&labels, [act(RelabelAction::Drop, &["a"]).with_regex("f|o")], Some(&labels));
    check(&labels, [act(RelabelAction::Drop, &["a", "b"]).with_regex("foo;bar")], None);
    // What follows a drop does not bring it back.
    check(&labels, [act(RelabelAction::Drop, &["a"]), replace(&[], "(.*)", "c", "d")], None);
}

#[test]
fn keepequal_and_dropequal() {
    let equal = |action| act(action, &["port"]).with_target_label("wanted");
    let (same, other) = ([("port", "1"), ("wanted", "1")], [("port", "1"), ("wanted", "2")]);
    check(&same, [equal(RelabelAction::KeepEqual)], Some(&same));
    check(&other, [equal(RelabelAction::KeepEqual)], None);
    check(&same, [equal(RelabelAction::DropEqual)], None);
    check(&other, [equal(RelabelAction::DropEqual)], Some(&other));
    // Two absent labels are equal.
    check(&[("x", "1")], [equal(RelabelAction::DropEqual)], None);
}

#[test]
fn hashmod_is_that_of_prometheus() {
    // Both from Prometheus' own documented behaviour: the last eight bytes of MD5, big endian.
    check(
        &[("c", "baz")],
        [act(RelabelAction::HashMod, &["c"]).with_target_label("d").with_modulus(1000)],
        Some(&[("c", "baz"), ("d", "976")]),
    );
    check(
        &[("a", "foo\nbar")],
        [act(RelabelAction::HashMod, &["a"]).with_target_label("b").with_modulus(1000)],
        Some(&[("a", "foo\nbar"), ("b", "734")]),
    );
}

#[test]
fn labels_are_mapped_dropped_and_kept_by_name() {
    let labels = [("a", "foo"), ("b1", "bar"), ("b2", "baz")];
    check(
        &labels,
        [RelabelSpec::new(RelabelAction::LabelMap).with_regex("(b.*)").with_replacement("bar_${1}")],
        Some(&[("a", "foo"), ("b1", "bar"), ("b2", "baz"), ("bar_b1", "bar"), ("bar_b2", "baz")]),
    );
    // Of two that get one name the later in order wins.
    check(
        &labels,
        [RelabelSpec::new(RelabelAction::LabelMap).with_regex("b.").with_replacement("b")],
        Some(&[("a", "foo"), ("b", "baz"), ("b1", "bar"), ("b2", "baz")]),
    );
    check(
        &[("__meta_my_bar", "aaa"), ("__meta_my_baz", "bbb"), ("__meta_other", "ccc")],
        [RelabelSpec::new(RelabelAction::LabelMap).with_regex("__meta_(my.*)")],
        Some(&[
            ("__meta_my_bar", "aaa"),
            ("__meta_my_baz", "bbb"),
            ("__meta_other", "ccc"),
            ("my_bar", "aaa"),
            ("my_baz", "bbb"),
        ]),
    );
    check(&labels, [RelabelSpec::new(RelabelAction::LabelDrop).with_regex("b.*")], Some(&[("a", "foo")]));
    check(&labels, [RelabelSpec::new(RelabelAction::LabelDrop).with_regex("b")], Some(&labels));
    let kept = [("b1", "bar"), ("b2", "baz")];
    check(&labels, [RelabelSpec::new(RelabelAction::LabelKeep).with_regex("b.*")], Some(&kept));
}

#[test]
fn letters_change_case() {
    let labels = [("foo", "bAr123Foo")];
    check(
        &labels,
        [
            act(RelabelAction::Lowercase, &["foo"]).with_target_label("low"),
            act(RelabelAction::Uppercase, &["foo"]).with_target_label("up"),
        ],
        Some(&[("foo", "bAr123Foo"), ("low", "bar123foo"), ("up", "BAR123FOO")]),
    );
}

#[test]
fn rules_that_prometheus_refuses_are_refused() {
    let refused = |spec: RelabelSpec, fields: &[&str]| {
        let mistakes = RelabelRule::check(spec).unwrap_err();
        assert_eq!(mistakes.iter().map(|mistake| mistake.field).collect::<Vec<_>>(), fields);
    };
    refused(act(RelabelAction::HashMod, &["a"]), &["modulus", "target_label"]);
    refused(RelabelSpec::default(), &["target_label"]);
    refused(act(RelabelAction::Lowercase, &["a"]), &["target_label"]);
    refused(act(RelabelAction::KeepEqual, &["a"]), &["target_label"]);
    refused(
        act(RelabelAction::Uppercase, &["a"]).with_target_label("b").with_replacement("x"),
        &["replacement"],
    );
    refused(act(RelabelAction::LabelDrop, &["a"]).with_separator("-"), &["source_labels", "separator"]);
    refused(RelabelSpec::new(RelabelAction::LabelKeep).with_target_label("a"), &["target_label"]);
    refused(act(RelabelAction::DropEqual, &["a"]).with_target_label("b").with_regex("x"), &["regex"]);
    refused(RelabelSpec::new(RelabelAction::LabelMap).with_replacement(""), &["replacement"]);
    refused(act(RelabelAction::Keep, &[""]), &["source_labels"]);
    refused(act(RelabelAction::Keep, &["a"]).with_regex("("), &["regex"]);
    let legacy = |target: &str| replace(&["a"], "(.*)", target, "$1").with_scheme(NameScheme::Legacy);
    for bad in ["a.b", "1a", "${", "${1", "x$", "$-", "é"] {
        refused(legacy(bad), &["target_label"]);
    }
    for good in ["a", "_1", "$1", "${1}_x", "x${1}y$name", "$1_2"] {
        rule(legacy(good));
    }
    for good in ["a.b", "é", "x $1"] {
        rule(replace(&["a"], "(.*)", good, "$1"));
    }
    let error = RelabelRule::new(legacy("a.b")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "check relabelling rule: target_label: \"a.b\" is not a valid label name; give a valid label name"
    );
}

#[test]
fn expressions_mean_what_they_mean_in_re2() {
    #[track_caller]
    fn matches(pattern: &str, yes: &[&str], no: &[&str]) {
        let regex = AnchoredRegex::new(pattern).unwrap();
        for text in yes {
            assert!(regex.is_match(text), "{pattern:?} should match {text:?}");
        }
        for text in no {
            assert!(!regex.is_match(text), "{pattern:?} should not match {text:?}");
        }
    }
    matches("a|b", &["a", "b"], &["ab", ""]);
    matches(r"\d+", &["12"], &["٣", ""]);
    matches(r"[\d.]+", &["1.2"], &["٣"]);
    matches(r"\w+", &["a_1"], &["é"]);
    matches(r"[^\W_]+", &["a1"], &["_", "é"]);
    matches(r".*\bx\b.*", &["éx", "a x"], &["ax"]);
    matches(r"a\B.", &["ab"], &["a "]);
    matches("[[a]+", &["[a["], &["b"]);
    matches("[]a]+", &["]a"], &["["]);
    matches("[^]a]", &["b"], &["]", "a"]);
    matches("[a&&b]+", &["a&b"], &["c"]);
    matches("[a~~b]+", &["~"], &["c"]);
    matches("[+--]+", &["+,-"], &["."]);
    matches("[a-]+", &["a-"], &["b"]);
    matches("[[:alpha:]_]+", &["ab_"], &["1"]);
    matches("[[:^alpha:]]", &["1"], &["a"]);
    matches("[:a]+", &[":a"], &["b"]);
    matches("{a}", &["{a}"], &["a"]);
    matches("a{,2}", &["a{,2}"], &["aa"]);
    matches("a{2}b{1,}c{0,1}", &["aab", "aabbc"], &["ab"]);
    matches(r"\Qa.b*\E+", &["a.b*", "a.b**"], &["axb"]);
    matches(r"\<\>\_\-\/\#", &["<>_-/#"], &[]);
    matches(r"\x41\x{42}\103\0", &["ABC\0"], &[]);
    matches(r"\pL\p{Greek}\P{Greek}\p{^Greek}", &["aαaa"], &["aaaa"]);
    matches("(?i)ab(?-i)c", &["ABc", "abc"], &["ABC"]);
    // Flags are looked through for what is repeated.
    matches("a(?i)*B", &["aab", "B"], &["AB"]);
    matches("a(?i)(?s)*?B", &["aab", "B"], &["AB"]);
    matches("(?i:ſ)", &["s", "S"], &[]);
    matches("a.c", &["a\nc", "aéc"], &["ac"]);
    matches("^a$", &["a"], &["a\n"]);
    matches("#x y", &["#x y"], &["xy"]);
    matches("", &[""], &["a"]);
    for bad in [
        "(",
        ")",
        "[",
        "[a",
        "a**",
        "a+*",
        "a{2}{3}",
        "*a",
        "a{1001}",
        "a{2,1}",
        r"\",
        r"\1",
        r"\8",
        r"\k",
        r"\C",
        r"\Z",
        r"\E",
        "(?x)a",
        "(?=a)",
        "(?<=a)",
        "(?P=n)",
        "(?P<n",
        "[z-a]",
        "[[:foo:]]",
        r"\p{Nope}",
        r"\xg",
        "[\\b]",
    ] {
        assert!(AnchoredRegex::new(bad).is_err(), "{bad:?} should be refused");
    }
}

#[test]
fn what_a_pattern_may_cost_is_bounded() {
    let error = AnchoredRegex::new("((((a{100}){100}){100}){100})").unwrap_err();
    assert!(error.contains("size limit"), "{error}");
    let error = AnchoredRegex::new(&"[:".repeat(100_000)).unwrap_err();
    assert!(error.contains("longer than 131072 bytes"), "{error}");
}

#[test]
fn labels_that_no_rule_changes_are_not_copied() {
    let labels = Labels::from_pairs([("a", "1")]);
    let before = labels.clone();
    let after = apply(&[rule(act(RelabelAction::Keep, &["a"]).with_regex("1"))], labels).unwrap();
    assert_eq!(
        after.iter().next().map(|(name, _)| name.as_ptr()),
        before.iter().next().map(|(name, _)| name.as_ptr())
    );
}

proptest! {
    #[test]
    fn any_pattern_and_template_is_read_or_refused(
        pattern in r"[\[\]\\^a-d(){},:?*+|.0-9<>PQEx&~-]{0,20}", template: String, value: String,
    ) {
        if let Ok(rule) = RelabelRule::new(replace(&["a"], &pattern, "t", &template)) {
            let labels = Labels::from_pairs([("a", value)]);
            prop_assert!(apply(&[rule], labels).is_some());
        }
    }

    #[test]
    fn shards_partition(value: String, shards in 1..20_u64) {
        let labels = Labels::from_pairs([("a", value), ("b", "x".to_owned())]);
        let kept = (0..shards).filter(|shard| {
            let rules = [
                rule(act(RelabelAction::HashMod, &["a"]).with_target_label("__tmp").with_modulus(shards)),
                rule(act(RelabelAction::Keep, &["__tmp"]).with_regex(shard.to_string())),
            ];
            apply(&rules, labels.clone()).is_some()
        });
        prop_assert_eq!(kept.count(), 1);
    }
}
