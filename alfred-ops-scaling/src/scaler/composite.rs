//! Several services as one.

use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result, Retry};
use async_trait::async_trait;

use super::{Current, Limits, Observed, Outcome, Precondition, Scaler};

/// What separates the parts of a precondition; no platform's tokens hold it.
const SEPARATOR: char = '\u{1f}';

/// Several services as one: the same work in several regions, or a cheap pool before a dear one.
///
/// One number is divided among its members, the same one always in the same way, and a larger one never takes from any.
/// Changes are made one after the other and conditional on what was read of every member. A member that fails ends the
/// change there: the members before it keep their new numbers, the error says how many did, and a repeat after another look
/// does the rest.
#[derive(Debug)]
pub struct CompositeScaler {
    name: String,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    scaler: Arc<dyn Scaler>,
    /// Its part, or `None` if it gets what those before it cannot take.
    weight: Option<u32>,
    limits: Limits,
}

impl CompositeScaler {
    /// Divides numbers by weight: each instance goes to the member that has the fewest for its weight, earlier ones first.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] without members, and for a weight of zero.
    pub fn spread(
        name: impl Into<String>,
        members: impl IntoIterator<Item = (Arc<dyn Scaler>, u32)>,
    ) -> Result<Self> {
        let members = members.into_iter().map(|(scaler, weight)| {
            let limits = scaler.limits();
            Member { scaler, weight: Some(weight), limits }
        });
        Self::of(name.into(), members.collect())
    }

    /// Fills one member after the other, each to its own number.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] without members, and for a number outside of a member's limits.
    pub fn fill(
        name: impl Into<String>,
        members: impl IntoIterator<Item = (Arc<dyn Scaler>, u32)>,
    ) -> Result<Self> {
        let member = |(scaler, max): (Arc<dyn Scaler>, u32)| {
            let limits = scaler.limits();
            limits.check(scaler.name(), max)?;
            Ok(Member { scaler, weight: None, limits: Limits { max, ..limits } })
        };
        Self::of(name.into(), members.into_iter().map(member).collect::<Result<_>>()?)
    }

    fn of(name: String, members: Vec<Member>) -> Result<Self> {
        let problem = if members.is_empty() {
            "there are no members"
        } else if members.iter().any(|member| member.weight == Some(0)) {
            "a weight is zero"
        } else {
            return Ok(Self { name, members });
        };
        Err(Error::new(ErrorKind::InvalidInput, "combine scalers", problem)
            .with_target(name)
            .with_remedy("name at least one member, each with a weight of at least 1"))
    }

    fn shares(&self, target: u32) -> Result<Vec<u32>> {
        self.limits().check(&self.name, target)?;
        Ok(shares(target, &self.members))
    }
}

/// How many each member gets of a number that all together can take.
fn shares(target: u32, members: &[Member]) -> Vec<u32> {
    let mut shares: Vec<u32> = members.iter().map(|member| member.limits.min).collect();
    let mut left = target.saturating_sub(shares.iter().fold(0, |sum, share| sum.saturating_add(*share)));
    while left > 0 {
        let with_room = members
            .iter()
            .zip(&shares)
            .enumerate()
            .filter(|(_, (member, share))| **share < member.limits.max);
        // Products compare as the quotients would; the first of equals counts.
        let next = with_room.min_by(|(_, (left, left_share)), (_, (right, right_share))| {
            let per_weight =
                |share: u32, other: &Member| (u64::from(share) + 1) * u64::from(other.weight.unwrap_or(1));
            match (left.weight, right.weight) {
                (Some(_), Some(_)) => per_weight(**left_share, right).cmp(&per_weight(**right_share, left)),
                _ => std::cmp::Ordering::Equal,
            }
        });
        let Some((place, (member, _))) = next else { break };
        // What is filled need not be counted one by one.
        let room = member.limits.max.saturating_sub(shares[place]);
        let given = if member.weight.is_some() { 1 } else { room.min(left) };
        shares[place] += given;
        left -= given;
    }
    shares
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Scaler for CompositeScaler {
    fn name(&self) -> &str {
        &self.name
    }

    fn limits(&self) -> Limits {
        let sum = |of: fn(&Limits) -> u32| {
            self.members.iter().fold(0_u32, |sum, member| sum.saturating_add(of(&member.limits)))
        };
        Limits { min: sum(|limits| limits.min), max: sum(|limits| limits.max) }
    }

    async fn current(&self) -> Result<Current> {
        let looks = futures::future::try_join_all(self.members.iter().map(|member| member.scaler.current()));
        let all = looks.await?;
        let tokens: Vec<&str> = all.iter().map(|current| current.precondition.token()).collect();
        Ok(Current {
            configured: all.iter().map(|current| current.configured).sum(),
            running: all.iter().map(|current| current.running).sum(),
            precondition: Precondition::new(tokens.join(&SEPARATOR.to_string())),
        })
    }

    async fn observe(&self) -> Result<Observed> {
        let looks = futures::future::try_join_all(self.members.iter().map(|member| member.scaler.observe()));
        let all = looks.await?;
        let problems = self.members.iter().zip(&all).filter_map(|(member, observed)| {
            observed.problem.as_ref().map(|problem| format!("{}: {problem}", member.scaler.name()))
        });
        let problems: Vec<String> = problems.collect();
        Ok(Observed {
            configured: all.iter().map(|observed| observed.configured).sum(),
            running: all.iter().map(|observed| observed.running).sum(),
            settled: all.iter().map(|observed| observed.settled).try_fold(true, |all, one| Some(all && one?)),
            problem: (!problems.is_empty()).then(|| problems.join("; ")),
        })
    }

    async fn plan(&self, target: u32) -> Result<String> {
        let shares = self.shares(target)?;
        let plans = self.members.iter().zip(&shares).map(|(member, share)| member.scaler.plan(*share));
        let plans = futures::future::try_join_all(plans).await?;
        Ok(format!("{}: {target} in all; {}", self.name, plans.join("; ")))
    }

    async fn scale(&self, target: u32, precondition: &Precondition) -> Result<Outcome> {
        let shares = self.shares(target)?;
        let tokens: Vec<&str> = precondition.token().split(SEPARATOR).collect();
        if tokens.len() != self.members.len() {
            let message = "the precondition does not name every member";
            return Err(Error::new(ErrorKind::InvalidInput, "scale", message)
                .with_target(&self.name)
                .with_remedy("name the precondition that `current` returned"));
        }
        let (mut configured, mut after) = (0, Vec::with_capacity(tokens.len()));
        for (done, (member, (share, token))) in self.members.iter().zip(shares.iter().zip(tokens)).enumerate()
        {
            let outcome = member.scaler.scale(*share, &Precondition::new(token)).await;
            let outcome = outcome.map_err(|error| partly(error, done, self.members.len()))?;
            configured += outcome.configured;
            after.push(outcome.precondition.token().to_owned());
        }
        Ok(Outcome { configured, precondition: Precondition::new(after.join(&SEPARATOR.to_string())) })
    }
}

/// The error of a change that was made in part.
fn partly(error: Error, done: usize, all: usize) -> Error {
    if done == 0 {
        return error;
    }
    let message = format!("{done} of {all} members were changed, the next one was not");
    Error::new(error.kind(), "scale", message)
        .with_target(error.target().unwrap_or_default())
        .with_remedy("look again before a repeat")
        .with_source(error)
        .with_retry(Retry::Unknown)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::MemoryScaler;

    fn memory(count: usize) -> Vec<Arc<MemoryScaler>> {
        (0..count).map(|index| Arc::new(MemoryScaler::new(format!("region-{index}"), 0))).collect()
    }

    fn with<'s>(
        scalers: &'s [Arc<MemoryScaler>],
        numbers: &'s [u32],
    ) -> impl Iterator<Item = (Arc<dyn Scaler>, u32)> + 's {
        let scalers = scalers.iter().map(|scaler| Arc::<MemoryScaler>::clone(scaler) as Arc<dyn Scaler>);
        scalers.zip(numbers.iter().copied())
    }

    #[tokio::test]
    async fn both_ways_keep_the_contract() {
        let regions = memory(3);
        crate::testing::conformance::scaler(
            &CompositeScaler::spread("all", with(&regions, &[2, 1, 1])).unwrap(),
        )
        .await;
        let pools = memory(2);
        crate::testing::conformance::scaler(&CompositeScaler::fill("all", with(&pools, &[4, 10])).unwrap())
            .await;
    }

    #[tokio::test]
    async fn numbers_are_divided_as_stated() {
        let regions = memory(3);
        let spread = CompositeScaler::spread("all", with(&regions, &[2, 1, 1])).unwrap();
        assert_eq!(spread.shares(8).unwrap(), [4, 2, 2]);
        assert_eq!(spread.shares(1).unwrap(), [1, 0, 0]);
        let fill = CompositeScaler::fill("all", with(&regions, &[4, 10, 10])).unwrap();
        assert_eq!(fill.shares(6).unwrap(), [4, 2, 0]);
        assert_eq!(fill.limits(), Limits { min: 0, max: 24 });
        let error = fill.shares(25).unwrap_err();
        assert!(error.to_string().contains("25 instances are not within 0 and 24"), "{error}");
        let error = CompositeScaler::spread("all", with(&regions, &[1, 0, 1])).unwrap_err();
        assert!(error.to_string().contains("a weight is zero"), "{error}");
    }

    #[tokio::test]
    async fn a_change_in_part_is_told_and_the_repeat_does_the_rest() {
        let regions = memory(2);
        let all = CompositeScaler::spread("all", with(&regions, &[1, 1])).unwrap();
        let before = all.current().await.unwrap();
        let second = regions[1].current().await.unwrap();
        regions[1].scale(7, &second.precondition).await.unwrap();
        let error = all.scale(4, &before.precondition).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Conflict, Retry::Unknown));
        assert!(error.to_string().contains("1 of 2 members were changed"), "{error}");
        let now = all.current().await.unwrap();
        assert_eq!(now.configured, 2 + 7);
        all.scale(4, &now.precondition).await.unwrap();
        assert_eq!(regions[1].current().await.unwrap().configured, 2);
    }

    proptest! {
        #[test]
        fn shares_add_up_stay_within_limits_and_never_fall_as_the_number_grows(
            members in prop::collection::vec((0_u32..3, 3_u32..20, prop::option::of(1_u32..5)), 1..5),
        ) {
            let weighted = members.iter().all(|(.., weight)| weight.is_some());
            let members: Vec<Member> = members
                .iter()
                .map(|(min, max, weight)| Member {
                    scaler: Arc::new(MemoryScaler::new("a", 0)),
                    weight: weight.filter(|_| weighted),
                    limits: Limits { min: *min, max: *max },
                })
                .collect();
            let (min, max) = members.iter().fold((0, 0), |(min, max), member| (min + member.limits.min, max + member.limits.max));
            let mut before = shares(min, &members);
            for target in min..=max {
                let now = shares(target, &members);
                prop_assert_eq!(now.iter().sum::<u32>(), target);
                prop_assert!(now.iter().zip(&before).all(|(now, before)| now >= before), "{:?} {:?}", before, now);
                prop_assert!(now.iter().zip(&members).all(|(share, member)| (member.limits.min..=member.limits.max).contains(share)));
                before = now;
            }
        }
    }
}
