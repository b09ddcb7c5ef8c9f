//! What tests of images share. Each test uses a part of it.

#![allow(dead_code, unused_imports, reason = "shared by several tests")]

mod docker_server;
mod fake_registry;
mod pushing;
mod registry_server;
mod scene;

pub(crate) use docker_server::DockerServer;
pub(crate) use fake_registry::{FakeRegistry, Request, Response};
pub(crate) use pushing::{Pusher, digest_of, image_manifest, index_manifest};
pub(crate) use registry_server::RegistryServer;
pub(crate) use scene::Scene;
