//! A Kubernetes API server.

mod controller;
mod deployment;
mod discovery;
mod kind;
mod kubernetes_server;
mod patch;
mod path;
mod refusal;
mod scale;
mod selector;
mod state;
mod verbs;
mod watch;

pub use kubernetes_server::KubernetesServer;
