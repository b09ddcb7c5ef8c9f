//! A chore to which something happens between its plan and its work.

use std::fmt;
use std::pin::Pin;

use alfred_ops_core::{JobContext, Result};
use alfred_ops_maintenance::{Chore, Turn};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

type Happening = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A chore to which something happens, once, between its plan and its work.
pub(crate) struct Hooked<C> {
    chore: C,
    happens: Mutex<Option<Happening>>,
}

impl<C: Chore> Hooked<C> {
    pub(crate) fn new(chore: C, happens: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { chore, happens: Mutex::new(Some(Box::pin(happens))) }
    }
}

impl<C: fmt::Debug> fmt::Debug for Hooked<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hooked({:?})", self.chore)
    }
}

#[async_trait]
impl<C: Chore> Chore for Hooked<C> {
    type Facts = C::Facts;
    type Plan = C::Plan;

    fn name(&self) -> &str {
        self.chore.name()
    }

    fn target(&self) -> &str {
        self.chore.target()
    }

    async fn inspect(&self, context: &JobContext) -> Result<C::Facts> {
        self.chore.inspect(context).await
    }

    fn plan(&self, facts: &C::Facts, now: DateTime<Utc>) -> C::Plan {
        self.chore.plan(facts, now)
    }

    async fn apply(&self, plan: &C::Plan, turn: &mut Turn<'_>) -> Result<()> {
        if let Some(happens) = self.happens.lock().await.take() {
            happens.await;
        }
        self.chore.apply(plan, turn).await
    }
}
