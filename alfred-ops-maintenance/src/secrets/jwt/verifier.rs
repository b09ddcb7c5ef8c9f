//! Verifies tokens.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, SharedClock};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::key_set::{KeySet, Refusal};
use super::{JwksSource, TokenRules};
use crate::secrets::refreshed::{Reading, Refreshed};

/// A document without an age, or with an odd one, is kept within these.
const KEEP_MIN: Duration = Duration::from_secs(1);
const KEEP_MAX: Duration = Duration::from_secs(24 * 3600);
/// While nobody answers, the last keys are used for so long.
const STALE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Tokens that name unknown keys make us ask anew, but not more often, whether or not anybody answers: anybody can send such
/// tokens.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// Verifies tokens by the keys of a document, which it keeps for as long as it may. A key that it does not know makes it
/// ask anew. While nobody answers, the last keys are used for a day at least. Times are judged by the clock that was
/// injected.
#[derive(Debug)]
pub struct Verifier {
    source: Arc<dyn JwksSource>,
    rules: TokenRules,
    clock: SharedClock,
    keys: Refreshed<KeySet>,
}

impl Verifier {
    /// A verifier by the keys of `source`. Nothing is asked before a call.
    #[must_use]
    pub fn new(source: Arc<dyn JwksSource>, rules: TokenRules, clock: SharedClock) -> Self {
        Self { source, rules, keys: Refreshed::new(Arc::clone(&clock)), clock }
    }

    /// The claims of a token that is signed by a published key, in its time, by and for whom the rules say. It must say
    /// when it expires.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] if it is refused, without a word of what is in it; the source's if the keys are not
    /// known.
    pub async fn verify<T: DeserializeOwned>(&self, token: &str) -> Result<T> {
        let keys = self.keys.get(self.ask()).await?;
        let claims = match keys.claims(token, &self.rules.algorithms) {
            Err(Refusal::UnknownKey) => {
                let newer = self.keys.newer_than(&keys, ASK_EVERY, self.ask()).await;
                newer.claims(token, &self.rules.algorithms)
            }
            other => other,
        };
        let claims = claims.map_err(Refusal::into_error)?;
        self.judge(&claims)?;
        serde_json::from_value(claims).map_err(|_| refused("its claims are not of the expected form"))
    }

    fn judge(&self, claims: &Value) -> Result<()> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
        let now = self.clock.now().timestamp_millis() as f64 / 1e3;
        let leeway = self.rules.leeway.as_secs_f64();
        let time = |name: &str| {
            claims.get(name).map(|value| value.as_f64().ok_or_else(|| refused("a time is no number")))
        };
        let expires = time("exp").ok_or_else(|| refused("it does not say when it expires"))??;
        if now > expires + leeway {
            return Err(refused("it has expired"));
        }
        if let Some(begins) = time("nbf").transpose()?
            && now + leeway < begins
        {
            return Err(refused("it is not good yet"));
        }
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if let Some(issuer) = &self.rules.issuer
            && text("iss") != Some(issuer)
        {
            return Err(refused("it is of another issuer"));
        }
        if let Some(audience) = &self.rules.audience {
            let many = claims.get("aud").and_then(Value::as_array);
            let listed = many.is_some_and(|many| many.iter().any(|one| one.as_str() == Some(audience)));
            if text("aud") != Some(audience) && !listed {
                return Err(refused("it is for somebody else"));
            }
        }
        Ok(())
    }

    async fn ask(&self) -> Result<Reading<KeySet>> {
        let document = self.source.fetch().await?;
        let keep = document.max_age.clamp(KEEP_MIN, KEEP_MAX);
        // Shortly before they are too old one of the callers asks anew.
        let (fresh_for, good_for) = (keep * 3 / 4, keep.max(STALE_MAX));
        Ok(Reading { value: KeySet::read(&document)?, fresh_for, good_for })
    }
}

fn refused(fault: &'static str) -> Error {
    Error::new(ErrorKind::PermissionDenied, "verify token", fault)
}
