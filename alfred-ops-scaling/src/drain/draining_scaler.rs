//! A scaler that stops nobody who works.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;

use super::book::Notice;
use super::drain_leases::later;
use super::plan::{DrainPlan, Reach, plan};
use super::{DrainLeases, Victims};
use crate::scaler::{Current, Limits, Observed, Outcome, Precondition, Scaler};

/// A notice of a step down stands for so long. The step is made within it or not at all, and a controller that dies keeps
/// nobody from work for longer.
const NOTICE: Duration = Duration::from_secs(60);

/// A scaler that stops nobody who has a [drain lease](DrainLeases).
///
/// A smaller number is set as far as leases allow; [`Outcome::configured`] says how far that was, and the next tick goes on.
/// Before anything is set, those who are to go are told to begin nothing more: a worker takes its lease before that and
/// is seen, or after it and is refused. That stands for a minute; [`renew_notice`](Self::renew_notice) is for platforms that take
/// longer. Scalers that share leases take back their own word alone, by [`Scaler::name`]. A larger number is set as it is. What nobody can promise is a platform that stops
/// instances for reasons of its own, or a person who sets a number by hand.
///
/// If the store does not answer, the number does not fall.
#[derive(Debug)]
pub struct DrainingScaler {
    service: Arc<dyn Scaler>,
    leases: DrainLeases,
    victims: Victims,
}

impl DrainingScaler {
    /// Scales `service`, whose workers take `leases`, and which stops `victims`.
    #[must_use]
    pub fn new(service: Arc<dyn Scaler>, leases: DrainLeases, victims: Victims) -> Self {
        Self { service, leases, victims }
    }

    /// Plans a step down, and tells those who are to go.
    async fn announce(&self, current: u32, target: u32) -> Result<DrainPlan> {
        let instances = match &self.victims {
            Victims::Chosen(choice) => choice.instances().await?,
            _ => Vec::new(),
        };
        let reach = match &self.victims {
            Victims::Anybody => Reach::Anybody { pausing: false },
            Victims::AnybodyAfterPause => Reach::Anybody { pausing: true },
            Victims::HighestOrdinals => Reach::HighestOrdinals,
            Victims::Chosen(_) => Reach::Chosen(&instances),
        };
        self.leases
            .change("announce step down", |book, now| {
                let plan = plan(book, current, target, reach);
                let Some(closing) = plan.closing.clone() else {
                    book.withdraw_notice(self.name());
                    return Ok(plan);
                };
                if book.give_notice(self.name(), Notice { closing, until: later(now, NOTICE) }) {
                    return Ok(plan);
                }
                let fault = "those who are to go are more than the document of leases holds";
                Err(Error::new(ErrorKind::ResourceExhausted, "announce step down", fault)
                    .with_target(self.name())
                    .with_remedy("step down by fewer at a time, or share the leases among fewer scalers"))
            })
            .await
    }

    /// Has those who were told to go begin nothing more for another minute, if they were told within the last one and the number was not
    /// to grow since; whether that is so. Whoever sets a number looks after it until the platform has stopped all whom it
    /// is to stop.
    ///
    /// # Errors
    /// The store's. The notice then lapses within a minute.
    pub async fn renew_notice(&self) -> Result<bool> {
        self.leases
            .change("renew notice", |book, now| Ok(book.renew_notice(self.name(), later(now, NOTICE))))
            .await
    }

    /// Lets everybody begin again, once the number is not to fall any further.
    async fn withdraw(&self) -> Result<()> {
        self.leases
            .change("withdraw notice", |book, _| {
                book.withdraw_notice(self.name());
                Ok(())
            })
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Scaler for DrainingScaler {
    fn name(&self) -> &str {
        self.service.name()
    }

    fn limits(&self) -> Limits {
        self.service.limits()
    }

    async fn current(&self) -> Result<Current> {
        self.service.current().await
    }

    async fn observe(&self) -> Result<Observed> {
        self.service.observe().await
    }

    async fn plan(&self, target: u32) -> Result<String> {
        let planned = self.service.plan(target).await?;
        let standing = self.leases.standing().await?;
        let Some(until) = standing.leases.iter().map(|(_, until)| *until).max() else { return Ok(planned) };
        Ok(format!(
            "{planned}, as far as {} drain leases allow, the last of which ends by {until}",
            standing.leases.len()
        ))
    }

    async fn scale(&self, target: u32, precondition: &Precondition) -> Result<Outcome> {
        let current = self.service.current().await?;
        if target >= current.configured {
            let outcome = self.service.scale(target, precondition).await?;
            // Who was told to go is needed again. A store that does not answer lets the notice lapse.
            if let Err(error) = self.withdraw().await {
                tracing::warn!(error = error.full(), "a notice of a step down stands until it lapses");
            }
            return Ok(outcome);
        }
        self.limits().check(self.name(), target)?;
        let planned = self.announce(current.configured, target).await?;
        if planned.allowed > target {
            let (leases, until) = (planned.held_by, planned.held_until);
            tracing::info!(target, allowed = planned.allowed, leases, ?until, "held by drain leases");
        }
        if planned.allowed >= current.configured {
            // Somebody else's change is for the next look to find.
            return Ok(Outcome { configured: current.configured, precondition: current.precondition });
        }
        if let Victims::Chosen(choice) = &self.victims {
            choice.choose(&planned.victims).await?;
        }
        self.service.scale(planned.allowed, precondition).await
    }
}
