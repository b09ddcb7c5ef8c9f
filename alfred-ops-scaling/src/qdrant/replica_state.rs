//! States of replicas.

use std::fmt;

/// The state of a replica, as the server names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplicaState {
    /// Serves reads and writes.
    Active,
    /// Missed writes or was lost; serves nothing.
    Dead,
    /// Is being received, record by record.
    Partial,
    /// Is being received as a snapshot.
    PartialSnapshot,
    /// Belongs to a collection that is being created.
    Initializing,
    /// Takes writes and serves no reads: its peer is a listener.
    Listener,
    /// Is being recovered by the server.
    Recovery,
    /// Waits for a person to recover it.
    ManualRecovery,
    /// Is being filled while the number of shards grows.
    Resharding,
    /// Serves while the number of shards shrinks.
    ReshardingScaleDown,
    /// Serves reads; writes are on their way.
    ActiveRead,
    /// Something that this software does not know.
    Unknown,
}

const NAMES: [(ReplicaState, &str); 11] = [
    (ReplicaState::Active, "Active"),
    (ReplicaState::Dead, "Dead"),
    (ReplicaState::Partial, "Partial"),
    (ReplicaState::PartialSnapshot, "PartialSnapshot"),
    (ReplicaState::Initializing, "Initializing"),
    (ReplicaState::Listener, "Listener"),
    (ReplicaState::Recovery, "Recovery"),
    (ReplicaState::ManualRecovery, "ManualRecovery"),
    (ReplicaState::Resharding, "Resharding"),
    (ReplicaState::ReshardingScaleDown, "ReshardingScaleDown"),
    (ReplicaState::ActiveRead, "ActiveRead"),
];

impl ReplicaState {
    /// The state of this name. One that a newer server has invented is [`Unknown`](Self::Unknown).
    #[must_use]
    pub fn named(name: &str) -> Self {
        NAMES.iter().find(|(_, known)| *known == name).map_or(Self::Unknown, |(state, _)| *state)
    }

    /// The name that the server gives it.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(state, _)| *state == self).map_or("Unknown", |(_, name)| name)
    }

    /// Whether it serves reads and writes.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Active | Self::ReshardingScaleDown)
    }

    /// Whether the server itself is about to change it, so that waiting is right.
    pub(super) fn is_passing(self) -> bool {
        !matches!(
            self,
            Self::Active | Self::ReshardingScaleDown | Self::Dead | Self::Listener | Self::ManualRecovery
        )
    }
}

impl fmt::Display for ReplicaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for (state, name) in NAMES {
            assert_eq!((ReplicaState::named(name), state.name()), (state, name));
        }
        assert_eq!(ReplicaState::named("Dreaming"), ReplicaState::Unknown);
    }
}
