//! What somebody else changed about a target while it was rolled out to. Pure.

use super::{RolloutPhase, RolloutState, TargetView};

/// What somebody else has changed.
pub(super) fn foreign_change(state: &RolloutState, view: &TargetView) -> Option<String> {
    let Some(split) = &view.split else {
        return Some("the traffic is no longer split among revisions as configured".to_owned());
    };
    let candidate = &state.release.revision;
    match view.revisions.get(candidate) {
        Some(found) if found.image != state.release.image => {
            return Some(format!("{candidate} runs {}, not {}", found.image, state.release.image));
        }
        Some(_) if matches!(state.phase, RolloutPhase::Checking | RolloutPhase::Gated) => {
            return Some(format!("somebody made a revision {candidate}"));
        }
        None if matches!(
            state.phase,
            RolloutPhase::Starting | RolloutPhase::Canary { .. } | RolloutPhase::Promoted
        ) =>
        {
            return Some(format!("{candidate} is gone"));
        }
        _ => {}
    }
    match view.revisions.get(&state.stable) {
        Some(found) if found.image != state.stable_image => {
            return Some(format!("{} runs {}, not {}", state.stable, found.image, state.stable_image));
        }
        None if state.phase != RolloutPhase::Promoted => return Some(format!("{} is gone", state.stable)),
        _ => {}
    }
    let known = *split == state.split
        || state
            .intent
            .as_ref()
            .is_some_and(|intent| intent.after() == Some(split) || intent.before.contains(split));
    (!known).then(|| format!("the traffic is {split}, and the rollout left {}", state.split))
}
