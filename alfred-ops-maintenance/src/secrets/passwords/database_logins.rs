//! Logins of a database as a kind of secret.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Entropy, Error, ErrorKind, PostgresOptions, Result, Secret, SystemEntropy};
use async_trait::async_trait;
use sqlx::AssertSqlSafe;

use super::DatabaseLogin;
use crate::postgres::{Session, check_identifier, quoted};
use crate::{MadeSecret, SecretKind};

const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// 256 bits.
const PASSWORD_BYTES: usize = 32;
/// Sessions of this name are ours: they are no users.
const APPLICATION: &str = "alfred-ops logins";

/// Two logins of a Postgres server that take turns, as a kind of secret: while one is used, the other gets a new
/// password. Both are members of one role and act as it, so that what one makes is the other's too.
///
/// The server is told the SCRAM verifier of a password, never the password: it stands in no log and no statistics. An old
/// login is locked only when it has no session left. Who administers them needs `CREATEROLE`, and from Postgres 16 on the
/// role and the logins with `ADMIN OPTION`, which whoever made them has.
#[derive(Debug, Clone)]
pub struct DatabaseLogins {
    server: PostgresOptions,
    role: String,
    users: [String; 2],
    entropy: Arc<dyn Entropy>,
}

impl DatabaseLogins {
    /// Logins at `server`, whose options are those of who administers them. The role must exist; the users are made if
    /// they do not. Nothing happens before a call.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for names that no role has, or twice the same, or a login that administers itself.
    pub fn new(server: PostgresOptions, role: &str, users: [&str; 2]) -> Result<Self> {
        for (field, name) in [("role", role), ("users", users[0]), ("users", users[1])] {
            check_identifier(field, name)?;
        }
        if users[0] == users[1] || users.contains(&role) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "care for logins",
                "users: two names and the role are one",
            )
            .with_remedy("give two logins and a role of different names"));
        }
        if users.contains(&server.user.as_str()) {
            let fault = format!("users: {:?} is the login that administers them", server.user);
            return Err(Error::new(ErrorKind::InvalidInput, "care for logins", fault)
                .with_remedy("give two logins that nobody else needs"));
        }
        Ok(Self {
            server: server.with_application_name(APPLICATION),
            role: role.to_owned(),
            users: users.map(str::to_owned),
            entropy: Arc::new(SystemEntropy),
        })
    }

    async fn open(&self) -> Result<Session> {
        Session::open(&self.server, "logins", STATEMENT_TIMEOUT, STATEMENT_TIMEOUT, &[]).await
    }

    fn is_ours(&self, user: &str) -> bool {
        self.users.iter().any(|ours| ours == user)
    }

    async fn alter(&self, session: &mut Session, user: &str, what: &str) -> Result<()> {
        self.do_all(session, &format!("ALTER ROLE {} {what}", quoted(user))).await
    }

    /// Statements of one transaction.
    async fn do_all(&self, session: &mut Session, sql: &str) -> Result<()> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut session.connection).await;
        match done {
            Ok(_) => Ok(()),
            // What the server says may quote the statement.
            Err(source) => {
                let code = crate::postgres::code_of(&source);
                let error = match code.as_deref() {
                    Some("42501") => {
                        Error::new(ErrorKind::PermissionDenied, "change login", "the role may not do that")
                            .with_remedy(format!(
                                "run ALTER ROLE {} CREATEROLE, and GRANT {}, {}, {} TO {} WITH ADMIN OPTION",
                                quoted(&self.server.user),
                                quoted(&self.role),
                                quoted(&self.users[0]),
                                quoted(&self.users[1]),
                                quoted(&self.server.user)
                            ))
                    }
                    Some(code) => Error::new(ErrorKind::Internal, "change login", format!("SQLSTATE {code}")),
                    None => {
                        Error::new(ErrorKind::Unavailable, "change login", "the server cannot be reached")
                    }
                };
                Err(error.with_target(self.server.to_string()))
            }
        }
    }

    async fn has_role(&self, session: &mut Session, role: &str) -> Result<bool> {
        let found = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)").bind(role);
        let found = found.fetch_one(&mut session.connection).await;
        found.map_err(|source| session.failed("look at logins", source))
    }

    async fn sessions(&self, session: &mut Session, user: &str) -> Result<u64> {
        // Who logged in is seen by everybody, whatever he is doing.
        let count = sqlx::query_scalar::<_, i64>(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND application_name IS DISTINCT FROM $2",
        )
        .bind(user)
        .bind(APPLICATION);
        let count = count.fetch_one(&mut session.connection).await;
        let count = count.map_err(|source| session.failed("count sessions", source))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

#[async_trait]
impl SecretKind for DatabaseLogins {
    async fn make(&self, _: &str, in_use: Option<&str>) -> Result<MadeSecret> {
        let first_is_used = in_use == Some(&self.users[0]);
        let user = &self.users[usize::from(first_is_used)];
        let mut bytes = [0; PASSWORD_BYTES];
        self.entropy.fill(&mut bytes);
        let mut password = String::with_capacity(2 * PASSWORD_BYTES);
        for byte in bytes {
            // Writing to a string does not fail.
            let _ = write!(password, "{byte:02x}");
        }
        Ok(MadeSecret::new(user, DatabaseLogin::new(user, Secret::new(password)).to_secret()))
    }

    /// A password that nobody set means nothing to the server.
    async fn abandon(&self, _: &str) -> Result<()> {
        Ok(())
    }

    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the value does not say whose it is: it may be of one of the two, whose password must
    /// not change under its users. [`ErrorKind::Unsupported`] if it is of a third.
    async fn identify(&self, value: &Secret) -> Result<String> {
        let login = DatabaseLogin::parse(value).map_err(|source| {
            let fault = "the active version does not say whose login it is";
            Error::new(ErrorKind::InvalidInput, "take login into care", fault)
                .with_remedy(r#"store it as {"user": …, "password": …} and make that version the active one"#)
                .with_source(source)
        })?;
        if !self.is_ours(&login.user) {
            let fault = format!("the login {:?} is not one of the two", login.user);
            return Err(Error::new(ErrorKind::Unsupported, "read login", fault));
        }
        Ok(login.user)
    }

    async fn publish(&self, handle: &str, value: &Secret) -> Result<()> {
        let login = DatabaseLogin::parse(value)?;
        let mut session = self.open().await?;
        if !self.has_role(&mut session, &self.role).await? {
            return Err(Error::new(
                ErrorKind::NotFound,
                "change login",
                format!("there is no role {:?}", self.role),
            )
            .with_target(self.server.to_string())
            .with_remedy(format!("run CREATE ROLE {} NOLOGIN", quoted(&self.role))));
        }
        let (user, role) = (quoted(handle), quoted(&self.role));
        if !self.has_role(&mut session, handle).await? {
            // Without a password nobody can log in as it yet.
            self.do_all(&mut session, &format!("CREATE ROLE {user} LOGIN")).await?;
        }
        // Whoever is next has been out of use since it was locked, or has never been used.
        let used = self.sessions(&mut session, handle).await?;
        if used > 0 {
            let fault =
                format!("{handle:?} has {used} sessions that no rotation knows of, so its password stays");
            return Err(Error::new(ErrorKind::Conflict, "change login", fault)
                .with_target(self.server.to_string())
                .with_remedy(format!(
                    "let them use another login and end them; if {handle:?} is the login in use, store it as {} and \
                     make that version the active one",
                    r#"{"user": …, "password": …}"#
                )));
        }
        let verifier = postgres_protocol::password::scram_sha_256(login.password.expose().as_bytes());
        self.do_all(
            &mut session,
            &format!(
                "BEGIN; GRANT {role} TO {user}; ALTER ROLE {user} SET role TO {role}; \
                 ALTER ROLE {user} LOGIN PASSWORD '{verifier}'; COMMIT"
            ),
        )
        .await
    }

    /// Logs in.
    async fn verify(&self, handle: &str, value: &Secret) -> Result<()> {
        let login = DatabaseLogin::parse(value)?;
        let server = login.at(&self.server);
        let mut session = Session::open(&server, "login", STATEMENT_TIMEOUT, STATEMENT_TIMEOUT, &[]).await?;
        let found = sqlx::query_as::<_, (String, String)>("SELECT session_user::text, current_user::text");
        let found = found.fetch_one(&mut session.connection).await;
        let (user, role) = found.map_err(|source| session.failed("verify login", source))?;
        if user != handle || role != self.role {
            return Err(Error::new(
                ErrorKind::Conflict,
                "verify login",
                "it logs in as another, or acts as another role",
            )
            .with_target(self.server.to_string()));
        }
        Ok(())
    }

    async fn users(&self, handle: &str) -> Result<u64> {
        let mut session = self.open().await?;
        self.sessions(&mut session, handle).await
    }

    async fn lock(&self, handle: &str) -> Result<()> {
        let mut session = self.open().await?;
        if !self.has_role(&mut session, handle).await? {
            return Ok(());
        }
        // The count and the lock become true together, so that a host that dies between them has locked out nobody.
        self.do_all(&mut session, &format!("BEGIN; ALTER ROLE {} NOLOGIN", quoted(handle))).await?;
        let used = self.sessions(&mut session, handle).await? > 0;
        self.do_all(&mut session, if used { "ROLLBACK" } else { "COMMIT" }).await?;
        // Until that was committed somebody may have come. From then on nobody could.
        if !used && self.sessions(&mut session, handle).await? == 0 {
            return Ok(());
        }
        // A former lock may have died here, after its commit.
        self.alter(&mut session, handle, "LOGIN").await?;
        Err(Error::new(ErrorKind::Conflict, "lock login", "somebody has begun to use it again")
            .with_target(format!("{handle} at {}", self.server))
            .with_remedy("restart them, or end their sessions"))
    }

    async fn revoke(&self, handle: &str) -> Result<()> {
        let mut session = self.open().await?;
        if !self.has_role(&mut session, handle).await? {
            return Ok(());
        }
        self.alter(&mut session, handle, "NOLOGIN PASSWORD NULL").await
    }
}
