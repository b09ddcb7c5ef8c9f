//! wip
use crate::{console::Console, proof::Proofs};
use alfred_ops_core::{JobContext, Result};
/// wip
/// # Errors
/// wip
pub async fn scaling(_context: &JobContext, _console: &Console, _proofs: &mut Proofs) -> Result<()> {
    Ok(())
}
