//! What can be said to `opsctl simulate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::opsctl) struct SimulateArguments {
    /// The load: a line for each second with the number of requests, or CSV with a head, times and numbers.
    #[arg(long)]
    pub(super) trace: PathBuf,
    /// Requests that one instance finishes a second.
    #[arg(long)]
    pub(super) service_rate: f64,
    /// Seconds from the decision until a new instance works.
    #[arg(long, value_parser = seconds, default_value = "30")]
    pub(super) start_up: Duration,
    /// Seconds that a request may wait.
    #[arg(long, value_parser = seconds, default_value = "10")]
    pub(super) slo: Duration,
    /// Never fewer instances.
    #[arg(long, default_value_t = 1)]
    pub(super) min: u32,
    /// Never more instances.
    #[arg(long, default_value_t = 20)]
    pub(super) max: u32,
    /// Seconds until metrics are seen that come through a monitoring system; kpa and slo count in the process.
    #[arg(long, value_parser = seconds, default_value = "0")]
    pub(super) metric_delay: Duration,
    /// Which policies, with commas between: rules, hpa, keda, kpa, cloud-run, slo, or all.
    #[arg(long, value_delimiter = ',', default_value = "all")]
    pub(super) policy: Vec<String>,
    /// Draws load, instances and waits to this file, as SVG.
    #[arg(long)]
    pub(super) plot: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "give seconds as a number from 0 on".to_owned())
}
