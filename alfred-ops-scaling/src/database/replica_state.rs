//! What is known of a replica.

use std::time::Duration;

use alfred_ops_core::Lsn;

/// What a replica said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReplicaState {
    /// Whether it still follows; one that was promoted does not.
    pub(super) follows: bool,
    /// Whether it receives from its primary at present.
    pub(super) receives: bool,
    /// Up to where it has replayed.
    pub(super) replayed: Option<Lsn>,
    /// How long ago what it replayed last was committed; zero if it has replayed all that it received.
    pub(super) lag: Duration,
}

/// Why a replica cannot answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It cannot be reached, or has no free connection.
    Unreachable,
    /// It no longer follows the primary.
    Promoted,
    /// It has not replayed what the reader has written.
    Behind,
    /// It lags by more than the policy allows, or receives nothing.
    Lagging,
}

impl ReplicaState {
    /// Whether it can answer a reader who must see all up to `token`, or one without a token who wants it no older than
    /// `lag_max`. Pure.
    ///
    /// With a token the position alone counts: a replica that is cut off and has replayed enough answers rightly. Without one a
    /// replica that receives nothing does not know how old it is.
    pub(super) fn judge(&self, token: Option<Lsn>, lag_max: Duration) -> Result<(), Unfit> {
        match token {
            _ if !self.follows => Err(Unfit::Promoted),
            Some(token) if self.replayed.is_none_or(|replayed| replayed < token) => Err(Unfit::Behind),
            Some(_) => Ok(()),
            None if !self.receives || self.lag > lag_max => Err(Unfit::Lagging),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_for_who_has_written_and_lag_for_all_others() {
        let state = ReplicaState {
            follows: true,
            receives: true,
            replayed: Some(Lsn(100)),
            lag: Duration::from_secs(3),
        };
        let judge = |state: ReplicaState, token: Option<u64>, seconds| {
            state.judge(token.map(Lsn), Duration::from_secs(seconds))
        };
        assert_eq!(judge(state, Some(100), 0), Ok(()));
        assert_eq!(judge(state, Some(101), 60), Err(Unfit::Behind));
        assert_eq!(judge(state, None, 3), Ok(()));
        assert_eq!(judge(state, None, 2), Err(Unfit::Lagging));
        let cut_off = ReplicaState { receives: false, ..state };
        assert_eq!(judge(cut_off, Some(100), 0), Ok(()));
        assert_eq!(judge(cut_off, None, 60), Err(Unfit::Lagging));
        assert_eq!(judge(ReplicaState { follows: false, ..state }, Some(1), 60), Err(Unfit::Promoted));
        assert_eq!(judge(ReplicaState { replayed: None, ..state }, Some(1), 60), Err(Unfit::Behind));
    }
}
