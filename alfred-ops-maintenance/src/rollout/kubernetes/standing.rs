//! What is there, and what it means. Pure.

use std::collections::BTreeMap;

use super::super::{Readiness, RevisionView, TargetView, TrafficSplit, UnderWay};
use super::anchor::AnchorView;
use super::deployment::Deployment;
use super::replicas::replicas_of;
use super::shares::{Begun, Shares};

/// All that is known at one moment.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) anchor: AnchorView,
    /// By name.
    pub(super) revisions: BTreeMap<String, Deployment>,
}

impl Standing {
    /// The shares that were written, if they can be read.
    pub(super) fn shares(&self) -> Option<&Shares> {
        self.anchor.shares.as_ref().ok()?.as_ref()
    }

    /// A change that was begun.
    pub(super) fn begun(&self) -> Option<(&Shares, &Begun)> {
        self.shares().and_then(|shares| Some((shares, shares.begun.as_ref()?)))
    }

    /// The revisions that have replicas, and how many.
    pub(super) fn counts(&self) -> BTreeMap<String, u32> {
        let all = self.revisions.values().filter(|one| one.replicas > 0);
        all.map(|one| (one.name.clone(), one.replicas)).collect()
    }

    pub(super) fn view(&self) -> TargetView {
        let revision = |one: &Deployment| {
            (one.name.clone(), RevisionView { image: one.image.clone(), readiness: self.readiness(one) })
        };
        let ground = self.ground();
        if ground.is_none() {
            let counts = self.counts();
            tracing::warn!(?counts, shares = ?self.anchor.shares, "the replicas are not as the shares have it");
        }
        TargetView {
            version: self.anchor.version.clone(),
            revisions: self.revisions.values().map(revision).collect(),
            under_way: self.under_way().filter(|_| ground.is_some()),
            split: ground.map(|(split, _)| split),
        }
    }

    /// The split that is there, or from which another is under way, and of how many replicas. None if the replicas are not as
    /// the record has it, or nobody ever said who is to have what.
    ///
    /// A number that somebody changed is nobody's fault while it leaves every revision its share: any number of one revision
    /// that has everything, or a larger sum that is divided as the split means it. Of a smaller one the least share may be more.
    pub(super) fn ground(&self) -> Option<(TrafficSplit, u32)> {
        let counts = self.counts();
        let Some(shares) = self.anchor.shares.as_ref().ok()? else { return self.first_contact(&counts) };
        if shares.split.shares().any(|(revision, _)| !self.revisions.contains_key(revision)) {
            // Whoever tidied up after a rollout left one revision everything. Else who is gone is for the view to show.
            let alone = self.first_contact(&counts).filter(|(_, count)| *count > 0);
            return alone.or_else(|| Some((shares.split.clone(), shares.total)));
        }
        if let Some(begun) = &shares.begun {
            let within = |one: &Deployment| {
                let (from, to) = (begun.from(&one.name), shares.to(&one.name));
                (from.min(to)..=from.max(to)).contains(&one.replicas)
            };
            return self.revisions.values().all(within).then(|| (begun.split.clone(), shares.total));
        }
        if counts == shares.replicas {
            return Some((shares.split.clone(), shares.total));
        }
        if let Some(only) = shares.split.only() {
            let alone = counts.keys().all(|revision| revision == only);
            return alone.then(|| (shares.split.clone(), counts.get(only).copied().unwrap_or(0)));
        }
        let sum = counts.values().fold(0_u32, |sum, count| sum.saturating_add(*count));
        (sum > shares.sum() && counts == replicas_of(&shares.split, sum)).then(|| (shares.split.clone(), sum))
    }

    /// Nothing was ever written, or of revisions that are gone: who is alone has everything.
    fn first_contact(&self, counts: &BTreeMap<String, u32>) -> Option<(TrafficSplit, u32)> {
        let mut names = self.revisions.keys().filter(|name| counts.is_empty() || counts.contains_key(*name));
        let name = names.next()?;
        names.next().is_none().then(|| (TrafficSplit::all(name), counts.get(name).copied().unwrap_or(0)))
    }

    fn under_way(&self) -> Option<UnderWay> {
        let (shares, _) = self.begun()?;
        let to = |one: &Deployment| shares.to(&one.name);
        let serve =
            |one: &Deployment| format!("{} of {} replicas of {} serve", one.available, to(one), one.name);
        let all = || self.revisions.values();
        // Of what was asked for something does not serve yet.
        if let Some(one) = all().find(|one| one.available < one.replicas.min(to(one))) {
            return Some(UnderWay::Starts(serve(one)));
        }
        // What was not asked for yet has no room before these are gone.
        if let Some(one) = all().find(|one| one.replicas > to(one)) {
            let Deployment { name, replicas, .. } = one;
            return Some(UnderWay::Ends(format!(
                "{name} has {replicas} replicas, of which {} stay",
                to(one)
            )));
        }
        if let Some(one) = all().find(|one| one.available < to(one)) {
            return Some(UnderWay::Starts(serve(one)));
        }
        Some(match all().find(|one| !one.settled) {
            Some(one) => UnderWay::Ends(format!("pods of {} are on their way out", one.name)),
            None => UnderWay::Starts("all is there but the record of it".to_owned()),
        })
    }

    /// How many must serve for a revision to count as ready: as many as it had and will have while a change is under way. What
    /// somebody adds by hand is not waited for.
    fn required(&self, one: &Deployment) -> u32 {
        match (self.shares(), self.begun()) {
            (_, Some((shares, begun))) => match (begun.from(&one.name), shares.to(&one.name)) {
                (0, to) => to,
                (from, to) => from.min(to),
            },
            (Some(shares), None) => one.replicas.min(shares.to(&one.name)),
            (None, None) => one.replicas,
        }
    }

    fn readiness(&self, one: &Deployment) -> Readiness {
        if let Some(reason) = &one.failure {
            return Readiness::Failed { reason: reason.clone() };
        }
        let required = self.required(one);
        // A quarter may be missing for a while, as Deployments have it themselves.
        let serves = required == 0 || (one.available > 0 && one.available + required / 4 >= required);
        if one.seen && serves { Readiness::Ready } else { Readiness::Starting }
    }
}
