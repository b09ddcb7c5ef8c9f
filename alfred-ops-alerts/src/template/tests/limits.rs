//! What may not go on for ever.

use alfred_ops_core::{ErrorKind, Labels};
use proptest::prelude::*;

use super::{expand, now};
use crate::template::{Dialect, Environment, RenderLimits, Template, TemplateSet, Value};

fn exhausts(text: &str) {
    let error = expand(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{text}: {error}");
}

#[test]
fn loops_and_growth_end() {
    exhausts("{{ range 100000000 }}{{ end }}");
    exhausts("{{ range 1000 }}{{ range 1000 }}{{ end }}{{ end }}");
    exhausts("{{ $x := `ab` }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}");
    exhausts("{{ printf `%1000000d%1000000d` 1 2 }}");
    exhausts("{{ printf `%.1000000f%.1000000f` 1.5 2.5 }}");
    exhausts("{{ range 100000 }}0123456789abcdef{{ end }}");
    exhausts("{{ $x := printf `%1000000d` 1 }}{{ range 10000 }}{{ $y := toUpper $x }}{{ end }}");
    exhausts("{{ range 1000 }}{{ $y := match (print `a` .) `a` }}{{ end }}");
    exhausts("{{ reReplaceAll `` (printf `%01000d` 1) (printf `%05000d` 1) }}");
}

#[test]
fn depth_is_bounded() {
    exhausts("{{ define `r` }}{{ template `r` . }}{{ end }}{{ template `r` 1 }}");
    exhausts("{{ define `r` }}{{ tmpl `r` . }}{{ end }}{{ template `r` 1 }}");
    // Each of the texts is allowed; together they would go deeper than the stack.
    let deep = format!("{}{{{{ template `r` }}}}{}", "{{ if true }}".repeat(90), "{{ end }}".repeat(90));
    exhausts(&format!("{{{{ define `r` }}}}{deep}{{{{ end }}}}{{{{ template `r` }}}}"));
    // Lists within lists, and what they print.
    assert!(expand("{{ $x := args }}{{ range 100000 }}{{ $x = args $x }}{{ end }}").is_err());
    exhausts("{{ $x := args 1 }}{{ range 30 }}{{ $x = args $x $x $x }}{{ end }}{{ $x }}");
    for nested in [
        format!("{}{}", "{{ if 1 }}".repeat(5_000), "{{ end }}".repeat(5_000)),
        format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("{{{{ if 1 }}}}{}{{{{ end }}}}", "{{ else if 1 }}".repeat(5_000)),
    ] {
        assert!(Template::parse(&nested).unwrap_err().message().contains("levels"), "{}", &nested[..50]);
    }
}

#[test]
fn what_is_allowed_fits_the_stack() {
    let parentheses = format!("{{{{ {}1{} }}}}", "(".repeat(100), ")".repeat(100));
    assert_eq!(expand(&parentheses).unwrap(), "1");
    let blocks = format!("{}x{}", "{{ range 1 }}".repeat(100), "{{ end }}".repeat(100));
    assert_eq!(expand(&blocks).unwrap(), "x");
    let recursion = "{{ define `r` }}{{ if . }}{{ template `r` (slice . 1) }}{{ end }}{{ end }}{{ template `r` (printf `%060d` 1) }}";
    assert_eq!(expand(recursion).unwrap(), "");
}

#[test]
fn limits_can_be_set() {
    let render = |limits: RenderLimits, text: &str| {
        let set = TemplateSet::new(Dialect::Rule).with_limits(limits);
        set.parse(text).unwrap().render(&Value::Nil, &Environment::new(now())).map_err(|error| error.kind())
    };
    let limits = RenderLimits::default();
    assert_eq!(render(limits.with_output_bytes_max(3), "abc").as_deref(), Ok("abc"));
    assert_eq!(render(limits.with_output_bytes_max(2), "abc"), Err(ErrorKind::ResourceExhausted));
    assert_eq!(
        render(limits.with_steps_max(5), "{{ range 10 }}{{ end }}"),
        Err(ErrorKind::ResourceExhausted)
    );
    assert_eq!(render(limits.with_depth_max(0), "{{ if 1 }}{{ end }}"), Err(ErrorKind::ResourceExhausted));
}

#[test]
fn texts_that_are_too_long_are_refused() {
    let error = Template::parse(&"x".repeat((1 << 20) + 1)).unwrap_err();
    assert!(error.message().contains("1048577"), "{error}");
}

/// Pieces that templates are made of, put together at random: most are nonsense, many are not.
const PIECES: [&str; 66] = [
    "{{",
    "}}",
    "{{-",
    "-}}",
    " ",
    "\n",
    "(",
    ")",
    "|",
    ":=",
    "=",
    ",",
    ".",
    "$",
    "$x",
    "$labels",
    "$value",
    ".Labels",
    ".job",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "continue",
    "nil",
    "true",
    "1",
    "-1",
    "0x7fffffffffffffff",
    "1.5",
    "1e308",
    "\"é\"",
    "`%v %d %x`",
    "'a'",
    "print",
    "printf",
    "len",
    "index",
    "slice",
    "query",
    "\"up\"",
    "first",
    "value",
    "label",
    "sortByLabel",
    "\"job\"",
    "args",
    "humanize",
    "humanizeDuration",
    "humanizeTimestamp",
    "toTime",
    "toDuration",
    "title",
    "stripDomain",
    "reReplaceAll",
    "match",
    "/*",
    "*/",
    "and",
    "eq",
    "lt",
];

proptest! {
    #[test]
    fn nothing_panics(pieces in proptest::collection::vec(0..PIECES.len(), 0..40)) {
        let text: Vec<&str> = pieces.iter().map(|piece| PIECES[*piece]).collect();
        let _ = expand(&text.join(" "));
        let _ = expand(&text.concat());
    }

    #[test]
    fn no_function_panics_on_any_arguments(
        function in 35..66_usize,
        arguments in proptest::collection::vec(26..66_usize, 0..4),
    ) {
        let arguments: Vec<String> = arguments.iter().map(|piece| format!("({})", PIECES[*piece])).collect();
        let _ = expand(&format!("{{{{ {} {} }}}}", PIECES[function], arguments.join(" ")));
    }

    #[test]
    fn no_format_panics(format in "(%[-+# 0]{0,3}[0-9]{0,2}(\\.[0-9]{0,2})?[a-zA-Z*\\[\\]%])|\\PC{0,8}", number in any::<f64>()) {
        let template = Template::parse("{{ printf .Labels.f .Value 1 `é` .Labels nil true }}").unwrap();
        let labels = Labels::from_pairs([("f", format.repeat(3))]);
        let _ = template.expand(&labels, number, &Environment::new(now()));
    }

    #[test]
    fn text_without_braces_stays(text in "[^{}]{0,200}") {
        prop_assert_eq!(expand(&text).unwrap(), text);
    }

    #[test]
    fn quoted_text_comes_back(text in "\\PC{0,40}") {
        let quoted = expand(&format!("{{{{ printf `%q` {text:?} }}}}"));
        // Rust escapes some characters in braces, which Go does not know.
        prop_assume!(!format!("{text:?}").contains("\\u{"));
        let again = expand(&format!("{{{{ {} }}}}", quoted.unwrap())).unwrap();
        prop_assert_eq!(again, text);
    }
}
