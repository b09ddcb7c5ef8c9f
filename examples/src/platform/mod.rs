//! A private agent platform: database, writers, agents, webhook.

mod agent;
mod database;
mod webhook;
mod writers;

pub use agent::{Agent, Behaviour};
pub use database::{Census, Database, TABLES};
pub use webhook::{Received, WebhookReceiver};
pub use writers::Writers;
