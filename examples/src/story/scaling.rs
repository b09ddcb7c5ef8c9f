//! A queue grows, instances come; it drains, they go.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{JobContext, Result, SimulatedClock};
use alfred_ops_scaling::testing::servers::CloudRunServer;
use alfred_ops_scaling::{Autoscaler, CloudRunOptions, CloudRunScaler, Policy, Workload};

use crate::console::Console;
use crate::proof::Proofs;

const SERVICE: &str = "projects/alfred/locations/europe-west1/services/alfred-bot";
/// Simulated time between two decisions.
const PERIOD: Duration = Duration::from_secs(15);
const DECISIONS_PER_MINUTE: u32 = 4;

/// Minutes, messages that wait, messages in work, share of processors and memory in use.
const DAY: [(u32, f64, f64, f64); 3] = [(2, 0.0, 0.0, 0.0), (15, 6000.0, 40.0, 0.7), (60, 0.0, 0.0, 0.1)];

/// Drives a Cloud Run Admin API server through a queue's growth and end.
///
/// # Errors
/// If a step fails; a proof that does not hold is no error.
pub async fn scaling(context: &JobContext, console: &Console, proofs: &mut Proofs) -> Result<()> {
    console.chapter("A queue grows and drains");
    let server = CloudRunServer::start().await?;
    server.add_service(SERVICE, false);
    console.step(&format!("a Cloud Run Admin API listens at {}", server.endpoint()));
    let options = CloudRunOptions::new("alfred", "europe-west1", "alfred-bot")?
        .with_endpoint(server.endpoint())
        .with_poll_after(Duration::from_millis(1));
    let scaler = Arc::new(CloudRunScaler::connect(options).await?);
    let workload = Arc::new(Workload::new());
    let signals = Arc::<Workload>::clone(&workload);
    let autoscaler = Autoscaler::new(scaler, signals, Policy::default());
    let clock = SimulatedClock::starting_at(context.now());
    let simulated = context.clone().with_clock(clock.shared());
    let mut minute = 0;
    for (minutes, queued, in_flight, usage) in DAY {
        workload.set_queued(queued);
        workload.set_in_flight(in_flight);
        workload.set_usage(usage, usage);
        for decision in 0..minutes * DECISIONS_PER_MINUTE {
            let before = server.instances(SERVICE);
            clock.advance(PERIOD);
            let decided = autoscaler.tick(&simulated).await?;
            if before != Some(decided.desired) {
                console.step(&format!("minute {}: {decided}", minute + decision / DECISIONS_PER_MINUTE));
            }
        }
        minute += minutes;
    }
    let history = server.history(SERVICE);
    let most = history.iter().copied().max().unwrap_or(0);
    proofs.add(
        "a growing queue scales the service",
        format!("0 to {most} instances in {minute} minutes (simulated)"),
        format!("the server was set to {history:?}"),
        history.first() == Some(&1) && most > 4 && most <= Policy::default().max,
    );
    proofs.add(
        "a drained queue scales it back",
        format!("{most} to {} instances", server.instances(SERVICE).unwrap_or(most)),
        format!("{} revisions, none made by scaling", server.revisions(SERVICE).unwrap_or(0)),
        server.instances(SERVICE) == Some(0) && server.revisions(SERVICE) == Some(1),
    );
    Ok(())
}
