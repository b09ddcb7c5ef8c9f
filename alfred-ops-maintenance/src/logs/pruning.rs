//! Which closed files go.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::age::age;
use super::closed_file::ClosedFile;

/// How much is kept of closed files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// So many bytes of all of them together.
    pub(super) bytes_max: u64,
    /// Each for so long.
    pub(super) age_max: Duration,
}

/// Why a closed file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PruneReason {
    /// It was closed longer ago than it is kept.
    Old,
    /// Without it, newer files fit into the room that they have.
    Room,
}

/// The files that go, oldest first, each with its reason. `files` are oldest first. Pure.
pub(super) fn plan_pruning(
    files: &[ClosedFile],
    kept: Kept,
    now: DateTime<Utc>,
) -> Vec<(&ClosedFile, PruneReason)> {
    let mut bytes: u64 = files.iter().map(|file| file.bytes).fold(0, u64::saturating_add);
    let mut pruned = Vec::new();
    for file in files {
        let reason = if age(now, file.closed_at) >= kept.age_max {
            PruneReason::Old
        } else if bytes > kept.bytes_max {
            PruneReason::Room
        } else {
            continue;
        };
        bytes = bytes.saturating_sub(file.bytes);
        pruned.push((file, reason));
    }
    pruned
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use chrono::TimeDelta;

    use super::*;

    fn check(files: &[(i64, u64)], expected: &[(u64, PruneReason)]) {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let files: Vec<ClosedFile> = (0..)
            .zip(files)
            .map(|(sequence, &(hours_ago, bytes))| ClosedFile {
                path: PathBuf::new(),
                sequence,
                closed_at: now - TimeDelta::hours(hours_ago),
                bytes,
                is_compressed: false,
            })
            .collect();
        let kept = Kept { bytes_max: 100, age_max: Duration::from_hours(10) };
        let plan = plan_pruning(&files, kept, now);
        let plan: Vec<_> = plan.into_iter().map(|(file, reason)| (file.sequence, reason)).collect();
        assert_eq!(plan, expected);
    }

    #[test]
    fn the_old_and_the_too_many_go() {
        check(&[], &[]);
        check(&[(9, 60), (8, 40)], &[]);
        check(&[(10, 1), (9, 60), (8, 40)], &[(0, PruneReason::Old)]);
        check(&[(9, 1), (8, 60), (7, 40)], &[(0, PruneReason::Room)]);
        check(&[(3, 101)], &[(0, PruneReason::Room)]);
        // The clock jumped back in between.
        check(&[(-50, 60), (2, 60)], &[(0, PruneReason::Room)]);
        check(&[(-50, 10), (12, 60)], &[(1, PruneReason::Old)]);
    }
}
