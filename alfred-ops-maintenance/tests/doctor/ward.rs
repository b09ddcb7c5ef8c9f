//! Servers that are ill as a file says.

use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{TaskHandle, TaskSet};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio_util::sync::CancellationToken;

/// One case of a file.
#[derive(Debug, Default)]
pub(crate) struct Case {
    name: String,
    pub(crate) finds: Vec<(String, String)>,
    pub(crate) advises: Vec<String>,
    pub(crate) accepts: Vec<(String, String)>,
    pub(crate) then: Vec<String>,
    settings: Vec<(String, String)>,
    since: u32,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Run { statement: String, fails: bool, times: u32 },
    Hold { role: String, database: String, sql: String },
    Wait(String),
    Until(String),
}

/// The cases of a file that are for this version.
pub(crate) fn cases(text: &str, version: u32) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let (mut statement, mut fails, mut times) = (String::new(), false, 1);
    for line in text.lines() {
        let Some(directive) = line.strip_prefix("--! ") else {
            if !line.starts_with("--") {
                statement += line;
                statement += "\n";
            }
            if line.ends_with(';') && !line.starts_with("--") {
                let statement = std::mem::take(&mut statement);
                cases.last_mut().unwrap().steps.push(Step::Run { statement, fails, times });
                (fails, times) = (false, 1);
            }
            continue;
        };
        statement.clear();
        let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        let pair = |by| {
            let (one, other) = rest.split_once(by).unwrap();
            (one.to_owned(), other.to_owned())
        };
        if word == "case" {
            cases.push(Case { name: rest.to_owned(), ..Case::default() });
            continue;
        }
        let case = cases.last_mut().unwrap();
        match word {
            "finds" => case.finds.push(pair(" ")),
            "advises" => case.advises.push(rest.to_owned()),
            "accepts" => case.accepts.push(pair(" ")),
            "setting" => case.settings.push(pair(" = ")),
            "then" => case.then.push(rest.to_owned()),
            "since" => case.since = rest.parse().unwrap(),
            "fails" => fails = true,
            "times" => times = rest.parse().unwrap(),
            "wait" => case.steps.push(Step::Wait(rest.to_owned())),
            "until" => case.steps.push(Step::Until(rest.to_owned())),
            "hold" => case.steps.push(hold(rest)),
            _ => panic!("{line}"),
        }
    }
    cases.retain(|case| case.since <= version);
    cases
}

fn hold(rest: &str) -> Step {
    let (mut role, mut database, mut sql) = ("postgres".to_owned(), "postgres".to_owned(), rest.to_owned());
    for (prefix, place) in [("as ", &mut role), ("in ", &mut database)] {
        if let Some((name, after)) = rest.strip_prefix(prefix).and_then(|rest| rest.split_once(": ")) {
            (*place, sql) = (name.to_owned(), after.to_owned());
        }
    }
    Step::Hold { role, database, sql }
}

/// A server with all that is wrong with it.
pub(crate) struct Ward {
    pub(crate) server: PostgresServer,
    held: Vec<PgConnection>,
    waiting: Vec<TaskHandle<()>>,
}

impl Ward {
    pub(crate) async fn open(version: u32, cases: &[Case]) -> Self {
        let mut builder = PostgresServer::builder_of(PostgresBinaries::of_version(version).unwrap())
            .setting("max_prepared_transactions", "8")
            .setting("wal_level", "logical")
            .setting("autovacuum_naptime", "86400")
            .setting("shared_preload_libraries", "pg_stat_statements");
        for (name, value) in cases.iter().flat_map(|case| &case.settings) {
            builder = builder.setting(name, value);
        }
        let server = builder.start().await.unwrap();
        server.psql("CREATE EXTENSION pg_stat_statements").unwrap();
        let mut ward = Self { server, held: Vec::new(), waiting: Vec::new() };
        let tasks = TaskSet::new(&CancellationToken::new());
        for case in cases {
            let mut connection = connect(&ward, "postgres", "postgres").await;
            let schema = format!("CREATE SCHEMA {0}; SET search_path = {0}, public", case.name);
            connection.execute(AssertSqlSafe(schema)).await.unwrap();
            for step in &case.steps {
                ward.take(step, &mut connection, &tasks, &case.name).await;
            }
            connection.execute("SELECT pg_stat_force_next_flush()").await.unwrap();
            connection.execute("SELECT 1").await.unwrap();
            connection.close().await.unwrap();
        }
        // Statistics and connections of those that ended are gone when the server says so.
        while ward
            .server
            .psql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'case'")
            .unwrap()
            != "0"
        {}
        ward
    }

    async fn take(&mut self, step: &Step, connection: &mut PgConnection, tasks: &TaskSet, case: &str) {
        match step {
            Step::Run { statement, fails, times } => {
                // What was counted before has to arrive before VACUUM says that nothing is left of it.
                if statement.starts_with("VACUUM") {
                    connection.execute("SELECT pg_stat_force_next_flush()").await.unwrap();
                    connection.execute("SELECT 1").await.unwrap();
                }
                for _ in 0..*times {
                    let done = run(connection, statement).await;
                    assert_eq!(done.is_err(), *fails, "{case}: {statement}: {done:?}");
                }
            }
            Step::Hold { role, database, sql } => {
                let mut held = connect(self, role, database).await;
                held.execute("SET application_name = 'held'").await.unwrap();
                run(&mut held, sql).await.unwrap();
                self.held.push(held);
            }
            Step::Wait(sql) => {
                let mut waits = connect(self, "postgres", "postgres").await;
                waits.execute("SET application_name = 'waits'").await.unwrap();
                let sql = sql.clone();
                self.waiting.push(tasks.spawn(async move {
                    // It is ended with its server.
                    let _ = run(&mut waits, &sql).await;
                }));
            }
            Step::Until(sql) => while self.server.psql(sql).unwrap() != "t" {},
        }
    }

    /// Ends all sessions and prepared transactions.
    pub(crate) async fn calm(mut self) -> Self {
        self.held.clear();
        let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        while self.server.psql(others).unwrap() != "0" {}
        for task in self.waiting.drain(..) {
            task.await.unwrap();
        }
        let names = "SELECT coalesce(string_agg(gid, ' '), '') FROM pg_prepared_xacts";
        for name in self.server.psql(names).unwrap().split_whitespace() {
            self.server.psql(&format!("ROLLBACK PREPARED '{name}'")).unwrap();
        }
        self
    }
}

pub(crate) async fn connect(ward: &Ward, role: &str, database: &str) -> PgConnection {
    let options = ward.server.options().with_user(role, None).with_application_name("case");
    let mut options = options;
    options.database = database.to_owned();
    PgConnection::connect(options.to_url().expose()).await.unwrap()
}

pub(crate) async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
}
