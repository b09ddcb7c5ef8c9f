//! Verifies tokens.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, SharedClock};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Mutex, RwLock};

use super::key_set::{KeySet, Refusal};
use super::{JwksSource, TokenRules};

/// A document without an age, or with an odd one, is kept within these.
const KEEP_MIN: Duration = Duration::from_secs(1);
const KEEP_MAX: Duration = Duration::from_secs(24 * 3600);
/// While nobody answers, the last keys are used for so long.
const STALE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Tokens that name unknown keys make us ask anew, but not more often: anybody can send such tokens.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// Verifies tokens by the keys of a document, which it keeps for as long as it may. A key that it does not know makes it
/// ask anew. Times are judged by the clock that was injected.
#[derive(Debug)]
pub struct Verifier {
    source: Arc<dyn JwksSource>,
    rules: TokenRules,
    clock: SharedClock,
    kept: RwLock<Option<Arc<Kept>>>,
    asking: Mutex<()>,
}

#[derive(Debug)]
struct Kept {
    keys: KeySet,
    asked_at: Duration,
    keep: Duration,
}

impl Kept {
    fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.asked_at)
    }
}

impl Verifier {
    /// A verifier by the keys of `source`. Nothing is asked before a call.
    #[must_use]
    pub fn new(source: Arc<dyn JwksSource>, rules: TokenRules, clock: SharedClock) -> Self {
        Self { source, rules, clock, kept: RwLock::new(None), asking: Mutex::new(()) }
    }

    /// The claims of a token that is signed by a published key, in its time, by and for whom the rules say. It must say
    /// when it expires.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] if it is refused, without a word of what is in it; the source's if the keys are not
    /// known.
    pub async fn verify<T: DeserializeOwned>(&self, token: &str) -> Result<T> {
        let kept = self.keys().await?;
        let claims = match kept.keys.claims(token, &self.rules.algorithms) {
            Err(Refusal::UnknownKey) => {
                let newer = self.newer_than(&kept).await?;
                newer.keys.claims(token, &self.rules.algorithms)
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

    /// The keys, asked for anew shortly before they are too old, by one of the callers.
    async fn keys(&self) -> Result<Arc<Kept>> {
        let now = self.clock.monotonic();
        let kept = self.kept.read().await.clone();
        let Some(kept) = kept else {
            let _asking = self.asking.lock().await;
            // Not within the match: the lock would be held while the keys are written.
            let asked = self.kept.read().await.clone();
            return match asked {
                Some(kept) => Ok(kept),
                None => self.ask(now).await,
            };
        };
        if kept.age(now) < kept.keep * 3 / 4 {
            return Ok(kept);
        }
        let asking = if kept.age(now) < kept.keep {
            // Another asks already, and these are still good.
            let Ok(asking) = self.asking.try_lock() else { return Ok(kept) };
            asking
        } else {
            self.asking.lock().await
        };
        let last = self.kept.read().await.clone().unwrap_or(kept);
        if last.age(now) < last.keep * 3 / 4 {
            return Ok(last);
        }
        let asked = self.ask(now).await;
        drop(asking);
        match asked {
            Err(error) if last.age(now) < last.keep.max(STALE_MAX) => {
                tracing::warn!(error = %error.full(), "the last keys are used on");
                Ok(last)
            }
            other => other,
        }
    }

    /// Keys that were asked for later than these, if it is time to ask.
    async fn newer_than(&self, known: &Arc<Kept>) -> Result<Arc<Kept>> {
        let now = self.clock.monotonic();
        let _asking = self.asking.lock().await;
        let last = self.kept.read().await.clone().unwrap_or_else(|| Arc::clone(known));
        if !Arc::ptr_eq(&last, known) || last.age(now) < ASK_EVERY {
            return Ok(last);
        }
        self.ask(now).await
    }

    async fn ask(&self, now: Duration) -> Result<Arc<Kept>> {
        let document = self.source.fetch().await?;
        let keep = document.max_age.clamp(KEEP_MIN, KEEP_MAX);
        let kept = Arc::new(Kept { keys: KeySet::read(&document)?, asked_at: now, keep });
        *self.kept.write().await = Some(Arc::clone(&kept));
        Ok(kept)
    }
}

fn refused(fault: &'static str) -> Error {
    Error::new(ErrorKind::PermissionDenied, "verify token", fault)
}
