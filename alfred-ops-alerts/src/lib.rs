//! alfred-ops alerts.
