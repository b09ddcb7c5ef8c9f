//! Functions that change text.

use super::{Arguments as _, Dialect, Function, Outcome, Scope};
use crate::template::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::exact("toUpper", 1, |_, arguments| Ok(Value::from(map_chars(arguments.text(0)?, upper)))),
    Function::exact("toLower", 1, |_, arguments| Ok(Value::from(map_chars(arguments.text(0)?, lower)))),
    Function::exact("title", 1, title).only_in(Dialect::Rule),
    Function::exact("title", 1, capitalised).only_in(Dialect::Notification),
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

/// Words begin with capitals; the rest stays.
fn title(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let separates = |c: char| {
        if c.is_ascii() { !c.is_ascii_alphanumeric() && c != '_' } else { !c.is_alphanumeric() && c.is_whitespace() }
    };
    let mut before = ' ';
    let changed = arguments.text(0)?.chars().map(|c| {
        let changed = if separates(before) { upper(c) } else { c };
        before = c;
        changed
    });
    Ok(Value::from(changed.collect::<String>()))
}

/// Words begin with capitals and go on in small letters.
fn capitalised(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let mut inside = false;
    let changed = arguments.text(0)?.chars().map(|c| {
        let changed = if inside { lower(c) } else { upper(c) };
        // An apostrophe does not end a word, nor does a dot or an underscore between letters.
        inside = c.is_alphanumeric() || (inside && matches!(c, '\'' | '’' | '_' | '.' | ':'));
        changed
    });
    Ok(Value::from(changed.collect::<String>()))
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
