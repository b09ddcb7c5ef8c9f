//! Functions over what a query answers.

use std::sync::Arc;

use super::{Arguments as _, Dialect, Failure, Function, Outcome, Scope};
use crate::template::value::QuerySample;
use crate::template::{Answer, Value};

/// A query may read many series.
const QUERY_STEPS: u64 = 500;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::exact("query", 1, query).taking(QUERY_STEPS).only_in(Dialect::Rule),
    Function::exact("first", 1, first).only_in(Dialect::Rule),
    Function::exact("value", 1, |_, arguments| field(&arguments[0], "Value")).only_in(Dialect::Rule),
    Function::exact("label", 2, |_, arguments| label_of(&arguments[1], arguments.text(0)?))
        .only_in(Dialect::Rule),
    Function::exact("strvalue", 1, |_, arguments| label_of(&arguments[0], "__value__"))
        .only_in(Dialect::Rule),
    Function::exact("sortByLabel", 2, sort_by_label).only_in(Dialect::Rule),
];

fn query(scope: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let samples = scope.environment.query(arguments.text(0)?)?;
    let records = samples.iter().map(|sample| Value::Record(Arc::new(QuerySample::new(sample))));
    Ok(Value::from(records.collect::<Vec<_>>()))
}

fn first(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let items = arguments.list(0)?;
    items.first().cloned().ok_or_else(|| {
        "the query that first is asked about has no answer; ask before, `{{ with query … }}{{ . | first }}…{{ end }}`"
            .into()
    })
}

fn field(sample: &Value, name: &str) -> Outcome {
    let answer = match sample {
        Value::Record(record) => record.ask(name, &[]),
        _ => Answer::Unknown,
    };
    match answer {
        Answer::Value(value) => Ok(value),
        Answer::Failed(message) => Err(message.into()),
        Answer::Unknown => {
            Err(format!("a sample of a query's answer is wanted, not {}", sample.type_name()).into())
        }
    }
}

fn label_of(sample: &Value, name: &str) -> Outcome {
    match field(sample, "Labels")?.contents() {
        Value::Map(map) => Ok(super::arguments::label(map, name)),
        other => Err(format!("labels must be a map, not {}", other.type_name()).into()),
    }
}

/// The samples by the value of a label; those with equal ones keep their order.
fn sort_by_label(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let name = arguments.text(0)?;
    let keyed: Result<Vec<(Value, Value)>, Failure> =
        arguments.list(1)?.iter().map(|sample| Ok((label_of(sample, name)?, sample.clone()))).collect();
    let mut keyed = keyed?;
    keyed.sort_by(|(left, _), (right, _)| left.as_text().cmp(&right.as_text()));
    Ok(Value::from(keyed.into_iter().map(|(_, sample)| sample).collect::<Vec<_>>()))
}
