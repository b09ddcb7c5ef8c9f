//! One replica.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{
    Activation, ErrorKind, Job, JobContext, JobOptions, JobReport, MissedRuns, PostgresOptions,
    PostgresStateStore, Result, StateStore, Supervisor, Write, blocking,
};
use serde_json::{Value, json};

use super::{LEADER_KEY, NAME, TTL};

const PERIOD: Duration = Duration::from_secs(1);
/// Long enough for the parent to strike in the middle.
const RUN_TAKES: Duration = Duration::from_millis(400);

/// One replica, until its input ends.
pub(in crate::chaos) async fn replica(database: &PostgresOptions) -> Result<()> {
    let store: Arc<dyn StateStore> = Arc::new(PostgresStateStore::connect(database).await?);
    let options = JobOptions::default()
        .with_missed(MissedRuns::CatchUp { max: 10_000, window: Duration::MAX })
        .with_history_max(250);
    let ops = Supervisor::builder(Arc::clone(&store))
        .name(NAME)
        .lease(TTL)
        .job_with(Tick { store }, options)
        .build()?;
    let input_ends = async {
        let _ = blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
    };
    ops.run_until(input_ends).await
}

/// Says who leads, works, and then writes under its fence, however late.
#[derive(Debug)]
struct Tick {
    store: Arc<dyn StateStore>,
}

#[async_trait::async_trait]
impl Job for Tick {
    fn name(&self) -> &'static str {
        "tick"
    }

    fn activation(&self) -> Activation {
        Activation::Every(PERIOD)
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        let value = json!({"pid": std::process::id(), "epoch": context.fence.as_ref().map(|f| f.epoch)});
        self.write(LEADER_KEY, value.clone(), context).await?;
        // It does not heed its token, as bad jobs do not: what it writes then is what the fence is for.
        context.clock.sleep(RUN_TAKES).await;
        let written = self.write("leases/effect", value, context).await;
        if let Err(error) = &written
            && error.kind() == ErrorKind::Fenced
        {
            let _ = writeln!(std::io::stdout(), "fenced");
        }
        written.map(|()| JobReport::new("ticked"))
    }
}

impl Tick {
    async fn write(&self, key: &str, value: Value, context: &JobContext) -> Result<()> {
        let write = match self.store.get(key).await? {
            None => Write::create(key, value),
            Some(document) => Write::replace(key, value, document.version),
        };
        self.store.put(&write.with_fence(context.fence.clone())).await.map(|_| ())
    }
}
