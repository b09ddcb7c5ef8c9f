//! Where the record of a rotation is kept.

use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Fence, Result, StateStore, Write};

use super::RotationRecord;

/// A write that meets another's is decided again; people and one run write, so a few times do.
const ATTEMPTS_MAX: u32 = 16;
const REASON_BYTES_MAX: usize = 200;

/// The record of one secret's rotation, in a state store: read by whoever publishes it, written by its care and by
/// people who want a new one.
#[derive(Debug, Clone)]
pub struct RotationBook {
    store: Arc<dyn StateStore>,
    key: String,
}

impl RotationBook {
    /// The book of `secret`. Nothing is read or written before a call.
    #[must_use]
    pub fn new(store: Arc<dyn StateStore>, secret: &str) -> Self {
        Self { store, key: format!("rotation/{secret}") }
    }

    /// What is known of the rotation.
    ///
    /// # Errors
    /// The store's.
    pub async fn record(&self) -> Result<RotationRecord> {
        Ok(self.load().await?.0)
    }

    /// Asks for a new generation before its time: a rotation begins at the care's next run, once none is under way.
    ///
    /// # Errors
    /// The store's; may be repeated.
    pub async fn want(&self, reason: &str) -> Result<()> {
        let end = reason.floor_char_boundary(REASON_BYTES_MAX);
        for _ in 0..ATTEMPTS_MAX {
            let (mut record, version) = self.load().await?;
            record.wanted = Some(reason[..end].to_owned());
            match self.save(&record, version, None).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                other => return other.map(|_| ()),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "ask for a rotation", "others keep changing the record")
            .with_target(self.key.clone()))
    }

    pub(super) async fn load(&self) -> Result<(RotationRecord, Option<u64>)> {
        match self.store.get(&self.key).await? {
            Some(document) => Ok((document.parse()?, Some(document.version))),
            None => Ok((RotationRecord::default(), None)),
        }
    }

    /// Writes the record if it is still as it was read; of two hosts one wins.
    pub(super) async fn save(
        &self,
        record: &RotationRecord,
        version: Option<u64>,
        fence: Option<Fence>,
    ) -> Result<u64> {
        let value = serde_json::to_value(record).map_err(|source| {
            Error::new(ErrorKind::Internal, "write rotation", "it is not JSON").with_source(source)
        })?;
        let write = match version {
            Some(version) => Write::replace(self.key.clone(), value, version),
            None => Write::create(self.key.clone(), value),
        };
        self.store.put(&write.with_fence(fence)).await
    }
}
