//! Replacements with groups of a regular expression.

use regex::Captures;

/// Puts groups into `template` for `$1`, `${1}`, `$name` and `${name}`, as Go's `Regexp.Expand` does: a name is as
/// long as it can be, `$$` is a dollar, and a group that there is not is empty.
pub(crate) fn expand(template: &str, captures: &Captures<'_>) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            text.push('$');
            rest = after;
            continue;
        }
        let belongs = |c: char| c.is_alphanumeric() || c == '_';
        let braced = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, after) = match braced {
            Some((name, after)) if !name.is_empty() && name.chars().all(belongs) => (name, after),
            _ => rest.split_at(rest.find(|c| !belongs(c)).unwrap_or(rest.len())),
        };
        if name.is_empty() {
            // What names no group stays as it is.
            text.push('$');
            continue;
        }
        let group = match name.parse::<usize>() {
            Ok(number) => captures.get(number),
            Err(_) => captures.name(name),
        };
        text.push_str(group.map_or("", |group| group.as_str()));
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_put_in_as_in_go() {
        let regex = regex::Regex::new("^(?P<host>[a-z]+)-([0-9]+)$").unwrap();
        let captures = regex.captures("web-12").unwrap();
        for (template, expected) in [
            ("$host:$2", "web:12"),
            ("${host}x$2", "webx12"),
            ("$hostx", ""),
            ("$1$9", "web"),
            ("$$1", "$1"),
            ("$", "$"),
            ("a$-b", "a$-b"),
            ("${1", "${1"),
        ] {
            assert_eq!(expand(template, &captures), expected, "{template}");
        }
    }
}
