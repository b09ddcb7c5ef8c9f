//! An issuer of API keys that is a program.

use alfred_ops_core::{Error, ErrorKind, Result, Secret};
use alfred_ops_maintenance::{ApiKeyIssuer, IssuedKey};
use async_trait::async_trait;
use serde_json::Value;

use crate::opsctl::program::{Answer, Program};

/// By this status a program says that it cannot tell the id of a key.
const CANNOT_TELL: i32 = 3;

/// An issuer of API keys that is a program of the host, since every issuer has an interface of its own:
///
/// - `issue LABEL` prints `{"id": …, "key": …}`;
/// - `withdraw LABEL` revokes what was issued under a label, if anything was;
/// - `identify` prints the id of the key on its standard input, or ends with status 3 if nobody can tell;
/// - `verify` uses the key on its standard input for something harmless;
/// - `revoke ID` revokes a key, if it is not revoked.
///
/// A status of 0 means that it is done.
#[derive(Debug)]
pub(super) struct ProgramIssuer(Program);

impl ProgramIssuer {
    pub(super) const fn new(program: Program) -> Self {
        Self(program)
    }

    async fn done(&self, words: &[&str], input: Option<&Secret>) -> Result<Secret> {
        let Answer { status, text } = self.0.ask(words, &[], input).await?;
        if status == Some(0) { Ok(text) } else { Err(self.failed(words, status)) }
    }

    fn failed(&self, words: &[&str], status: Option<i32>) -> Error {
        let status = status.map_or_else(|| "a signal".to_owned(), |status| format!("status {status}"));
        self.fault(ErrorKind::Unavailable, format!("{} ended with {status}", words.join(" ")))
            .with_remedy("run it by hand, and read its standard error")
    }

    fn fault(&self, kind: ErrorKind, what: impl Into<String>) -> Error {
        Error::new(kind, "ask issuer of keys", what).with_target(self.0.name())
    }
}

#[async_trait]
impl ApiKeyIssuer for ProgramIssuer {
    async fn issue(&self, label: &str) -> Result<IssuedKey> {
        let text = self.done(&["issue", label], None).await?;
        // Not as a source: the parser's error may quote the key.
        let key: Option<Value> = serde_json::from_str(text.expose()).ok();
        let field = |name| key.as_ref().and_then(|key| key.get(name)).and_then(Value::as_str);
        match (field("id"), field("key")) {
            (Some(id), Some(value)) => Ok(IssuedKey::new(id, Secret::new(value))),
            _ => Err(self
                .fault(ErrorKind::Internal, "issue did not print a JSON object with id and key")
                .with_remedy("let it print {\"id\": \"…\", \"key\": \"…\"}")),
        }
    }

    async fn withdraw(&self, label: &str) -> Result<()> {
        self.done(&["withdraw", label], None).await.map(|_| ())
    }

    async fn identify(&self, value: &Secret) -> Result<String> {
        let Answer { status, text } = self.0.ask(&["identify"], &[], Some(value)).await?;
        match status {
            Some(0) if text.expose().is_empty() || text.expose() == value.expose() => {
                // An id is kept and shown.
                Err(self.fault(ErrorKind::Internal, "identify printed nothing, or the key itself"))
            }
            Some(0) => Ok(text.expose().to_owned()),
            Some(CANNOT_TELL) => Err(self.fault(ErrorKind::Unsupported, "nobody can tell the key's id")),
            other => Err(self.failed(&["identify"], other)),
        }
    }

    async fn verify(&self, value: &Secret) -> Result<()> {
        self.done(&["verify"], Some(value)).await.map(|_| ())
    }

    async fn revoke(&self, id: &str) -> Result<()> {
        self.done(&["revoke", id], None).await.map(|_| ())
    }
}
