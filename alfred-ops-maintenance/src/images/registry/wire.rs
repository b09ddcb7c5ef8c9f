//! Requests to a registry.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use alfred_ops_core::http::{
    Answer, Authentication, Endpoint, HttpOptions, Payload, Question, Requester, failed_answer, kind_of,
};
use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Result, Secret, SharedClock};
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderName, WWW_AUTHENTICATE};
use serde::Deserialize;

use super::challenge::Challenge;
use super::manifest::{ACCEPT as MANIFESTS, MANIFEST_BYTES_MAX};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
const TOKEN_BYTES_MAX: usize = 1 << 20;
/// What a token lives for where its issuer does not say.
const TOKEN_SECONDS: u64 = 60;
/// A token is not used this shortly before its end.
const TOKEN_MARGIN: Duration = Duration::from_secs(10);
const TOKENS_MAX: usize = 1000;

/// Sends requests with the credentials that the registry asks for.
#[derive(Debug)]
pub(super) struct Wire {
    root: Endpoint,
    /// Says who we are, to the registry and to whom it sends us for tokens.
    login: Requester,
    /// Says nothing of itself: a token takes the credentials' place.
    bare: Requester,
    has_fixed_token: bool,
    tokens: Mutex<BTreeMap<String, Token>>,
    clock: SharedClock,
}

#[derive(Debug, Clone)]
struct Token {
    text: Secret,
    until: Duration,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<Secret>,
    access_token: Option<Secret>,
    expires_in: Option<u64>,
}

/// One request.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) operation: &'static str,
    pub(super) method: Method,
    pub(super) endpoint: &'a Endpoint,
    pub(super) payload: Option<Payload<'a>>,
    /// The right that it needs, in the words of registries: `repository:app:pull`.
    pub(super) scope: &'a str,
}

impl Wire {
    pub(super) fn new(url: &str, options: &HttpOptions, clock: SharedClock) -> Result<Self> {
        let mut bare = options.clone();
        bare.authentication = Authentication::None;
        Ok(Self {
            root: Endpoint::public(url, "reach registry")?,
            login: Requester::new(options)?,
            bare: Requester::new(&bare)?,
            has_fixed_token: matches!(options.authentication, Authentication::Header { .. }),
            tokens: Mutex::default(),
            clock,
        })
    }

    pub(super) fn root(&self) -> &Endpoint {
        &self.root
    }

    pub(super) fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// The answer, whatever its status, but for 401 and 403, which are errors.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Answer> {
        let mut answer = self.send(ask, self.token(ask.scope)).await?;
        if answer.status.as_u16() == 401
            && !self.has_fixed_token
            && let Some(challenge) = challenge_of(&answer)
        {
            let token = self.fetch_token(ask, &challenge).await?;
            answer = self.send(ask, Some(token)).await?;
        }
        match answer.status.as_u16() {
            401 | 403 => Err(self
                .unexpected(ask, &answer)
                .with_remedy(format!("give credentials that have the right {}", ask.scope))),
            _ => Ok(answer),
        }
    }

    /// An answer of a status that has no meaning here.
    pub(super) fn unexpected(&self, ask: &Ask<'_>, answer: &Answer) -> Error {
        let shown = ask.endpoint.shown();
        failed_answer(kind_of(answer.status), ask.operation, shown, (answer.status, &answer.headers), "")
    }

    async fn send(&self, ask: &Ask<'_>, token: Option<Secret>) -> Result<Answer> {
        let mut headers: Vec<(HeaderName, String)> = vec![(ACCEPT, MANIFESTS.to_owned())];
        let mut requester = &self.login;
        if let Some(token) = token {
            headers.push((AUTHORIZATION, format!("Bearer {}", token.expose())));
            requester = &self.bare;
        }
        let question = Question {
            operation: ask.operation,
            endpoint: ask.endpoint,
            headers: &headers,
            bytes_max: MANIFEST_BYTES_MAX,
            limit_name: None,
            compressed: false,
        };
        let sent = requester.send(&question, &ask.method, ask.payload.as_ref());
        let answer = self.clock.timeout(REQUEST_TIMEOUT, ask.operation, sent).await;
        answer.map_err(|error| error.with_target(ask.endpoint.shown()))?
    }

    fn token(&self, scope: &str) -> Option<Secret> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let token = tokens.get(scope)?;
        (self.clock.monotonic() < token.until).then(|| token.text.clone())
    }

    async fn fetch_token(&self, ask: &Ask<'_>, challenge: &Challenge) -> Result<Secret> {
        let operation = "log in to registry";
        let mut endpoint = Endpoint::public(&challenge.realm, operation)?;
        if self.root.url().scheme() == "https" && endpoint.url().scheme() != "https" {
            return Err(Error::new(
                ErrorKind::PermissionDenied,
                operation,
                "it wants the credentials in the clear",
            )
            .with_target(endpoint.shown())
            .with_remedy("let the registry name a realm of https"));
        }
        if let Some(service) = &challenge.service {
            endpoint = endpoint.with_query("service", service);
        }
        endpoint = endpoint.with_query("scope", ask.scope);
        let question = Question {
            operation,
            endpoint: &endpoint,
            headers: &[],
            bytes_max: TOKEN_BYTES_MAX,
            limit_name: None,
            compressed: false,
        };
        let answer = self.clock.timeout(REQUEST_TIMEOUT, operation, self.login.get(&question)).await??;
        let odd = |what: &str| {
            Error::new(ErrorKind::Unsupported, operation, what)
                .with_target(endpoint.shown())
                .with_remedy("check the registry's realm")
        };
        // What does not parse may be a token: the parser's words are left out.
        let answer: TokenAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| odd("the answer is not of the form of tokens"))?;
        let text =
            answer.token.or(answer.access_token).ok_or_else(|| odd("there is no token in the answer"))?;
        let lives = Duration::from_secs(answer.expires_in.unwrap_or(TOKEN_SECONDS).min(86_400));
        let until = self.clock.monotonic() + lives.saturating_sub(TOKEN_MARGIN);
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= TOKENS_MAX {
            tokens.clear();
        }
        tokens.insert(ask.scope.to_owned(), Token { text: text.clone(), until });
        Ok(text)
    }
}

fn challenge_of(answer: &Answer) -> Option<Challenge> {
    let headers = answer.headers.get_all(WWW_AUTHENTICATE).iter();
    headers.filter_map(|header| header.to_str().ok()).find_map(Challenge::read)
}
