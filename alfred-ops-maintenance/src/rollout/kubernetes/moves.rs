//! What is done next of a change that was begun. Pure.

use super::deployment::Deployment;
use super::standing::Standing;

/// A change of one Deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) revision: String,
    /// How many replicas it has afterwards.
    pub(super) replicas: u32,
}

/// The next moves of the change under way; none if there is nothing to do now.
///
/// At most a quarter more than all replicas are there at once, and never do fewer serve than before and afterwards, whatever
/// fails to start. A Deployment that the change has not come to is moved although its number stays: what an earlier change
/// still sends then meets another version.
pub(super) fn next_moves(standing: &Standing) -> Vec<Move> {
    let Some((shares, begun)) = standing.begun() else { return Vec::new() };
    let all = || standing.revisions.values();
    let sum = |of: fn(&Deployment) -> u32| all().fold(0_u32, |sum, one| sum.saturating_add(of(one)));
    let surge = shares.total.div_ceil(4).max(1);
    let most = begun.sum().max(shares.sum()).saturating_add(surge);
    let mut room = most.saturating_sub(sum(|one| one.replicas));
    let mut spare = sum(|one| one.available).saturating_sub(begun.sum().min(shares.sum()));
    let mut moves = Vec::new();
    for one in all() {
        let to = shares.to(&one.name);
        let replicas = if to >= one.replicas {
            let more = room.min(to - one.replicas);
            room -= more;
            one.replicas + more
        } else {
            // Whoever does not serve is stopped first, and missed by nobody.
            let idle = one.replicas.saturating_sub(one.available);
            let fewer = idle.saturating_add(spare).min(one.replicas - to);
            spare -= fewer.saturating_sub(idle);
            one.replicas - fewer
        };
        if replicas != one.replicas || one.change.as_ref() != Some(&begun.change) {
            moves.push(Move { revision: one.name.clone(), replicas });
        }
    }
    moves
}

/// Whether all of the change is there.
pub(super) fn is_done(standing: &Standing) -> bool {
    standing.begun().is_some_and(|(shares, begun)| {
        standing.revisions.values().all(|one| {
            let to = shares.to(&one.name);
            one.replicas == to && one.available >= to && one.change.as_ref() == Some(&begun.change)
        })
    })
}
