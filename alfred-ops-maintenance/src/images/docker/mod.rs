//! Images of an engine.

mod docker_engine;
mod failure;

pub use docker_engine::DockerEngine;
