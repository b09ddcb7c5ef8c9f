//! Functions over lists, maps and parts of texts.

use super::super::value::{List, Map};
use super::{Arguments as _, Dialect, Failure, Function, Outcome, Scope};
use crate::template::Value;

/// Lists and maps that templates make lie no deeper within one another, so that nothing runs out of stack.
const DEPTH_MAX: usize = 32;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("index", 1, index),
    Function::variadic("slice", 1, slice),
    Function::exact("len", 1, len),
    Function::variadic("args", 0, args).only_in(Dialect::Rule),
    Function::variadic("stringSlice", 0, string_slice).only_in(Dialect::Notification),
    Function::exact("join", 2, join).only_in(Dialect::Notification),
    Function::variadic("list", 0, list).only_in(Dialect::Notification),
    Function::variadic("append", 1, append).only_in(Dialect::Notification),
    Function::variadic("dict", 0, dict).only_in(Dialect::Notification),
];

fn shallow(value: Value) -> Outcome {
    if value.depth() > DEPTH_MAX {
        return Err(format!("lists and maps lie more than {DEPTH_MAX} deep within one another").into());
    }
    Ok(value)
}

fn bound(length: usize, place: &Value, last: usize) -> Result<usize, Failure> {
    let Value::Int(place) = place else {
        return Err(format!("a place must be a whole number, not {}", place.type_name()).into());
    };
    usize::try_from(*place)
        .ok()
        .filter(|place| *place <= last)
        .ok_or_else(|| format!("place {place} is out of range: there are {length}").into())
}

fn index(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let Some((first, keys)) = arguments.split_first() else { return Err("there is nothing to index".into()) };
    keys.iter().try_fold(first.clone(), |value, key| match value.contents() {
        Value::Map(map) => match key {
            Value::Text(name) => Ok(super::arguments::label(map, name)),
            _ => Err(format!("a key must be a text, not {}", key.type_name()).into()),
        },
        Value::List(list) if list.is_empty() => Err("the list to index is empty".into()),
        Value::List(list) => Ok(list.items()[bound(list.len(), key, list.len() - 1)?].clone()),
        // The byte, as Go has it.
        Value::Text(text) if text.is_empty() => Err("the text to index is empty".into()),
        Value::Text(text) => Ok(Value::Int(text.as_bytes()[bound(text.len(), key, text.len() - 1)?].into())),
        Value::Nil => Err("cannot index nil".into()),
        other => Err(format!("cannot index {}", other.type_name()).into()),
    })
}

fn slice(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let (first, places) = match arguments {
        [first, places @ ..] if places.len() <= 3 => (first, places),
        _ => return Err("a slice takes three places at most".into()),
    };
    let length = match first.contents() {
        Value::Text(_) if places.len() > 2 => return Err("a slice of a text takes two places at most".into()),
        Value::Text(text) => text.len(),
        Value::List(list) => list.len(),
        other => return Err(format!("cannot slice {}", other.type_name()).into()),
    };
    let mut bounds = [0, length, length];
    for (bound_of, place) in bounds.iter_mut().zip(places) {
        *bound_of = bound(length, place, length)?;
    }
    let [start, end, capacity] = bounds;
    if start > end || end > capacity {
        return Err(format!("a slice cannot go from {start} to {end}").into());
    }
    Ok(match first.contents() {
        Value::Text(text) => Value::from(String::from_utf8_lossy(&text.as_bytes()[start..end]).into_owned()),
        Value::List(list) => Value::from(list.items()[start..end].to_vec()),
        _ => Value::Nil,
    })
}

fn len(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let length = match arguments.first().unwrap_or(&Value::Nil).contents() {
        Value::Text(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        other => return Err(format!("{} has no length", other.type_name()).into()),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn args(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let named = arguments.iter().enumerate().map(|(place, value)| (format!("arg{place}"), value.clone()));
    shallow(Value::Map(Map::new(named)))
}

fn string_slice(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    for place in 0..arguments.len() {
        arguments.text(place)?;
    }
    Ok(Value::from(arguments.to_vec()))
}

fn join(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let separator = arguments.text(0)?;
    let texts: Option<Vec<&str>> = arguments.list(1)?.iter().map(Value::as_text).collect();
    let texts = texts.ok_or("argument 2 must be a list of texts")?;
    Ok(Value::from(texts.join(separator)))
}

fn list(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    shallow(Value::List(List::new(arguments.to_vec())))
}

fn append(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let more = arguments.get(1..).unwrap_or_default();
    shallow(Value::from([arguments.list(0)?, more].concat()))
}

fn dict(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    if !arguments.len().is_multiple_of(2) {
        return Err("a dict takes pairs of name and value".into());
    }
    let pairs: Result<Vec<(String, Value)>, Failure> = (0..arguments.len())
        .step_by(2)
        .map(|place| Ok((arguments.text(place)?.to_owned(), arguments[place + 1].clone())))
        .collect();
    shallow(Value::Map(Map::new(pairs?)))
}
