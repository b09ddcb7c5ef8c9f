//! Functions that make text of values.

use super::super::printf;
use super::super::value::Bounded;
use super::{Arguments as _, Function, Outcome, Scope};
use crate::template::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("print", 0, print),
    Function::variadic("println", 0, println),
    Function::variadic("printf", 1, printf),
];

fn print(scope: &Scope<'_>, arguments: &[Value]) -> Outcome {
    Ok(Value::from(arguments.joined(scope.bytes_max)?))
}

fn println(scope: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let mut text = Bounded::new(scope.bytes_max);
    for (place, value) in arguments.iter().enumerate() {
        text.push(if place == 0 { "" } else { " " })?;
        value.print(&mut text)?;
    }
    text.push("\n")?;
    Ok(Value::from(text.into_text()))
}

fn printf(scope: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let format = arguments.text(0)?;
    let mut text = Bounded::new(scope.bytes_max);
    printf::print(format, &arguments[1..], &mut text)?;
    Ok(Value::from(text.into_text()))
}
