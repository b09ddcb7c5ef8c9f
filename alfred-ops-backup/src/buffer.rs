//! Large buffers that are used again.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Smaller buffers are not worth keeping.
const KEPT_BYTES_MIN: usize = 64 << 10;
/// What the pool holds, at most, while nobody uses it.
const POOL_BYTES_MAX: usize = 32 << 20;

/// Fresh pages cost the system more time than compression does: every MiB would be mapped, zeroed and
/// unmapped again.
static POOL: Mutex<Pool> = Mutex::new(Pool { buffers: Vec::new(), bytes: 0 });

struct Pool {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

/// A byte vector whose memory goes back to a pool when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    /// An empty buffer with room for so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let wanted = bytes.next_power_of_two();
        if wanted >= KEPT_BYTES_MIN {
            let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = pool.buffers.iter().rposition(|kept| kept.capacity() == wanted) {
                let kept = pool.buffers.swap_remove(at);
                pool.bytes -= wanted;
                return Self(kept);
            }
        }
        Self(Vec::with_capacity(wanted))
    }

    /// The content, shared. The memory goes back when the last share is dropped.
    pub(crate) fn freeze(self) -> Bytes {
        if self.is_empty() { Bytes::new() } else { Bytes::from_owner(self) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        let bytes = buffer.capacity();
        if bytes < KEPT_BYTES_MIN || !bytes.is_power_of_two() {
            return;
        }
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.bytes + bytes <= POOL_BYTES_MAX {
            buffer.clear();
            pool.bytes += bytes;
            pool.buffers.push(buffer);
        }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_back_with_the_last_share_and_holds_nothing_old() {
        // A length that no other test asks for.
        let bytes = 16 << 20;
        let mut buffer = Buffer::with_capacity(bytes - 5);
        buffer.extend_from_slice(b"secret");
        let place = buffer.as_ptr();
        let shared = buffer.freeze();
        let part = shared.slice(1..3);
        drop(shared);
        assert_eq!(part, "ec");
        assert_ne!(Buffer::with_capacity(bytes).as_ptr(), place, "it is still in use");
        drop(part);
        let again = Buffer::with_capacity(bytes);
        assert!(again.is_empty() && again.capacity() == bytes);
    }
}
