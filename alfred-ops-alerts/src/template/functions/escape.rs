//! Functions that make text safe to stand in something else.

use super::url::{path, query_escape};
use super::{Arguments as _, Dialect, Failure, Function, Outcome, Scope};
use crate::template::Value;
use crate::template::printf::is_printable;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("html", 1, html),
    Function::variadic("js", 1, js),
    Function::variadic("urlquery", 1, urlquery),
    Function::exact("urlQueryEscape", 1, |_, arguments| Ok(Value::from(query_escape(arguments.text(0)?))))
        .only_in(Dialect::Rule),
    Function::exact("graphLink", 1, |_, arguments| link(arguments, 0)).only_in(Dialect::Rule),
    Function::exact("tableLink", 1, |_, arguments| link(arguments, 1)).only_in(Dialect::Rule),
    Function::exact("externalURL", 0, |scope, _| Ok(Value::from(scope.environment.external_url())))
        .only_in(Dialect::Rule),
    Function::exact("pathPrefix", 0, |scope, _| Ok(Value::from(path(scope.environment.external_url()))))
        .only_in(Dialect::Rule),
];

fn link(arguments: &[Value], tab: u8) -> Outcome {
    let expression = query_escape(arguments.text(0)?);
    Ok(Value::from(format!("/graph?g0.expr={expression}&g0.tab={tab}")))
}

/// The arguments in one text; nil as it appears in a text by itself.
fn joined(scope: &Scope<'_>, arguments: &[Value]) -> Result<String, Failure> {
    let shown =
        |value: &Value| if matches!(value, Value::Nil) { Value::from("<no value>") } else { value.clone() };
    arguments.iter().map(shown).collect::<Vec<_>>().joined(scope.bytes_max)
}

fn urlquery(scope: &Scope<'_>, arguments: &[Value]) -> Outcome {
    Ok(Value::from(query_escape(&joined(scope, arguments)?)))
}

fn html(scope: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let mut escaped = String::new();
    for c in joined(scope, arguments)?.chars() {
        match c {
            '\0' => escaped.push('\u{fffd}'),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    Ok(Value::from(escaped))
}

fn js(scope: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let mut escaped = String::new();
    for c in joined(scope, arguments)?.chars() {
        match c {
            '\\' | '\'' | '"' => escaped.extend(['\\', c]),
            '<' | '>' | '&' | '=' => escaped.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if c < ' ' || !(c.is_ascii() || is_printable(c)) => {
                escaped.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            c => escaped.push(c),
        }
    }
    Ok(Value::from(escaped))
}
