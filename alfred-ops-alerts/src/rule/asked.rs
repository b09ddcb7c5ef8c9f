//! What templates may ask for.

use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;

use super::Template;
use crate::promql::Query;

/// Stands in a query for what `printf` will put there.
pub(super) const OPEN: char = '\u{f8ff}';

/// The queries that a template may ask for, with [`OPEN`] for what only its rendering knows: each of its texts in quotes that
/// reads as one, as it stands and as a format, also those that are none. A query that is put together otherwise is not among
/// them.
pub(super) fn asked(template: &Template) -> Vec<Query> {
    let literals = if template.may_ask() { template.literals() } else { Vec::new() };
    let readings = |text: &Arc<str>| {
        let format = with_open_places(text);
        let differs = *format != **text;
        [Query::parse(text).ok(), differs.then(|| Query::parse(&format).ok()).flatten()]
    };
    literals.iter().flat_map(readings).flatten().collect()
}

/// The text with the verbs of a format replaced.
fn with_open_places(format: &str) -> String {
    let mut text = String::with_capacity(format.len());
    let mut rest = format.chars().peekable();
    while let Some(next) = rest.next() {
        if next != '%' {
            text.push(next);
            continue;
        }
        match verb(&mut rest) {
            Some('%') => text.push('%'),
            Some('q') => text.extend(['"', OPEN, '"']),
            Some(_) => text.push(OPEN),
            None => {}
        }
    }
    text
}

/// Reads a verb with its flags, width and argument number.
fn verb(rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    rest.find(|next| *next == '%' || next.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found = asked(&Template::parse(text).unwrap());
        let found: Vec<String> = found.iter().map(|query| query.to_string().replace(OPEN, "…")).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn queries_in_quotes_are_found() {
        check("{{ query \"sum(up)\" | first | value }}", &["sum(up)"]);
        check(
            "{{ if true }}{{ range query `b` }}{{ .Value }}{{ else }}{{ query `c` }}{{ end }}{{ end }}",
            &["b", "c"],
        );
        check("{{ query `a % on (job) b` }}", &["a % on (job) b"]);
        check("{{ $labels.job | printf \"up\" }}", &[]);
    }

    #[test]
    fn formats_leave_places_open() {
        check(
            "{{ with printf \"a{job='%s',instance=%q} > 5\" $labels.job $labels.instance | query }}{{ . | first | value }}{{ end }}",
            &["a{job='…',instance=\"…\"} > 5"],
        );
        check(
            "{{ range (query (printf `d{x=\"%5.2f%%\"}` $value)) }}{{ end }}",
            &["d{x=\"%5.2f%%\"}", "d{x=\"…%\"}"],
        );
    }
}
