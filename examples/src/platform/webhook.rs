//! Somebody who is told.

use std::sync::{Arc, Mutex, PoisonError};

use alfred_ops_core::{Error, ErrorKind, Result, TaskSet};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;

/// One notification as it came over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `firing` or `resolved`.
    pub status: String,
    /// The alert's name.
    pub alert: String,
    /// The summary for people.
    pub summary: String,
}

/// A web server that takes Alertmanager's webhooks.
#[derive(Debug)]
pub struct WebhookReceiver {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl WebhookReceiver {
    /// Starts it on a free loopback port; it lives as long as `tasks`.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start(tasks: &TaskSet) -> Result<Self> {
        let no_port = |source| {
            Error::new(ErrorKind::Unavailable, "start webhook receiver", "no port is free")
                .with_source(source)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(no_port)?;
        let url = format!("http://{}/hook", listener.local_addr().map_err(no_port)?);
        let received = Arc::new(Mutex::new(Vec::new()));
        let inbox = Arc::clone(&received);
        let hook = post(move |Json(body): Json<Value>| async move {
            inbox.lock().unwrap_or_else(PoisonError::into_inner).extend(read(&body));
        });
        let stop = tasks.cancel_token().clone().cancelled_owned();
        tasks.spawn(async move {
            let server = axum::serve(listener, Router::new().route("/hook", hook));
            let _ = server.with_graceful_shutdown(stop).await;
        });
        Ok(Self { url, received })
    }

    /// Where to post to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What came so far about one alert.
    #[must_use]
    pub fn about(&self, alert: &str) -> Vec<Received> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.iter().filter(|received| received.alert == alert).cloned().collect()
    }
}

fn read(body: &Value) -> Vec<Received> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let alerts = body["alerts"].as_array().into_iter().flatten();
    alerts
        .map(|alert| Received {
            status: text(&alert["status"]),
            alert: text(&alert["labels"]["alertname"]),
            summary: text(&alert["annotations"]["summary"]),
        })
        .collect()
}
