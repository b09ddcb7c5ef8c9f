//! A service in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;

use super::{Current, Limits, Outcome, Precondition, Scaler};

/// Enough for any test.
const LIMITS: Limits = Limits { min: 0, max: 1000 };

/// A service in memory whose instances run at once: for tests and examples.
#[derive(Debug)]
pub struct MemoryScaler {
    name: String,
    service: Mutex<Service>,
}

#[derive(Debug)]
struct Service {
    instances: u32,
    generation: u64,
}

impl MemoryScaler {
    /// A service with so many instances.
    #[must_use]
    pub fn new(name: impl Into<String>, instances: u32) -> Self {
        Self { name: name.into(), service: Mutex::new(Service { instances, generation: 1 }) }
    }

    fn lock(&self) -> MutexGuard<'_, Service> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    fn precondition(&self) -> Precondition {
        Precondition::new(self.generation.to_string())
    }
}

#[async_trait]
impl Scaler for MemoryScaler {
    fn name(&self) -> &str {
        &self.name
    }

    fn limits(&self) -> Limits {
        LIMITS
    }

    async fn current(&self) -> Result<Current> {
        let service = self.lock();
        Ok(Current {
            configured: service.instances,
            running: Some(service.instances),
            precondition: service.precondition(),
        })
    }

    async fn plan(&self, target: u32) -> Result<String> {
        LIMITS.check(&self.name, target)?;
        Ok(format!("{}: {} to {target} instances", self.name, self.lock().instances))
    }

    async fn scale(&self, target: u32, precondition: &Precondition) -> Result<Outcome> {
        LIMITS.check(&self.name, target)?;
        let mut service = self.lock();
        if *precondition != service.precondition() {
            return Err(Error::new(ErrorKind::Conflict, "scale", "the service was changed meanwhile")
                .with_target(&self.name));
        }
        service.instances = target;
        service.generation += 1;
        Ok(Outcome { configured: target, precondition: service.precondition() })
    }
}
