//! Where notifications go.

mod alert_sink;
mod memory;
mod receipt;
#[cfg(feature = "http")]
mod webhook;

pub use alert_sink::AlertSink;
#[cfg(any(test, feature = "testing"))]
pub use alert_sink::MockAlertSink;
pub use memory::MemorySink;
pub use receipt::Receipt;
#[cfg(feature = "http")]
pub use webhook::WebhookSink;
