use super::parse;
use crate::promql::ast::{BinaryOp, NodeKind};

/// Writes a tree with all its parentheses, so that precedence can be seen.
fn shape(text: &str) -> String {
    fn write(node: &crate::promql::ast::Node, text: &str, out: &mut String) {
        match &node.kind {
            NodeKind::Binary { op, left, right, .. } => {
                out.push('(');
                write(left, text, out);
                out.push_str(op.sign());
                write(right, text, out);
                out.push(')');
            }
            NodeKind::Paren(of) => write(of, text, out),
            NodeKind::Negate(of) => {
                out.push_str("(-");
                write(of, text, out);
                out.push(')');
            }
            _ => out.push_str(node.span.of(text)),
        }
    }
    let mut out = String::new();
    write(&parse(text).unwrap_or_else(|error| panic!("{text}: {error}")), text, &mut out);
    out
}

#[test]
fn precedence_is_promqls() {
    for (text, expected) in [
        ("a + b * c ^ d", "(a+(b*(c^d)))"),
        ("a ^ b ^ c", "(a^(b^c))"),
        ("-a ^ 2", "(-(a^2))"),
        ("a or b and c unless d", "(aor((bandc)unlessd))"),
        ("a > 1 and b", "((a>1)andb)"),
        ("a </ 2 + 1", "(a</(2+1))"),
        ("2 - -1", "(2--1)"),
        ("+a offset 5m @ 10 - b", "(a offset 5m @ 10-b)"),
        ("(a + b)[5m:1m] offset -(2*5m)", "(a + b)[5m:1m] offset -(2*5m)"),
        ("sum by (x) (a) / on (x) group_left (y) sum(b) by (x, y)", "(sum by (x) (a)/sum(b) by (x, y))"),
        ("offset offset 5m", "offset offset 5m"),
        ("rate(a[2*step()] anchored) > bool 1", "(rate(a[2*step()] anchored)>1)"),
        ("a + fill_left(0) b", "(a+b)"),
        ("{\"my.metric\", \"l.x\"=~\"a|b\"}[1h30m]", "{\"my.metric\", \"l.x\"=~\"a|b\"}[1h30m]"),
        ("topk(5, a) # comment", "topk(5, a)"),
        ("SUM(a) BY (b)", "SUM(a) BY (b)"),
        ("a[300] @ end()", "a[300] @ end()"),
    ] {
        assert_eq!(shape(text), expected, "{text}");
    }
}

#[test]
fn operators_of_their_own_are_not_taken_for_others() {
    let NodeKind::Binary { op, .. } = parse("a >/ 1").unwrap().kind else { panic!() };
    assert_eq!(op, BinaryOp::TrimLower);
}

#[test]
fn errors_say_where_and_how_else() {
    for (text, expected, hint) in [
        ("rte(a[5m])", "1:1: unknown function with name \"rte\"", "did you mean rate?"),
        ("a +", "1:4: unexpected end of input after \"+\"", "right side"),
        ("a b", "1:3: unexpected \"b\" after \"a\"", "operator"),
        ("a = 5", "1:3: unexpected \"=\" outside of label matchers", "=="),
        ("sum(a", "1:4: \"(\" is never closed", ""),
        ("a{b=c}", "1:5: unexpected \"c\" in label matching, expected string", "quotes"),
        ("a[5x]", "1:3: bad number or duration syntax: \"5x\"", "1h30m"),
        ("", "1:1: no expression found in input", ""),
        ("rate(a)", "", ""),
        ("{}", "", ""),
        ("a{b=\"1\" or c=\"2\"}", "", ""),
        ("a @ 1e30", "1:5: timestamp out of bounds", ""),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{text}: {error}");
        assert!(error.hint().unwrap_or_default().contains(hint), "{text}: {:?}", error.hint());
    }
    let deep = format!("{}a{}", "(".repeat(5000), ")".repeat(5000));
    assert!(parse(&deep).unwrap_err().message().contains("nested"));
}
