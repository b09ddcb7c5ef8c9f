//! Delivers to anything that takes Alertmanager's webhook.

mod body;
mod webhook_sink;

pub use webhook_sink::WebhookSink;
