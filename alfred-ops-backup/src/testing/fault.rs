//! What can go wrong with one request.

use std::time::Duration;

use alfred_ops_core::ErrorKind;
use bytes::{Bytes, BytesMut};
use tokio_util::sync::CancellationToken;

/// The methods of a [`BlobStore`](crate::BlobStore) that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlobMethod {
    /// `put`.
    Put,
    /// `create`.
    Create,
    /// `get`.
    Get,
    /// `get_range`.
    GetRange,
    /// `list`.
    List,
    /// `delete`.
    Delete,
}

impl BlobMethod {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Put, Self::Create, Self::Get, Self::GetRange, Self::List, Self::Delete];
}

/// What goes wrong with one request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing: lets one request pass, so that a later one can be hit.
    Pass,
    /// The request fails before it has any effect.
    Reject(ErrorKind),
    /// The request has its effect and then fails, with an unknown outcome.
    FailAfter(ErrorKind),
    /// The request waits until the token is cancelled, and then goes on.
    HoldUntil(CancellationToken),
    /// The request takes this much longer, on the store's clock.
    Delay(Duration),
    /// A read returns only its first bytes, at most this many.
    Truncate(usize),
    /// A read returns its bytes with this bit inverted, counted from the first and modulo their number.
    FlipBit(u64),
}

/// The same bytes with one bit inverted, counted from the first and modulo their number.
pub(super) fn flip(data: &Bytes, bit: u64) -> Bytes {
    let mut data = BytesMut::from(&data[..]);
    let bits = (data.len() as u64).saturating_mul(8);
    let at = bit.checked_rem(bits).and_then(|bit| usize::try_from(bit / 8).ok());
    if let Some(byte) = at.and_then(|at| data.get_mut(at)) {
        *byte ^= 1 << (bit % 8);
    }
    data.freeze()
}
