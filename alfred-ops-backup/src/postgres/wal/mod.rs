//! The write-ahead log on its way into the repository.

mod archiver;
mod options;
mod positions;
mod stream;

pub use archiver::WalArchiver;
pub use options::WalArchiveOptions;

pub(super) use positions::Positions;
pub(super) use stream::{Slot, WalRequest, WalStream};
