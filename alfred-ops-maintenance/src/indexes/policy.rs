//! What is done about indexes.

use std::time::Duration;

const MIB: u64 = 1 << 20;

/// What is done about indexes, and what is only told.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct IndexPolicy {
    /// Whether duplicate and redundant indexes are dropped, or only named. What a failed build left is always removed.
    pub drops: bool,
    /// An index without a scan for so long is named. It is never dropped: standbys do not tell of their scans, and a report
    /// may come once a year.
    pub unused_after: Duration,
    /// Which bloated B-trees are rebuilt.
    pub rebuilds: Rebuilds,
    /// A B-tree is bloated when a new one would need less than it has by this share,
    pub bloat_share: f64,
    /// and by so many bytes.
    pub bloat_bytes_min: u64,
    /// So many bytes of indexes are read at most to measure bloat. Nothing is measured at zero.
    pub measure_bytes_max: u64,
    /// Whether indexes that foreign keys lack are built, or only named.
    pub creates: bool,
    /// Indexes that statements lack which read whole tables are built where the planner's cost falls to this fraction, one
    /// through it, or less, as the extension `hypopg` tells. None: they are only named. Each costs every writer something.
    pub scan_gain_min: Option<f64>,
    /// A statement that was called less often needs no index of its own.
    pub scan_calls_min: u64,
    /// A table below this size needs no index for its foreign keys or for scans of it.
    pub table_bytes_min: u64,
    /// No index is built that would take more, nor what a failed build left. Old and new lie beside one another until the build is done, and how much
    /// room the server's disk has no query tells: set this to what is surely free.
    pub build_bytes_max: u64,
    /// A build or a drop waits so long for transactions that may still use the index, and is begun anew two times. It keeps
    /// nobody from anything meanwhile.
    pub lock_wait: Duration,
}

/// Which bloated B-trees are rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rebuilds {
    /// None: they are named.
    Never,
    /// Those whose bloat the extension `pgstattuple` has measured. Others are named.
    Measured,
    /// Those too whose bloat is only estimated. Where the planner is wrong about the number of distinct values such an
    /// index is rebuilt for nothing, and again by the next run.
    Estimated,
}

impl Default for IndexPolicy {
    /// Nothing is dropped but leftovers, nothing created; unused after 30 days. What is measured to be half empty, and by
    /// 64 MiB, is rebuilt, up to 8 GiB; 1 GiB is read for that. Tables matter from 8 MiB on, statements from 1,000 calls on; a
    /// minute of waiting.
    fn default() -> Self {
        Self {
            drops: false,
            unused_after: Duration::from_secs(30 * 24 * 3600),
            rebuilds: Rebuilds::Measured,
            bloat_share: 0.5,
            bloat_bytes_min: 64 * MIB,
            measure_bytes_max: 1024 * MIB,
            creates: false,
            scan_gain_min: None,
            scan_calls_min: 1_000,
            table_bytes_min: 8 * MIB,
            build_bytes_max: 8 * 1024 * MIB,
            lock_wait: Duration::from_secs(60),
        }
    }
}

impl IndexPolicy {
    /// Drops duplicate and redundant indexes.
    #[must_use]
    pub const fn with_drops(mut self) -> Self {
        self.drops = true;
        self
    }

    /// Builds indexes that foreign keys lack.
    #[must_use]
    pub const fn with_creates(mut self) -> Self {
        self.creates = true;
        self
    }

    /// Builds indexes that statements lack which read whole tables, where the planner's cost falls to one `gain_min`-th.
    #[must_use]
    pub const fn with_scan_creates(mut self, gain_min: f64) -> Self {
        self.scan_gain_min = Some(gain_min);
        self
    }

    /// Rebuilds others.
    #[must_use]
    pub const fn with_rebuilds(mut self, rebuilds: Rebuilds) -> Self {
        self.rebuilds = rebuilds;
        self
    }

    /// Bloated is what a new index would save so large a share and so many bytes of.
    #[must_use]
    pub const fn with_bloat(mut self, share: f64, bytes_min: u64) -> Self {
        (self.bloat_share, self.bloat_bytes_min) = (share, bytes_min);
        self
    }

    /// No index is built that would take more bytes.
    #[must_use]
    pub const fn with_build_bytes_max(mut self, bytes: u64) -> Self {
        self.build_bytes_max = bytes;
        self
    }

    /// Waits so long for who may still use an index.
    #[must_use]
    pub const fn with_lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }
}
