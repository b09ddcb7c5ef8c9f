//! Which key holds what.

use alfred_ops_core::Id;

/// The keys of a repository.
pub(crate) struct Layout;

impl Layout {
    pub(crate) const HEADER: &'static str = "repository.json";
    pub(crate) const COMMITS: &'static str = "commits/";
    pub(crate) const KEYS: &'static str = "keys/";
    pub(crate) const PACKS: &'static str = "packs/";
    pub(crate) const INDEXES: &'static str = "indexes/";
    pub(crate) const LOGS: &'static str = "logs/";
    pub(crate) const HOLDS: &'static str = "holds/";
    pub(crate) const SWEEPS: &'static str = "sweeps/";

    pub(crate) fn pack(id: Id) -> String {
        format!("{}{id}", Self::PACKS)
    }

    /// What the frames in a backup's packs are sealed for: they may lie in any pack.
    pub(crate) fn snapshot(backup: Id) -> String {
        format!("snapshots/{backup}")
    }

    pub(crate) fn hold(backup: Id) -> String {
        format!("{}{backup}", Self::HOLDS)
    }

    pub(crate) fn sweep(id: Id) -> String {
        format!("{}{id}", Self::SWEEPS)
    }

    pub(crate) fn key(fingerprint: &str) -> String {
        format!("{}{fingerprint}", Self::KEYS)
    }

    pub(crate) fn index(backup: Id) -> String {
        format!("{}{backup}", Self::INDEXES)
    }

    pub(crate) fn commit(backup: Id) -> String {
        format!("{}{backup}", Self::COMMITS)
    }

    pub(crate) fn backup_of_commit(key: &str) -> Option<Id> {
        key.strip_prefix(Self::COMMITS)?.parse().ok()
    }

    pub(crate) fn logs(name: &str) -> String {
        format!("{}{name}/", Self::LOGS)
    }

    /// A key behind all chunks of a log and before those of any other that follows.
    pub(crate) fn behind_log(name: &str) -> String {
        // The character after the slash.
        format!("{}{name}0", Self::LOGS)
    }

    /// Logs whose names differ only behind the last `-` are branches of one history and share their positions.
    pub(crate) fn log_family(name: &str) -> &str {
        name.rsplit_once('-').map_or(name, |(family, _)| family)
    }

    pub(crate) fn log_chunk(name: &str, start: u64, end: u64) -> String {
        format!("{}{name}/{start:016x}-{end:016x}", Self::LOGS)
    }

    /// The positions that a chunk's key tells.
    pub(crate) fn positions_of_chunk(key: &str) -> Option<(u64, u64)> {
        let (start, end) = key.rsplit('/').next()?.split_once('-')?;
        let number = |text: &str| (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok()).flatten();
        Some((number(start)?, number(end)?)).filter(|(start, end)| start < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_what_they_hold() {
        let key = Layout::log_chunk("wal", 0x1000, 0xffff_0000_0000);
        assert_eq!(key, "logs/wal/0000000000001000-0000ffff00000000");
        assert_eq!(Layout::positions_of_chunk(&key), Some((0x1000, 0xffff_0000_0000)));
        for odd in ["logs/wal/x", "logs/wal/1-2", "logs/wal/0000000000001000-0000000000001000"] {
            assert_eq!(Layout::positions_of_chunk(odd), None, "{odd}");
        }
        assert_eq!(Layout::backup_of_commit("commits/notes.txt"), None);
    }
}
