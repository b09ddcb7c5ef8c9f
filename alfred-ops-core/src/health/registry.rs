//! Where components report.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{ComponentView, Criticality, HealthView, Status};
use crate::{Error, ErrorKind, Result, SharedClock};

/// A health page with more lines helps nobody, and a leak of registrations must show.
const COMPONENTS_MAX: usize = 1_000;

/// Where the components of a host report how they are. Clones share the reports.
#[derive(Debug, Clone)]
pub struct Health {
    clock: SharedClock,
    components: Arc<Mutex<BTreeMap<String, Component>>>,
}

#[derive(Debug, Clone)]
struct Component {
    criticality: Criticality,
    /// A silent component is degraded after this long; never while it expects nothing.
    silent_after: Option<Duration>,
    status: Status,
    reported_at: DateTime<Utc>,
    /// Silence is measured where the wall clock's jumps do not matter.
    reported_monotonic: Duration,
    idle: bool,
}

impl Component {
    fn view(&self, name: &str, monotonic: Duration) -> ComponentView {
        let silence = monotonic.saturating_sub(self.reported_monotonic);
        let status = match self.silent_after {
            Some(limit) if !self.idle && silence > limit && self.status == Status::Healthy => {
                Status::degraded(format!("no report for {} s", silence.as_secs()))
            }
            _ => self.status.clone(),
        };
        ComponentView {
            name: name.to_owned(),
            criticality: self.criticality,
            status,
            reported_at: self.reported_at,
        }
    }
}

impl Health {
    /// Nobody reports yet.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, components: Arc::default() }
    }

    /// Adds a component, healthy from now. It counts as degraded once it has been silent for longer than
    /// `silent_after`. A component of the same name is replaced.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceExhausted`] if there are a thousand already.
    pub fn register(
        &self,
        name: impl Into<String>,
        criticality: Criticality,
        silent_after: Option<Duration>,
    ) -> Result<HealthReporter> {
        let name = name.into();
        let mut components = self.lock();
        if components.len() >= COMPONENTS_MAX && !components.contains_key(&name) {
            let fault = format!("there are {COMPONENTS_MAX} components already");
            return Err(Error::new(ErrorKind::ResourceExhausted, "register for health", fault)
                .with_target(name)
                .with_remedy("report one component per part, not per object"));
        }
        components.insert(
            name.clone(),
            Component {
                criticality,
                silent_after,
                status: Status::Healthy,
                reported_at: self.clock.now(),
                reported_monotonic: self.clock.monotonic(),
                idle: false,
            },
        );
        drop(components);
        Ok(HealthReporter { health: self.clone(), name })
    }

    /// Removes a component that no longer exists.
    pub fn deregister(&self, name: &str) {
        self.lock().remove(name);
    }

    /// How all are now.
    #[must_use]
    pub fn view(&self) -> HealthView {
        let monotonic = self.clock.monotonic();
        let components =
            self.lock().iter().map(|(name, component)| component.view(name, monotonic)).collect();
        HealthView::roll_up(components)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Component>> {
        self.components.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reporting end of one component. Reporting never waits.
#[derive(Debug, Clone)]
pub struct HealthReporter {
    health: Health,
    name: String,
}

impl HealthReporter {
    /// Says how it is now.
    pub fn report(&self, status: Status) {
        self.set(status, false);
    }

    /// Says that it is well and that nothing is to be expected of it until its next report.
    pub fn idle(&self) {
        self.set(Status::Healthy, true);
    }

    fn set(&self, status: Status, idle: bool) {
        let (now, monotonic) = (self.health.clock.now(), self.health.clock.monotonic());
        if let Some(component) = self.health.lock().get_mut(&self.name) {
            component.status = status;
            component.idle = idle;
            component.reported_at = now;
            component.reported_monotonic = monotonic;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SimulatedClock;

    #[test]
    fn the_worst_critical_component_decides_and_the_others_only_degrade() {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let health = Health::new(clock.shared());
        assert_eq!(health.view().status, Status::Healthy);
        let backup = health.register("backup", Criticality::Critical, None).unwrap();
        let drill = health.register("drill", Criticality::NonCritical, None).unwrap();
        drill.report(Status::unhealthy("no restore for 9 days"));
        assert_eq!(health.view().status, Status::degraded("drill: no restore for 9 days"));
        backup.report(Status::unhealthy("disk full"));
        assert_eq!(health.view().status, Status::unhealthy("backup: disk full"));
        backup.report(Status::Healthy);
        health.deregister("drill");
        assert_eq!(health.view().status, Status::Healthy);
    }

    #[test]
    fn silence_degrades_unless_nothing_is_expected() {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let health = Health::new(clock.shared());
        let backup = health.register("backup", Criticality::Critical, Some(Duration::from_secs(60))).unwrap();
        clock.advance(Duration::from_secs(60));
        assert_eq!(health.view().status, Status::Healthy);
        clock.advance(Duration::from_secs(1));
        assert_eq!(health.view().status, Status::degraded("backup: no report for 61 s"));
        backup.idle();
        clock.advance(Duration::from_secs(600));
        assert_eq!(health.view().status, Status::Healthy);
        backup.report(Status::degraded("slow"));
        let json = serde_json::to_value(health.view()).unwrap();
        assert_eq!(json["status"], "degraded");
        assert_eq!(json["components"][0]["reason"], "slow");
        assert_eq!(json["components"][0]["criticality"], "critical");
    }

    #[test]
    fn a_leak_of_components_is_refused() {
        let health = Health::new(SimulatedClock::starting_at(DateTime::UNIX_EPOCH).shared());
        for number in 0..COMPONENTS_MAX {
            health.register(format!("c{number}"), Criticality::NonCritical, None).unwrap();
        }
        let error = health.register("one too many", Criticality::Critical, None).unwrap_err().to_string();
        assert!(error.contains("one too many") && error.contains("1000"), "{error}");
        health.register("c1", Criticality::Critical, None).unwrap();
    }
}
