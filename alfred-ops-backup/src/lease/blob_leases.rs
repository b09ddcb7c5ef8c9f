//! Leases in any blob store that keeps the promise of `create`.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Fence, Grant, JobContext, LeaseStore, Result, SharedClock};
use async_trait::async_trait;
use tracing::debug;

use super::record::LeaseRecord;
use super::sightings::Sightings;
use crate::{BlobStore, CreateOnce, check_key, probe_conditional_writes};

/// Where leases are kept, below the store's root.
const FOLDER: &str = "leases";
/// A renewal takes four requests: below this they would eat the whole term.
const TTL_MIN: Duration = Duration::from_secs(1);
/// Above this a dead owner would block its successors for too long.
const TTL_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// More states than a renewal in every second of an hour leaves if none is ever removed.
const STATES_MAX: usize = 4096;
/// Old states removed by one write.
const REMOVALS_MAX: usize = 16;
/// How often the newest state may vanish between a listing and its reading: each time a newer one came.
const READS_MAX: u32 = 8;

/// Leases in a [`BlobStore`], for when the database is what is down.
///
/// Each state of a lease is a blob of its own, `leases/NAME/SERIAL` (16 hexadecimal digits), made by
/// [`BlobStore::create`]; the highest serial is the present state. Acquiring, renewing and releasing each make
/// the next one, and of rivals the store lets one win. Whoever has written looks whether its state is the
/// highest: a writer that was paused long enough for its serial to be used and cleaned up finds out that way.
/// Older states are removed by later writes; where that fails they do no harm.
///
/// # Clocks
/// No two clocks are compared. A rival takes a lease over once it has itself seen the same state for a whole
/// term, on its own monotonic clock; the holder stops trusting it a quarter of the term earlier, counted from
/// before its last write began. It is safe as long as no machine's clock runs a quarter slower than another's.
/// The price: a process that comes new waits a whole term for a holder that died, however long ago, and must
/// keep asking (once a term at least), since only what it saw itself counts.
///
/// # Stores
/// A store that ignores conditional writes is refused by [`open`](Self::open). Give leases a place without
/// Object Lock, where old states can be removed, and not a [`MirroredBlobStore`](crate::MirroredBlobStore), whose
/// listings may come from its second side: use its primary.
#[derive(Debug)]
pub struct BlobLeases<S> {
    store: S,
    clock: SharedClock,
    sightings: Sightings,
}

/// The present state of a lease.
#[derive(Debug)]
struct Present {
    serial: u64,
    record: LeaseRecord,
    /// The serials below it that are still there.
    older: Vec<u64>,
}

impl<S: BlobStore> BlobLeases<S> {
    /// Leases in `store`, after a look at whether it refuses to create a key twice.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if it does not; else the store's.
    pub async fn open(store: S, context: &JobContext) -> Result<Self> {
        if probe_conditional_writes(&store, context).await? == CreateOnce::Ignored {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "open leases",
                "the store ignores conditional writes: two could hold one lease",
            )
            .with_target(store.location())
            .with_remedy("keep leases in a database, or use a store that honours If-None-Match"));
        }
        Ok(Self { store, clock: Arc::clone(&context.clock), sightings: Sightings::default() })
    }

    /// Whether a write under `fence` may still happen: call it just before a write that makes something visible.
    /// Between the answer and the write a new owner may come, so the write itself should be a `create`.
    ///
    /// # Errors
    /// [`ErrorKind::Fenced`] if there is a newer owner or no such lease; else the store's.
    pub async fn check(&self, fence: &Fence, operation: &'static str) -> Result<()> {
        let present = self.load(&fence.lease).await?;
        let record = present.map(|present| serde_json::json!({ "epoch": present.record.epoch }));
        fence.judge(operation, record.as_ref())
    }

    /// The highest state of a lease, if there is any.
    async fn load(&self, name: &str) -> Result<Option<Present>> {
        let folder = format!("{FOLDER}/{name}/");
        for _ in 0..READS_MAX {
            let found = self.store.list(&folder, "", STATES_MAX).await?;
            if found.len() == STATES_MAX {
                return Err(self.overgrown(&folder));
            }
            let serials = found.iter().filter_map(|blob| parse_serial(blob.key.strip_prefix(&folder)?));
            let mut older: Vec<u64> = serials.collect();
            older.sort_unstable();
            let Some(serial) = older.pop() else { return Ok(None) };
            let key = state_key(name, serial);
            match self.store.get(&key).await {
                Ok(data) => {
                    let record = LeaseRecord::parse(self.store.location(), &key, &data)?;
                    return Ok(Some(Present { serial, record, older }));
                }
                // A newer state came, and its writer removed this one.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "read lease", "it changes too fast to be read")
            .with_target(format!("{}/{folder}", self.store.location())))
    }

    fn overgrown(&self, folder: &str) -> Error {
        let fault = format!("{STATES_MAX} old states were never removed");
        Error::new(ErrorKind::ResourceExhausted, "read lease", fault)
            .with_target(format!("{}/{folder}", self.store.location()))
            .with_remedy(
                "allow deletions there (no Object Lock), then delete all of these objects but the last 16",
            )
    }

    /// Makes `record` the state after `before`; whether it became the present one.
    async fn write(&self, name: &str, before: Option<&Present>, record: &LeaseRecord) -> Result<bool> {
        let serial = next_serial(before);
        let key = state_key(name, serial);
        match self.store.create(&key, record.to_bytes()?).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(error),
        }
        // If this serial was used and removed while we were slow, a higher one exists since before we wrote.
        if !self.store.list(&format!("{FOLDER}/{name}/"), &key, 1).await?.is_empty() {
            return Ok(false);
        }
        if let Some(before) = before {
            self.remove(name, before.older.iter().copied().chain([before.serial])).await;
        }
        Ok(true)
    }

    /// Removes old states, as far as it can.
    async fn remove(&self, name: &str, serials: impl Iterator<Item = u64>) {
        let removals = serials.take(REMOVALS_MAX).map(|serial| async move {
            if let Err(error) = self.store.delete(&state_key(name, serial)).await {
                debug!(lease = name, serial, error = error.full(), "an old state of a lease stays");
            }
        });
        futures::future::join_all(removals).await;
    }

    fn record(&self, epoch: u64, holder: Option<&str>, ttl: Duration) -> LeaseRecord {
        LeaseRecord {
            epoch,
            holder: holder.map(str::to_owned),
            ttl_ms: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
            written_at: self.clock.now(),
        }
    }
}

fn state_key(name: &str, serial: u64) -> String {
    format!("{FOLDER}/{name}/{serial:016x}")
}

fn parse_serial(name: &str) -> Option<u64> {
    if name.len() == 16 { u64::from_str_radix(name, 16).ok() } else { None }
}

fn next_serial(before: Option<&Present>) -> u64 {
    before.map_or(1, |before| before.serial.saturating_add(1))
}

fn check_request(name: &str, holder: &str, ttl: Duration) -> Result<()> {
    let fault = if name.contains('/') || check_key(name).is_err() {
        format!("lease {name:?}: the name must be one part of a key (letters, digits, '.', '_', '=', '-')")
    } else if holder.is_empty() {
        format!("lease {name:?}: the holder must not be empty")
    } else if !(TTL_MIN..=TTL_MAX).contains(&ttl) {
        format!("a term of {ttl:?} is not between {TTL_MIN:?} and {TTL_MAX:?}")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidInput, "acquire lease", fault).with_target(name))
}

fn lost(grant: &Grant) -> Error {
    let fault = format!("epoch {} is over", grant.epoch);
    Error::new(ErrorKind::Fenced, "renew lease", fault).with_target(grant.name.clone())
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: BlobStore> LeaseStore for BlobLeases<S> {
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<Option<Grant>> {
        check_request(name, holder, ttl)?;
        let asked_at = self.clock.monotonic();
        let present = self.load(name).await?;
        if let Some(present) = &present {
            let unchanged_for = self.sightings.note(name, present.serial, self.clock.monotonic());
            if !present.record.may_be_taken_by(holder, unchanged_for) {
                return Ok(None);
            }
        }
        let epoch = next_serial(present.as_ref());
        let taken = self.write(name, present.as_ref(), &self.record(epoch, Some(holder), ttl)).await?;
        Ok(taken.then(|| Grant::new(name, holder, epoch, ttl, asked_at)))
    }

    async fn renew(&self, grant: &Grant) -> Result<Grant> {
        let asked_at = self.clock.monotonic();
        let present = self.load(&grant.name).await?;
        if !present.as_ref().is_some_and(|present| present.record.is_held_under(grant)) {
            return Err(lost(grant));
        }
        let longer = self.record(grant.epoch, Some(&grant.holder), grant.ttl);
        if self.write(&grant.name, present.as_ref(), &longer).await? {
            return Ok(Grant::new(&*grant.name, &*grant.holder, grant.epoch, grant.ttl, asked_at));
        }
        // Only a change of owner, or our own other renewal, writes the next state: look again.
        let now = self.load(&grant.name).await?;
        Err(if now.is_some_and(|now| now.record.is_held_under(grant)) {
            Error::new(ErrorKind::Unavailable, "renew lease", "renewed twice at once")
                .with_target(grant.name.clone())
        } else {
            lost(grant)
        })
    }

    async fn release(&self, grant: &Grant) -> Result<()> {
        let present = self.load(&grant.name).await?;
        if !present.as_ref().is_some_and(|present| present.record.is_held_under(grant)) {
            return Ok(());
        }
        // That the serial stays is what keeps the epochs growing.
        let freed = self.record(grant.epoch, None, grant.ttl);
        if !self.write(&grant.name, present.as_ref(), &freed).await? {
            debug!(lease = grant.name, "the lease changed while it was released; it expires by itself");
        }
        Ok(())
    }
}
