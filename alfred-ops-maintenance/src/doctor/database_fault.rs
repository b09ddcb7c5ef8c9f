//! What may be wrong with a database.

use std::fmt;

/// One line per fault: how it is called in code and in text, and why it matters.
macro_rules! faults {
    ($($fault:ident, $name:literal, $why:literal;)+) => {
        /// What may be wrong with a database.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum DatabaseFault {
            $(#[doc = concat!("`", $name, "`: ", $why, ".")] $fault,)+
        }

        impl DatabaseFault {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$fault),+];

            /// A short stable name, for labels and configuration.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$fault => $name),+ }
            }

            /// Why it matters.
            #[must_use]
            pub const fn why(self) -> &'static str {
                match self { $(Self::$fault => $why),+ }
            }
        }
    };
}

faults! {
    InvalidIndex, "invalid-index", "a build failed: the index is written and never read";
    LeftoverIndex, "leftover-index", "a failed REINDEX left it: it is written and never read";
    DuplicateIndex, "duplicate-index", "each write pays for it and no query needs it";
    RedundantIndex, "redundant-index", "a longer index serves the same queries, and each write pays for both";
    UnusedIndex, "unused-index", "each write pays for it and nobody reads it";
    BloatedIndex, "bloated-index", "half-empty pages fill the cache and are read for nothing";
    BloatedTable, "bloated-table", "empty space is read by every scan and backed up each time";
    UnindexedForeignKey, "unindexed-foreign-key", "each deletion of a referenced row reads the whole table under a lock";
    DuplicateForeignKey, "duplicate-foreign-key", "each write checks the same rule twice";
    NarrowForeignKey, "narrow-foreign-key", "keys that the referenced table will give out do not fit in";
    MissingIndex, "missing-index", "a statement reads the whole table for a few rows";
    SequentialScans, "sequential-scans", "whole tables are read again and again, perhaps for a few rows";
    ExhaustedSequence, "exhausted-sequence", "at its end every insert fails";
    CyclingKey, "cycling-key", "after its last value a sequence gives out keys that exist already";
    OldTransactions, "old-transactions", "before two thousand million transactions the server stops to take writes";
    OldMultixacts, "old-multixacts", "before two thousand million multixacts the server stops to take writes";
    VacuumBehind, "vacuum-behind", "autovacuum does not keep up: dead rows are read by every scan";
    AutovacuumOff, "autovacuum-off", "nobody removes the table's dead rows";
    NotAnalyzed, "not-analyzed", "the planner guesses: it takes bad plans for good ones";
    Unlogged, "unlogged", "a crash empties it, and no replica and no base backup has its rows";
    NearConnectionLimit, "near-connection-limit", "when connections run out clients are refused";
    Blocker, "blocker", "others wait for its locks";
    LongTransaction, "long-transaction", "it keeps its locks, and dead rows of all tables from being removed";
    IdleTransaction, "idle-transaction", "it does nothing and keeps its locks, and dead rows from being removed";
    ForgottenPrepared, "forgotten-prepared", "it keeps its locks over every restart, and dead rows from being removed";
    IdleSlot, "idle-slot", "WAL that nobody reads is kept until the disk is full";
    LostSlot, "lost-slot", "its reader can never catch up: it has to begin anew";
    HeldHorizon, "held-horizon", "VACUUM cannot remove what died since";
    ReplicaBehind, "replica-behind", "it serves old rows, and a failover would lose what it lacks";
    MissingSynchronous, "missing-synchronous", "every commit waits until a synchronous standby comes";
    FailingArchiver, "failing-archiver", "WAL is not archived: it fills the disk, and no backup can be brought forward";
    DangerousSetting, "dangerous-setting", "data may be lost or left to rot";
    PendingRestart, "pending-restart", "what the configuration says is not what runs";
    ChecksumFailures, "checksum-failures", "pages on disk are not what was written";
    NotValidated, "not-validated", "rows that are there already may break the rule, and the planner does not use it";
    DisabledTrigger, "disabled-trigger", "what it ensures is not ensured; foreign keys are triggers too";
    OutdatedExtension, "outdated-extension", "its objects are older than its library: fixes are missing";
    CollationChanged, "collation-changed", "text sorts otherwise than in its indexes: rows are not found, duplicates get in";
    PublicMayCreate, "public-may-create", "anybody may put a function there that others then call as themselves";
    PublicMayWrite, "public-may-write", "anybody who may connect may change its rows";
    PublicDefaults, "public-defaults", "whatever is created from now on is everybody's to write";
    UnsafeDefiner, "unsafe-definer", "its caller chooses which functions run with its owner's rights";
    PoliciesOff, "policies-off", "the table has policies, and they are not applied";
    NoPrimaryKey, "no-primary-key", "rows cannot be told apart: no logical replication, no safe batches, no repair";
    PublishedWithoutIdentity, "published-without-identity", "UPDATE and DELETE fail, because subscribers could not tell which row";
    DisabledSubscription, "disabled-subscription", "changes are not applied, and the publisher keeps WAL for it";
    PendingDetach, "pending-detach", "a partition is half detached, and no other can be";
    FilledDefault, "filled-default", "a new partition has to read them all under a lock, and fails if one is its own";
    Unpopulated, "unpopulated", "a query of it fails";
    ExpiringPassword, "expiring-password", "after that nobody can log in as it";
}

impl fmt::Display for DatabaseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
