//! Templates with references to groups, as Go's `Regexp.Expand` reads them.

use regex::Captures;

/// The template with `$1`, `${1}` and `$name` replaced by what the groups matched, `$$` by `$`.
///
/// A name reaches as far as letters, digits and `_` do: `$1x` names a group `1x`. Groups that do not exist or
/// did not take part are empty; a `$` that begins no reference stands for itself.
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
        let Some((name, after)) = reference(rest) else {
            text.push('$');
            continue;
        };
        rest = after;
        let group = match number(name) {
            Some(number) => captures.get(number),
            None => captures.name(name),
        };
        text.push_str(group.map_or("", |group| group.as_str()));
    }
    text.push_str(rest);
    text
}

/// The name of the reference that begins here, behind its `$`, and what follows it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{');
    let body = inner.unwrap_or(text);
    let end = body.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(body.len());
    let (name, after) = body.split_at(end);
    if name.is_empty() {
        return None;
    }
    let after = if inner.is_some() { after.strip_prefix('}')? } else { after };
    Some((name, after))
}

/// The group's number, if the name is one: digits without a leading zero, below what Go reads.
fn number(name: &str) -> Option<usize> {
    const DIGITS_MAX: usize = 9;
    let leading_zero = name.len() > 1 && name.starts_with('0');
    let digits = name.len() <= DIGITS_MAX && name.bytes().all(|byte| byte.is_ascii_digit());
    if digits && !leading_zero { name.parse().ok() } else { None }
}
