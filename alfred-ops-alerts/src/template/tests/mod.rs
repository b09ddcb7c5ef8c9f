//! Templates rendered.

mod agreed;
mod limits;
mod notifications;
mod rules;

use alfred_ops_core::{Error, ErrorKind, Labels, Result, Sample};
use chrono::{DateTime, Utc};

use super::{Environment, Template, TemplateError};

fn now() -> DateTime<Utc> {
    "2024-03-07T05:06:09.120Z".parse().unwrap()
}

fn sample(job: &str, instance: &str, value: f64) -> Sample {
    Sample::new(Labels::metric("up").with("job", job).with("instance", instance), value)
}

fn query(text: &str) -> Result<Vec<Sample>> {
    match text {
        "up" => Ok(vec![
            sample("b", "host-2.example.com:9100", 1.0),
            sample("a", "host-1.example.com:9100", 0.0),
            sample("c", "host-10.example.com:9100", 2.5),
        ]),
        "scalar(up{job='c'})" => Ok(vec![Sample::new(Labels::empty(), 2.5)]),
        "absent_metric" => Ok(Vec::new()),
        _ => Err(Error::new(ErrorKind::InvalidInput, "parse query", "unexpected end")),
    }
}

/// Renders for the alert that the table's truth was made with.
fn expand(text: &str) -> std::result::Result<String, TemplateError> {
    let environment = Environment::new(now())
        .with_external_url("http://prom.example:9090/path/to")
        .with_external_labels(Labels::from_pairs([("cluster", "eu-1"), ("env", "prod")]))
        .with_query(&query);
    let labels = Labels::from_pairs([("job", "agents"), ("instance", "alfred-bot:8011"), ("zone", "é<b>")]);
    Template::parse(text)?.expand(&labels, 1234.5678, &environment)
}

fn check(text: &str, expected: &str) {
    assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
}
