//! Why something is done.

use std::fmt;

use super::{PeerId, ReplicaState};

/// Why a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The peer that holds the replica leaves.
    PeerLeaves(PeerId),
    /// The sender holds more than its share.
    Uneven,
    /// The shard has fewer serving replicas than it should.
    UnderReplicated {
        /// So many serve.
        serving: usize,
        /// So many should.
        wanted: usize,
    },
    /// The replica does not serve, and the shard has enough that do.
    Dead,
    /// The shard has more serving replicas than it should, and this one's peer leaves or is full.
    Surplus,
    /// Nobody has seen the transfer make progress for too long.
    Stalled,
    /// One end of the transfer is not reached.
    PeerUnreachable(PeerId),
    /// The transfer goes to a peer that leaves.
    ToLeavingPeer(PeerId),
    /// The peer holds nothing any more.
    Drained,
    /// A transfer is under way that serves the goal.
    UnderWay,
    /// The server is about to change the replica's state.
    Passing(ReplicaState),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerLeaves(peer) => write!(f, "peer {peer} leaves"),
            Self::Uneven => f.write_str("the sender holds more than its share"),
            Self::UnderReplicated { serving, wanted } => {
                write!(f, "{serving} of {wanted} replicas serve")
            }
            Self::Dead => f.write_str("it does not serve, and enough others do"),
            Self::Surplus => f.write_str("enough others serve"),
            Self::Stalled => f.write_str("it makes no progress"),
            Self::PeerUnreachable(peer) => write!(f, "peer {peer} is not reached"),
            Self::ToLeavingPeer(peer) => write!(f, "peer {peer} leaves"),
            Self::Drained => f.write_str("it holds nothing"),
            Self::UnderWay => f.write_str("its transfer is under way"),
            Self::Passing(state) => write!(f, "it is {state}, which passes"),
        }
    }
}
