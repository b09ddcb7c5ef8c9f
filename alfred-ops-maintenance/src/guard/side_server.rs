//! A server beside, started from a restored backup.

use std::fmt;
use std::path::Path;

use alfred_ops_core::{JobContext, PostgresOptions, Result};
use async_trait::async_trait;

/// Starts and stops servers on restored data directories.
///
/// [`LocalPostgres`](super::LocalPostgres) does so on this machine; a host may do it elsewhere.
#[async_trait]
pub trait SideServer: fmt::Debug + Send + Sync + 'static {
    /// Starts a server on `data` with these settings, waits until its recovery has ended, and returns how it is reached.
    ///
    /// Called again for a folder where it runs already, after a crash of the host, it returns the same. After an error or a
    /// drop it may run or not. No other database than the one in `data` is touched.
    ///
    /// # Errors
    /// It does not come up.
    async fn start(
        &self,
        data: &Path,
        settings: &[(String, String)],
        context: &JobContext,
    ) -> Result<PostgresOptions>;

    /// Stops the server on `data`, if it runs. The folder stays.
    ///
    /// # Errors
    /// It runs on.
    async fn stop(&self, data: &Path, context: &JobContext) -> Result<()>;
}
