//! Where a service runs.

use std::sync::Arc;

use alfred_ops_core::{FromConfig, JobContext, Result, Section};
use alfred_ops_maintenance::RolloutTarget;

use super::program_target::ProgramTarget;
use crate::opsctl::program::Program;

/// Where a service runs, as a file says.
#[derive(Debug)]
pub(super) enum TargetConfig {
    /// What a program makes of it.
    Program { command: Vec<String> },
}

impl FromConfig for TargetConfig {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        Some(Self::Program { command: section.required("command")? })
    }
}

/// The target of the service that is called `name`. Nothing is asked of the platform yet.
pub(super) fn open(
    name: &str,
    config: &TargetConfig,
    context: &JobContext,
) -> Result<Arc<dyn RolloutTarget>> {
    Ok(match config {
        TargetConfig::Program { command } => {
            let program = Program::new(command.clone(), Arc::clone(&context.clock))?;
            Arc::new(ProgramTarget::new(name, program))
        }
    })
}
