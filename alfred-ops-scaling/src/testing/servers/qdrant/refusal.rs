//! Errors as Qdrant writes them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A request that is not fulfilled.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: format!("Bad request: {}", message.into()) }
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: format!("Not found: {}", message.into()) }
    }

    pub(super) fn malformed(message: impl Into<String>) -> Self {
        let message = format!("Format error in JSON body: {}", message.into());
        Self { status: StatusCode::BAD_REQUEST, message }
    }

    pub(super) fn unauthorized() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, message: "Invalid API key or JWT".to_owned() }
    }

    pub(super) fn no_consensus() -> Self {
        let message = "Service internal error: the consensus operation was not committed in time".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message }
    }

    pub(super) fn unavailable() -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, message: "Service is starting".to_owned() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "status": { "error": self.message }, "time": 0.001 }))).into_response()
    }
}
