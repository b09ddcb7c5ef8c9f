//! Functions that change text.

use super::{Arguments as _, Dialect, Function, Outcome, Scope};
use crate::template::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::exact("toUpper", 1, |_, arguments| Ok(Value::from(map_chars(arguments.text(0)?, upper)))),
    Function::exact("toLower", 1, |_, arguments| Ok(Value::from(map_chars(arguments.text(0)?, lower)))),
    Function::exact("title", 1, |_, arguments| Ok(Value::from(title(arguments.text(0)?, false))))
        .only_in(Dialect::Rule),
    Function::exact("title", 1, |_, arguments| Ok(Value::from(title(arguments.text(0)?, true))))
        .only_in(Dialect::Notification),
    Function::exact("safeHtml", 1, same_text),
    Function::exact("safeUrl", 1, same_text).only_in(Dialect::Notification),
    Function::exact("trimSpace", 1, |_, arguments| Ok(Value::from(arguments.text(0)?.trim())))
        .only_in(Dialect::Notification),
    Function::exact("stripPort", 1, |_, arguments| {
        let text = arguments.text(0)?;
        Ok(Value::from(split_port(text).map_or(text, |(host, _)| host)))
    })
    .only_in(Dialect::Rule),
    Function::exact("stripDomain", 1, strip_domain).only_in(Dialect::Rule),
];

fn map_chars(text: &str, change: fn(char) -> char) -> String {
    text.chars().map(change).collect()
}

/// One letter for one letter: Go leaves `ß` as it is.
fn upper(c: char) -> char {
    let mut changed = c.to_uppercase();
    if changed.len() == 1 { changed.next().unwrap_or(c) } else { c }
}

fn lower(c: char) -> char {
    let mut changed = c.to_lowercase();
    // The dotted capital I is the one letter that becomes two.
    changed.next().unwrap_or(c)
}

/// Words begin with capitals; the rest stays, or with `lowers` becomes small.
fn title(text: &str, lowers: bool) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let (mut before, mut begun) = (' ', false);
    while let Some(c) = chars.next() {
        if !(is_of_word(c) || joins(before, c, chars.peek().copied())) {
            begun = false;
        }
        // The first letter counts, not a digit before it.
        match (c.is_alphabetic(), begun) {
            (true, false) => push_capital(&mut titled, c),
            (true, true) if lowers => titled.push(lower(c)),
            _ => titled.push(c),
        }
        begun |= c.is_alphabetic();
        before = c;
    }
    titled
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a sign between two letters, or between two digits, leaves them in one word.
fn joins(before: char, c: char, after: Option<char>) -> bool {
    let both = |is: fn(char) -> bool| is(before) && after.is_some_and(is);
    (matches!(c, '\'' | '’' | '.' | ':' | '·') && both(char::is_alphabetic))
        || (matches!(c, '\'' | '’' | '.' | ',' | ';') && both(char::is_numeric))
}

/// A capital that stands at the start of a word: of `ß` it is `Ss`.
fn push_capital(text: &mut String, c: char) {
    let mut capitals = c.to_uppercase();
    text.extend(capitals.next());
    text.extend(capitals.flat_map(char::to_lowercase));
}

fn same_text(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    arguments.text(0).map(Value::from)
}

/// Host and port, as Go's `net.SplitHostPort` takes them apart; `None` where that fails.
fn split_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']')?;
            (host, after.strip_prefix(':')?)
        }
        None => text.rsplit_once(':').filter(|(host, _)| !host.contains(':'))?,
    };
    let clean = |part: &str| !part.contains(['[', ']']);
    (clean(host) && clean(port) && !port.contains(':')).then_some((host, port))
}

/// The first label of a host's name, with its port; addresses stay as they are.
fn strip_domain(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let text = arguments.text(0)?;
    let (host, port) = split_port(text).unwrap_or((text, ""));
    // A zone, `fe80::1%eth0`, is no part that Go's parser takes.
    if host.parse::<std::net::IpAddr>().is_ok() {
        return Ok(Value::from(text));
    }
    let name = host.split('.').next().unwrap_or(host);
    Ok(Value::from(match (port, name.contains([':', '%'])) {
        ("", _) => name.to_owned(),
        (port, false) => format!("{name}:{port}"),
        (port, true) => format!("[{name}]:{port}"),
    }))
}
