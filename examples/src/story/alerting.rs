//! An agent fails, people hear of it, it recovers, people hear of that.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_alerts::{AlertEngine, AlertState, Target, WebhookSink, brief_rules};
use alfred_ops_core::{Clock as _, JobContext, Result, SimulatedClock, TaskSet};
use chrono::{DateTime, Utc};

use crate::console::Console;
use crate::platform::{Agent, Behaviour, WebhookReceiver};
use crate::proof::Proofs;

const AGENTS: [&str; 3] = ["alfred-bot", "social-intel", "legal-compliance"];
const ALERT: &str = "TaskFailureRatioHigh";
/// Simulated time between two scrapes, as the platform's Prometheus has it.
const SCRAPE_PERIOD: Duration = Duration::from_secs(15);
/// A change that takes longer never comes.
const STEPS_MAX: usize = 200;

/// The engine on a clock of its own: the servers are real, the minutes are not.
struct Watch {
    clock: SimulatedClock,
    engine: AlertEngine,
    agents: Vec<Agent>,
}

impl Watch {
    /// Lets time pass until the alert stands as wanted, and returns when that was.
    async fn until(&self, behaviour: Behaviour, wanted: AlertState) -> Option<DateTime<Utc>> {
        for _ in 0..STEPS_MAX {
            self.clock.advance(SCRAPE_PERIOD);
            for (index, agent) in self.agents.iter().enumerate() {
                agent.work(20, if index == 0 { behaviour } else { Behaviour::Healthy });
            }
            let now = self.clock.now();
            for change in self.engine.step(now).await {
                if change.labels.get("alertname") == Some(ALERT) && change.to == wanted {
                    return Some(now);
                }
            }
        }
        None
    }
}

/// Scrapes three agents while one of them fails for a while.
///
/// # Errors
/// If a step fails; a proof that does not hold is no error.
pub async fn alerting(context: &JobContext, console: &Console, proofs: &mut Proofs) -> Result<()> {
    console.chapter("An agent fails and people hear of it");
    let tasks = TaskSet::new(&context.cancel);
    let webhook = WebhookReceiver::start(&tasks).await?;
    let clock = SimulatedClock::starting_at(context.now());
    let mut builder = AlertEngine::builder()
        .rules(brief_rules())
        .sink(Arc::new(WebhookSink::new(webhook.url())?))
        .clock(clock.shared());
    let mut agents = Vec::new();
    for name in AGENTS {
        let agent = Agent::start(name, &tasks).await?;
        console.step(&format!("agent {} serves http://{}/metrics", agent.name(), agent.address()));
        builder = builder.target(Target::new("agents", agent.address()));
        agents.push(agent);
    }
    let watch = Watch { clock, engine: builder.build()?, agents };
    let quiet = watch.until(Behaviour::Healthy, AlertState::Pending).await;
    proofs.add("healthy agents stay quiet", format!("{STEPS_MAX} scrapes"), "no alert", quiet.is_none());

    let broken_at = watch.clock.now();
    let pending = watch.until(Behaviour::Failing, AlertState::Pending).await;
    let firing = watch.until(Behaviour::Failing, AlertState::Firing).await;
    let told = webhook.about(ALERT);
    let after = |moment: Option<DateTime<Utc>>| {
        moment
            .map_or_else(|| "never".to_owned(), |moment| format!("{} s", (moment - broken_at).num_seconds()))
    };
    let text = told.first().map(|received| received.summary.clone()).unwrap_or_default();
    console.step(&format!("{}: pending after {}, firing after {}", ALERT, after(pending), after(firing)));
    console.step(&format!("webhook received: {text}"));
    proofs.add(
        "a failing agent raises an alert",
        format!("pending {}, firing {} (simulated)", after(pending), after(firing)),
        format!("webhook received {:?}", statuses(&told)),
        pending.is_some() && firing > pending && statuses(&told) == ["firing"],
    );

    let resolved = watch.until(Behaviour::Healthy, AlertState::Resolved).await;
    let told = webhook.about(ALERT);
    proofs.add(
        "the fixed agent resolves it",
        format!("resolved {} (simulated)", after(resolved)),
        format!("webhook received {:?}", statuses(&told)),
        resolved.is_some() && statuses(&told) == ["firing", "resolved"],
    );
    tasks.shutdown().await;
    Ok(())
}

fn statuses(received: &[crate::platform::Received]) -> Vec<&str> {
    received.iter().map(|received| received.status.as_str()).collect()
}
