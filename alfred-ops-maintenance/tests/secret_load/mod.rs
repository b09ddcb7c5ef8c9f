//! Who uses secrets while they are rotated.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alfred_ops_core::http::HttpOptions;
use alfred_ops_core::{Clock as _, PostgresOptions, Secret, SimulatedClock, SystemClock, TaskSet};
use alfred_ops_maintenance::{
    ActiveSecret, DatabaseLogin, DatabaseLogins, JwksDocument, JwksEndpoint, JwtKeys, MemorySecrets,
    RotationBook, SigningKeys, TokenRules, Verifier,
};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::secret_faults::{SECRET, World};

const TOKEN_SECONDS: i64 = 3600;
const FAILURES_KEPT: usize = 10;

/// What is done between two moments of the clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) verifications: u64,
    pub(crate) connections: u64,
}

/// What was done, and what failed.
#[derive(Debug, Default)]
pub(crate) struct Load {
    pub(crate) verified: u64,
    pub(crate) connected: u64,
    pub(crate) failures: Vec<String>,
    failed: u64,
    /// Tokens with their ends, in the order in which they were signed.
    held: VecDeque<(i64, Secret)>,
    next: usize,
}

impl Load {
    pub(crate) fn report(&self, seconds: f64, keys: u64, logins: u64, fetches: u64) {
        #[expect(clippy::cast_precision_loss, reason = "counts of a test")]
        let rate = |count: u64| count as f64 / seconds;
        println!(
            "{} verifications ({:.0}/s) by keys of {fetches} answers over HTTP, {} connections ({:.0}/s), \
             {keys} rotations of keys, {logins} of logins, {} failures in {seconds:.0} s",
            self.verified,
            rate(self.verified),
            self.connected,
            rate(self.connected),
            self.failed
        );
    }

    fn note(&mut self, outcome: Result<(), String>) {
        if let Err(failure) = outcome {
            self.failed += 1;
            if self.failures.len() < FAILURES_KEPT {
                self.failures.push(failure);
            }
        }
    }
}

/// Two replicas that sign, and publish their keys over HTTP.
#[derive(Debug)]
pub(crate) struct Issuers {
    replicas: [Arc<SigningKeys>; 2],
    urls: [String; 2],
    fetches: Arc<AtomicU64>,
    clock: SimulatedClock,
    tasks: TaskSet,
}

type Published = (Arc<SigningKeys>, Arc<AtomicU64>);

async fn answer(State((keys, fetches)): State<Published>) -> Response {
    fetches.fetch_add(1, Ordering::SeqCst);
    match keys.jwks().await {
        Ok(document) => {
            let headers = [
                (CONTENT_TYPE, JwksDocument::CONTENT_TYPE.to_owned()),
                (CACHE_CONTROL, document.cache_control()),
            ];
            (headers, document.body.to_string()).into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

impl Issuers {
    pub(crate) async fn start(world: &World<MemorySecrets, JwtKeys>, book: &RotationBook) -> Self {
        let tasks = TaskSet::new(&CancellationToken::new());
        let fetches = Arc::new(AtomicU64::new(0));
        let (mut replicas, mut urls) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let store = Arc::new(world.secrets.clone());
            let keys =
                Arc::new(SigningKeys::new(SECRET, store, book.clone(), &world.policy, world.clock.shared()));
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            urls.push(format!("http://{}/.well-known/jwks.json", listener.local_addr().unwrap()));
            let service = Router::new()
                .route("/.well-known/jwks.json", get(answer))
                .with_state((Arc::clone(&keys), Arc::clone(&fetches)));
            let stop = tasks.cancel_token().clone();
            tasks.spawn(async move {
                axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await.unwrap();
            });
            replicas.push(keys);
        }
        Self {
            replicas: replicas.try_into().unwrap(),
            urls: urls.try_into().unwrap(),
            fetches,
            clock: world.clock.clone(),
            tasks,
        }
    }

    /// Each replica signs a token, and those that have expired are forgotten.
    pub(crate) async fn sign(&self, load: &mut Load) {
        let now = self.clock.now().timestamp();
        for replica in &self.replicas {
            let expires = now + TOKEN_SECONDS;
            match replica.sign(&json!({ "sub": "agent", "exp": expires })).await {
                Ok(token) => load.held.push_back((expires, token)),
                Err(error) => load.note(Err(format!("sign: {}", error.full()))),
            }
        }
        load.held.retain(|(expires, _)| *expires >= now);
    }

    pub(crate) fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::SeqCst)
    }

    pub(crate) async fn stop(self) {
        self.tasks.shutdown().await;
    }
}

/// Who verifies tokens and who logs in: two replicas of each, with caches of their own.
#[derive(Debug)]
pub(crate) struct Clients {
    verifiers: [Arc<Verifier>; 2],
    logins: [Arc<ActiveSecret>; 2],
    server: PostgresOptions,
}

impl Clients {
    pub(crate) fn new(
        issuers: &Issuers,
        clock: &SimulatedClock,
        logins: &World<MemorySecrets, DatabaseLogins>,
        server: &PostgresOptions,
    ) -> Self {
        let verifier = |url: &String| {
            let source = JwksEndpoint::new(url, &HttpOptions::default(), SystemClock::shared()).unwrap();
            let rules = TokenRules::default().with_leeway(Duration::ZERO);
            Arc::new(Verifier::new(Arc::new(source), rules, clock.shared()))
        };
        let login = || {
            let store = Arc::new(logins.secrets.clone());
            Arc::new(ActiveSecret::new(store, SECRET, logins.policy.cache_ttl, logins.clock.shared()))
        };
        Self {
            verifiers: [verifier(&issuers.urls[0]), verifier(&issuers.urls[1])],
            logins: [login(), login()],
            server: server.clone(),
        }
    }

    pub(crate) async fn work(&self, load: &mut Load, round: Round) {
        let half = usize::try_from(round.verifications).unwrap().div_ceil(2);
        let tasks = TaskSet::new(&CancellationToken::new());
        let mut begun = Vec::new();
        for (number, verifier) in self.verifiers.iter().enumerate() {
            // The newest tokens, whose keys are known last, and the older ones in turn.
            let newest = load.held.iter().rev().take(4);
            let turn = load.held.iter().cycle().skip(load.next).take(half.saturating_sub(4));
            let tokens: Vec<Secret> = newest.chain(turn).map(|(_, token)| token.clone()).collect();
            load.next = (load.next + half + number) % load.held.len().max(1);
            load.verified += tokens.len() as u64;
            let verifier = Arc::clone(verifier);
            begun.push(tasks.spawn(async move {
                let mut outcomes = Vec::with_capacity(tokens.len());
                for token in tokens {
                    let claims = verifier.verify::<Value>(token.expose()).await;
                    outcomes.push(claims.map(|_| ()).map_err(|error| format!("verify: {}", error.full())));
                }
                outcomes
            }));
        }
        for number in 0..round.connections {
            load.connected += 1;
            let (active, server) =
                (Arc::clone(&self.logins[usize::from(number % 2 > 0)]), self.server.clone());
            begun.push(tasks.spawn(async move { vec![log_in(&active, &server).await] }));
        }
        for task in begun {
            task.await.unwrap().into_iter().for_each(|outcome| load.note(outcome));
        }
    }
}

/// Makes a new connection, uses it and ends it.
async fn log_in(active: &ActiveSecret, server: &PostgresOptions) -> Result<(), String> {
    let (_, value) = active.get().await.map_err(|error| error.full())?;
    let login = DatabaseLogin::parse(&value).map_err(|error| error.full())?;
    let failed = |error: sqlx::Error| format!("log in as {}: {error}", login.user);
    let mut session = PgConnection::connect(login.at(server).to_url().expose()).await.map_err(failed)?;
    session.execute("SELECT x FROM t").await.map_err(failed)?;
    session.close().await.map_err(failed)
}
