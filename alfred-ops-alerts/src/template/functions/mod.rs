//! The functions of templates.

mod arguments;
mod calendar;
mod collection;
mod comparison;
mod escape;
mod function;
mod humanize;
mod json;
mod nearest;
mod pattern;
mod print;
mod query;
mod text;
mod url;

use arguments::Arguments;
pub use function::Dialect;
pub(super) use function::{Call, Failure, Function, Outcome, Scope};
pub(super) use nearest::nearest;
pub(super) use pattern::Patterns;
pub(crate) use url::query_escape;

/// All functions, a table for each file.
const TABLES: [&[Function]; 11] = [
    function::CONTROL,
    calendar::FUNCTIONS,
    collection::FUNCTIONS,
    comparison::FUNCTIONS,
    escape::FUNCTIONS,
    humanize::FUNCTIONS,
    json::FUNCTIONS,
    pattern::FUNCTIONS,
    print::FUNCTIONS,
    query::FUNCTIONS,
    text::FUNCTIONS,
];

/// The function of this name, or a hint what else to write.
pub(super) fn find(name: &str, dialect: Dialect) -> Result<&'static Function, String> {
    let all = || TABLES.iter().copied().flatten();
    if let Some(function) = all().find(|function| function.name == name && function.is_in(dialect)) {
        return Ok(function);
    }
    if all().any(|function| function.name == name) {
        return Err(format!("{name} is there in {} only", dialect.other()));
    }
    let known = all().filter(|function| function.is_in(dialect)).map(|function| function.name);
    Err(match nearest(name, known) {
        Some(near) => format!("did you mean {near}?"),
        None => "labels are written `$labels.NAME` or `.Labels.NAME`, texts in quotes".to_owned(),
    })
}
