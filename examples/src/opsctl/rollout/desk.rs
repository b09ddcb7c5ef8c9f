//! All that a question about a rollout needs.

use std::sync::Arc;

use alfred_ops_core::{JobContext, MemoryStateStore, Result, StateStore};
use alfred_ops_maintenance::{Analysis, Release, Rollout, RolloutBook, RolloutTarget};

use super::command::RolloutPlace;
use super::config::{AnalysisConfig, RolloutConfig};
use super::program_check::ProgramCheck;
use super::query_analysis::QueryAnalysis;
use super::target;
use crate::opsctl::config_file::read_config;

/// The configuration, and the state that it is about.
pub(super) struct Desk<'a> {
    pub(super) config: RolloutConfig,
    pub(super) context: &'a JobContext,
    state: Arc<dyn StateStore>,
}

impl<'a> Desk<'a> {
    /// For questions and wishes: state that is not there is an error, and is not made.
    pub(super) async fn to_look(place: &RolloutPlace, context: &'a JobContext) -> Result<Self> {
        place.state.must_exist()?;
        Self::to_work(place, context).await
    }

    /// For a plan before the first rollout: state that is not there is empty, and is not made.
    pub(super) async fn to_plan(place: &RolloutPlace, context: &'a JobContext) -> Result<Self> {
        if place.state.must_exist().is_ok() {
            return Self::to_work(place, context).await;
        }
        Self::with(place, Arc::new(MemoryStateStore::default()), context)
    }

    /// For what may be the first rollout.
    pub(super) async fn to_work(place: &RolloutPlace, context: &'a JobContext) -> Result<Self> {
        Self::with(place, place.state.open(&context.clock).await?, context)
    }

    fn with(place: &RolloutPlace, state: Arc<dyn StateStore>, context: &'a JobContext) -> Result<Self> {
        let config: RolloutConfig = read_config(&place.config)?;
        config.policy.check().map_err(|error| error.with_target(place.config.display().to_string()))?;
        Ok(Self { config, context, state })
    }

    pub(super) fn book(&self) -> RolloutBook {
        RolloutBook::new(Arc::clone(&self.state), &self.config.name, Arc::clone(&self.context.clock))
    }

    pub(super) async fn target(&self) -> Result<Arc<dyn RolloutTarget>> {
        target::open(&self.config.name, &self.config.target, &self.state, self.context).await
    }

    /// All analyses, of `release` as its programs are told.
    pub(super) fn analyses(&self, release: Option<&Release>) -> Result<Vec<Arc<dyn Analysis>>> {
        let mut analyses: Vec<Arc<dyn Analysis>> = Vec::new();
        for config in &self.config.analyses {
            analyses.push(match config {
                AnalysisConfig::Program(check) => Arc::new(ProgramCheck::new(check, release, self.context)?),
                AnalysisConfig::Query(query) => {
                    Arc::new(QueryAnalysis::new(query.clone(), Arc::clone(&self.context.clock))?)
                }
            });
        }
        Ok(analyses)
    }

    /// The rollout with all that is asked of `release`.
    pub(super) async fn rollout(&self, release: Option<&Release>) -> Result<Rollout<Arc<dyn RolloutTarget>>> {
        let state = Arc::clone(&self.state);
        let mut builder = Rollout::builder(&self.config.name, self.target().await?, state);
        for check in &self.config.staging {
            builder = builder.staging(ProgramCheck::new(check, release, self.context)?);
        }
        for check in &self.config.gates {
            builder = builder.gate(ProgramCheck::new(check, release, self.context)?);
        }
        for analysis in self.analyses(release)? {
            builder = builder.analysis(analysis);
        }
        builder.policy(self.config.policy.clone()).build()
    }
}
