//! What can be captured and restored.

mod interface;
mod memory;
mod recovery_target;
mod restore_request;

#[cfg(any(test, feature = "testing"))]
pub use interface::MockBackend;
pub use interface::{Backend, Captured, Restored};
pub use memory::MemoryBackend;
pub use recovery_target::RecoveryTarget;
pub use restore_request::RestoreRequest;
