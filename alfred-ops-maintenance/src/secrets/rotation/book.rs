//! Where the record of a rotation is kept.

use std::sync::Arc;

use alfred_ops_core::{Expected, Fence, Found, Result, StateCell, StateStore};

use super::RotationRecord;

const REASON_BYTES_MAX: usize = 200;

/// The record of one secret's rotation, in a state store: read by whoever publishes it, written by its care and by
/// people who want a new one.
#[derive(Debug, Clone)]
pub struct RotationBook {
    cell: StateCell<RotationRecord>,
}

impl RotationBook {
    /// The book of `secret`. Nothing is read or written before a call.
    #[must_use]
    pub fn new(store: Arc<dyn StateStore>, secret: &str) -> Self {
        Self { cell: StateCell::new(store, format!("rotation/{secret}")) }
    }

    /// What is known of the rotation.
    ///
    /// # Errors
    /// The store's.
    pub async fn record(&self) -> Result<RotationRecord> {
        Ok(self.load().await?.0)
    }

    /// Asks for a new generation before its time: it is begun at the care's next run, once none is in the making and none
    /// retires. One that was begun before is no answer.
    ///
    /// # Errors
    /// The store's; may be repeated.
    pub async fn want(&self, reason: &str) -> Result<()> {
        let end = reason.floor_char_boundary(REASON_BYTES_MAX);
        self.cell
            .change("ask for a rotation", None, |found| {
                let mut record = found.map_or_else(RotationRecord::default, |found| found.value);
                record.wanted = Some(reason[..end].to_owned());
                Ok((Some(record), ()))
            })
            .await
    }

    /// The record, and what a write must expect that replaces it.
    pub(super) async fn load(&self) -> Result<(RotationRecord, Expected)> {
        let found = self.cell.load().await?;
        let expected = Found::expected(found.as_ref());
        Ok((found.map_or_else(RotationRecord::default, |found| found.value), expected))
    }

    /// Writes the record if it is still as it was read; of two hosts one wins.
    pub(super) async fn save(
        &self,
        record: &RotationRecord,
        before: Expected,
        fence: Option<Fence>,
    ) -> Result<Expected> {
        self.cell.save("write rotation", record, before, fence).await.map(Expected::Version)
    }
}
