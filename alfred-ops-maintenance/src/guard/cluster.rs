//! Which cluster a server is.

use alfred_ops_core::Result;

use crate::postgres::{Session, code_of};

/// The system identifier of the server's cluster; `None` if the role may not ask.
pub(super) async fn system_id(session: &mut Session) -> Result<Option<String>> {
    let asked = sqlx::query_scalar("SELECT system_identifier::text FROM pg_control_system()");
    match asked.fetch_one(&mut session.connection).await {
        Ok(id) => Ok(Some(id)),
        Err(source) if code_of(&source).as_deref() == Some("42501") => Ok(None),
        Err(source) => Err(session.failed("ask for the cluster", source)),
    }
}
