//! Errors as Google's APIs write them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error in the form of `google.rpc.Status` over HTTP.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl ApiError {
    pub(super) fn not_found(name: &str) -> Self {
        let message = format!("Resource '{name}' does not exist.");
        Self { status: StatusCode::NOT_FOUND, code: "NOT_FOUND", message }
    }

    pub(super) fn aborted() -> Self {
        let message = "Conflict: the etag provided is out of date.".to_owned();
        Self { status: StatusCode::CONFLICT, code: "ABORTED", message }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "INVALID_ARGUMENT", message: message.into() }
    }

    pub(super) fn precondition(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "FAILED_PRECONDITION", message: message.into() }
    }

    pub(super) fn exists(name: &str) -> Self {
        let message = format!("Resource '{name}' already exists.");
        Self { status: StatusCode::CONFLICT, code: "ALREADY_EXISTS", message }
    }

    pub(super) fn taken(revision: &str) -> Self {
        let message = format!("Revision named '{revision}' with different configuration already exists.");
        Self { status: StatusCode::CONFLICT, code: "ALREADY_EXISTS", message }
    }

    pub(super) fn quota_exceeded() -> Self {
        let message = "Quota exceeded for quota metric 'Write requests'.".to_owned();
        Self { status: StatusCode::TOO_MANY_REQUESTS, code: "RESOURCE_EXHAUSTED", message }
    }

    pub(super) fn unavailable() -> Self {
        let message = "The service is currently unavailable.".to_owned();
        Self { status: StatusCode::SERVICE_UNAVAILABLE, code: "UNAVAILABLE", message }
    }

    pub(super) fn denied() -> Self {
        let message = "Permission 'run.services.update' denied.".to_owned();
        Self { status: StatusCode::FORBIDDEN, code: "PERMISSION_DENIED", message }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = json!({ "code": self.status.as_u16(), "message": self.message, "status": self.code });
        (self.status, Json(json!({ "error": error }))).into_response()
    }
}
