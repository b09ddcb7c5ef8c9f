//! `opsctl simulate`.

mod chart;
mod command;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result, blocking};
use alfred_ops_scaling::simulate::{Contestant, Score, Service, Trace, simulate};
use serde_json::{Value, json};

use self::chart::Chart;
pub(super) use self::command::SimulateArguments;
use super::report::Report;
use super::text_file::read;

/// Traces of more bytes than this are refused.
const TRACE_BYTES_MAX: u64 = 256 << 20;

/// Plays a load trace against policies.
pub(super) async fn run(arguments: SimulateArguments, context: &JobContext) -> Result<Report> {
    let context = context.clone();
    blocking(move || play(&arguments, &context)).await?
}

fn play(arguments: &SimulateArguments, context: &JobContext) -> Result<Report> {
    let text = read(&arguments.trace, "read load trace", TRACE_BYTES_MAX)?;
    let trace =
        Trace::parse(&text).map_err(|error| error.with_target(arguments.trace.display().to_string()))?;
    let service = service(arguments);
    let mut played = Vec::new();
    for contestant in chosen(&arguments.policy, &service)? {
        if context.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "simulate", "stopped"));
        }
        let run = simulate(&trace, &service, &contestant)?;
        played.push((contestant.name().to_owned(), run));
    }
    let mut lines = vec![format!(
        "{} s of load, {} requests a second for each instance, {} s to start, late after {} s",
        trace.arrivals().len(),
        service.rate,
        service.start_up.as_secs_f64(),
        service.wait.as_secs_f64(),
    )];
    lines
        .push(format!("{:<10} {:>10} {:>10} {:>10} {:>10}", "policy", "late %", "cost", "reversals", "most"));
    lines.extend(played.iter().map(|(name, run)| {
        let score = &run.score;
        let (late, cost) = (score.violations_percent, score.cost_ratio);
        format!("{name:<10} {late:>10.3} {cost:>10.3} {:>10} {:>10}", score.reversals, score.instances_max)
    }));
    if let Some(path) = &arguments.plot {
        let chart = Chart { trace: &trace, service: &service, played: &played }.draw();
        std::fs::write(path, chart).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "write plot", "the file cannot be written")
                .with_target(path.display().to_string())
                .with_remedy("name a file in a folder that exists and can be written to")
                .with_source(error)
        })?;
        lines.push(format!("drawn to {}", path.display()));
    }
    let policies: Vec<Value> = played.iter().map(|(name, run)| json_of(name, &run.score)).collect();
    let json = json!({ "seconds": trace.arrivals().len(), "policies": policies });
    Ok(Report::new(lines.join("\n"), json))
}

fn json_of(name: &str, score: &Score) -> Value {
    json!({
        "policy": name, "violations_percent": score.violations_percent, "cost_ratio": score.cost_ratio,
        "reversals": score.reversals, "instance_seconds": score.instance_seconds,
        "instances_max": score.instances_max,
    })
}

fn service(arguments: &SimulateArguments) -> Service {
    Service::new(arguments.service_rate)
        .with_bounds(arguments.min, arguments.max)
        .with_start_up(arguments.start_up)
        .with_wait(arguments.slo)
        .with_metric_delay(arguments.metric_delay)
}

/// Those that are named, in the order of the names.
fn chosen(names: &[String], service: &Service) -> Result<Vec<Contestant>> {
    let all = Contestant::all(service);
    if names.iter().any(|name| name == "all") {
        return Ok(all);
    }
    let known = all.iter().map(Contestant::name).collect::<Vec<_>>().join(", ");
    let find = |name: &String| {
        all.iter().find(|contestant| contestant.name() == name).cloned().ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "simulate", format!("there is no policy {name:?}"))
                .with_remedy(format!("use all, or some of {known}"))
        })
    };
    names.iter().map(find).collect()
}
