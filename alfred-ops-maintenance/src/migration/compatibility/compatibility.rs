//! The check.

use std::fs;
use std::path::Path;

use alfred_ops_core::{Error, ErrorKind, JobContext, PostgresOptions, Result};
use serde::Deserialize;
use sqlx::PgConnection;
use sqlx::migrate::{MigrateError, Migration, Migrator};

use super::inserts::inserts;
use super::schema::{NeededColumn, Shape, needed_columns, shape, tables};
use super::scratch::Scratch;
use super::{Application, CompatibilityFault, CompatibilityFinding, CompatibilityReport};
use crate::postgres::Session;

const OPERATION: &str = "check compatibility";

/// Whether the old and the new application can work with a new schema, while the one is rolled out beside the other.
///
/// The migrations run on an empty database that is there for the check alone, and every query is prepared on it, before and
/// after the new ones: nothing is asked of the database of the service. A query that the server refuses, that takes or
/// returns other types than before, or that inserts rows without a column that is needed now, does not fit. Not seen are
/// new constraints that values break, and queries that nobody gave.
///
/// ```no_run
/// # async fn example(tests: alfred_ops_core::PostgresOptions, migrator: sqlx::migrate::Migrator) -> alfred_ops_core::Result<()> {
/// use alfred_ops_core::JobContext;
/// use alfred_ops_maintenance::Compatibility;
///
/// let report = Compatibility::default()
///     .old_query("claim", "UPDATE tasks SET status = 'processing' WHERE id = $1")
///     .new_queries_of_sqlx(".sqlx")?
///     .check(&tests, &migrator, 41, &JobContext::system())
///     .await?;
/// assert!(report.is_compatible(), "{report}");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Compatibility {
    queries: Vec<Query>,
}

#[derive(Debug, Clone)]
struct Query {
    application: Application,
    name: String,
    sql: String,
}

/// A file that `cargo sqlx prepare` writes, as far as it matters.
#[derive(Deserialize)]
struct PreparedQuery {
    query: String,
}

impl Compatibility {
    /// Adds a query of the application that runs now, with `$1` for parameters.
    #[must_use]
    pub fn old_query(self, name: impl Into<String>, sql: impl Into<String>) -> Self {
        self.with(Application::Old, name.into(), sql.into())
    }

    /// Adds a query of the application that comes, with `$1` for parameters.
    #[must_use]
    pub fn new_query(self, name: impl Into<String>, sql: impl Into<String>) -> Self {
        self.with(Application::New, name.into(), sql.into())
    }

    /// Adds the queries of the application that runs now from a folder that `cargo sqlx prepare` wrote for it.
    ///
    /// # Errors
    /// `NotFound` or `InvalidInput` name the folder or the file that cannot be read.
    pub fn old_queries_of_sqlx(self, folder: impl AsRef<Path>) -> Result<Self> {
        self.with_folder(Application::Old, folder.as_ref())
    }

    /// The same of the application that comes.
    ///
    /// # Errors
    /// As of [`old_queries_of_sqlx`](Self::old_queries_of_sqlx).
    pub fn new_queries_of_sqlx(self, folder: impl AsRef<Path>) -> Result<Self> {
        self.with_folder(Application::New, folder.as_ref())
    }

    fn with(mut self, application: Application, name: String, sql: String) -> Self {
        self.queries.push(Query { application, name, sql });
        self
    }

    fn with_folder(mut self, application: Application, folder: &Path) -> Result<Self> {
        let failed = |path: &Path, kind, message: String| {
            Error::new(kind, OPERATION, message)
                .with_target(path.display().to_string())
                .with_remedy("name a folder that \"cargo sqlx prepare\" wrote")
        };
        let unreadable =
            |path: &Path, error: &std::io::Error| failed(path, ErrorKind::NotFound, error.to_string());
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
            let path = entry.map_err(|error| unreadable(folder, &error))?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
        files.sort();
        for path in files {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            let PreparedQuery { query } = serde_json::from_str(&text)
                .map_err(|error| failed(&path, ErrorKind::InvalidInput, error.to_string()))?;
            let name = query.split_whitespace().take(8).collect::<Vec<_>>().join(" ");
            self = self.with(application, name, query);
        }
        Ok(self)
    }

    /// Prepares all queries: those of the old application on the schema after the migration `applied` and on the new one,
    /// those of the new application on the new one.
    ///
    /// `server` is one where the role may create a database and the migrations find the extensions that they need: a server for
    /// tests, of the same major version. The database that is made goes at the end; a check that is broken off leaves it,
    /// and the next check removes it.
    ///
    /// # Errors
    /// `PermissionDenied` if no database can be made, `InvalidInput` for a migration that the server refuses on an empty
    /// database, and the connection's.
    pub async fn check(
        &self,
        server: &PostgresOptions,
        migrator: &Migrator,
        applied: i64,
        context: &JobContext,
    ) -> Result<CompatibilityReport> {
        let scratch = Scratch::create(server, context).await?;
        let checked = self.check_on(&scratch, migrator, applied).await;
        let removed = scratch.remove().await;
        let report = checked?;
        removed?;
        Ok(report)
    }

    async fn check_on(
        &self,
        scratch: &Scratch,
        migrator: &Migrator,
        applied: i64,
    ) -> Result<CompatibilityReport> {
        let ups = migrator.iter().filter(|migration| migration.migration_type.is_up_migration());
        let (before, after): (Vec<Migration>, Vec<Migration>) =
            ups.cloned().partition(|migration| migration.version <= applied);
        let migrations: Vec<i64> = after.iter().map(|migration| migration.version).collect();
        let mut session = scratch.open().await?;
        migrate(&mut session.connection, before).await?;
        let old = self.look(&mut session, Application::Old).await?;
        let needed = self.needed(&mut session).await?;
        let known =
            tables(&mut session.connection).await.map_err(|source| session.failed(OPERATION, source))?;
        migrate(&mut session.connection, after).await?;
        // A connection remembers what it has prepared.
        session = scratch.open().await?;
        let mut needed_now = self.needed(&mut session).await?;
        needed_now.retain(|column| {
            !needed.contains(column) && known.contains(&(column.0.clone(), column.1.clone()))
        });
        let mut findings = Vec::new();
        for (query, today) in old {
            let now = self.shape(&mut session, query).await?;
            findings.extend(
                faults_of_old(query, &today, &now, &needed_now)
                    .into_iter()
                    .map(|fault| finding(query, fault)),
            );
        }
        for (query, now) in self.look(&mut session, Application::New).await? {
            findings.extend(now.err().map(|error| finding(query, CompatibilityFault::Refused { error })));
        }
        Ok(CompatibilityReport { findings, queries: self.queries.len(), migrations })
    }

    async fn look(
        &self,
        session: &mut Session,
        application: Application,
    ) -> Result<Vec<(&Query, Result<Shape, String>)>> {
        let mut shapes = Vec::new();
        for query in self.queries.iter().filter(|query| query.application == application) {
            shapes.push((query, self.shape(session, query).await?));
        }
        Ok(shapes)
    }

    async fn shape(&self, session: &mut Session, query: &Query) -> Result<Result<Shape, String>> {
        shape(&mut session.connection, &query.sql).await.map_err(|source| session.failed(OPERATION, source))
    }

    async fn needed(&self, session: &mut Session) -> Result<Vec<NeededColumn>> {
        let needed = needed_columns(&mut session.connection).await;
        Ok(needed.map_err(|source| session.failed(OPERATION, source))?.into_iter().collect())
    }
}

/// Why a query of the old application does not fit. Pure.
fn faults_of_old(
    query: &Query,
    today: &Result<Shape, String>,
    now: &Result<Shape, String>,
    needed_now: &[NeededColumn],
) -> Vec<CompatibilityFault> {
    let (today, now) = match (today, now) {
        (Err(error), _) => return vec![CompatibilityFault::RefusedToday { error: error.clone() }],
        (_, Err(error)) => return vec![CompatibilityFault::Refused { error: error.clone() }],
        (Ok(today), Ok(now)) => (today, now),
    };
    let mut faults = Vec::new();
    let list = |items: &[String]| if items.is_empty() { "nothing".to_owned() } else { items.join(", ") };
    if !now.returns.starts_with(&today.returns) {
        faults.push(CompatibilityFault::Returns { before: list(&today.returns), after: list(&now.returns) });
    }
    if now.takes != today.takes {
        faults.push(CompatibilityFault::Takes { before: list(&today.takes), after: list(&now.takes) });
    }
    for insert in inserts(&query.sql) {
        let is_given =
            |column: &String| insert.columns.as_ref().is_some_and(|columns| columns.contains(column));
        let lacking =
            needed_now.iter().filter(|(_, table, column)| *table == insert.table && !is_given(column));
        faults.extend(lacking.map(|(schema, table, column)| CompatibilityFault::Lacks {
            table: format!("{schema}.{table}"),
            column: column.clone(),
        }));
    }
    faults
}

fn finding(query: &Query, fault: CompatibilityFault) -> CompatibilityFinding {
    CompatibilityFinding { application: query.application, query: query.name.clone(), fault }
}

async fn migrate(connection: &mut PgConnection, migrations: Vec<Migration>) -> Result<()> {
    let mut migrator = Migrator::with_migrations(migrations);
    // The second part does not know those of the first.
    migrator.set_ignore_missing(true);
    migrator.run(&mut *connection).await.map_err(|source| {
        let version = match &source {
            MigrateError::ExecuteMigration(_, version) => format!("migration {version}"),
            _ => "the migrations".to_owned(),
        };
        Error::new(
            ErrorKind::InvalidInput,
            OPERATION,
            format!("{version} cannot be applied to an empty database"),
        )
        .with_source(source)
        .with_remedy(
            "the migrations must make the schema from nothing, on a server with the extensions they need",
        )
    })
}
