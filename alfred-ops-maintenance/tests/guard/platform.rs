//! A server with an archived log, and a database that is destroyed again and again.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{
    BackupRequest, MemoryBlobStore, PostgresBackend, Repository, RepositoryOptions, WalArchiveOptions,
    WalArchiver, WalSource,
};
use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{
    ClockExt as _, JobContext, MemoryStateStore, PostgresOptions, Result, StateStore, TaskHandle, TaskSet,
};
use alfred_ops_maintenance::{Guard, GuardBuilder, LocalPostgres};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::destruction::{PLATFORM, TABLES};

pub(crate) const DATABASE: &str = "platform";
const LIMIT: Duration = Duration::from_secs(120);

pub(crate) struct Platform {
    pub(crate) server: PostgresServer,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) context: JobContext,
    pub(crate) archive: Option<(Repository, Arc<WalArchiver>)>,
    pub(crate) aside: TempDir,
    archiving: Option<(TaskSet, TaskHandle<Result<()>>)>,
}

/// Everything that must come back: the schema, the rows, the sequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    schema: String,
    rows: Vec<String>,
    sequences: String,
}

impl Platform {
    pub(crate) async fn start() -> Self {
        Self::start_on(15).await
    }

    pub(crate) async fn start_on(version: u32) -> Self {
        let server = PostgresServer::builder_of(PostgresBinaries::of_version(version).unwrap())
            .setting("max_wal_senders", "10")
            .start()
            .await
            .unwrap();
        server.psql("CREATE ROLE app").unwrap();
        server.psql("CREATE DATABASE pristine").unwrap();
        server.psql_in("pristine", PLATFORM).unwrap();
        let context = JobContext::system();
        let store = Arc::new(MemoryStateStore::new(Arc::clone(&context.clock)));
        let aside = server.account().private_folder("ops-").unwrap();
        let platform = Self { server, store, context, archive: None, aside, archiving: None };
        platform.renew();
        platform
    }

    /// Archives the log, and takes a backup.
    pub(crate) async fn archived(mut self) -> Self {
        let blobs = Arc::new(MemoryBlobStore::new());
        let options = RepositoryOptions::default();
        let repository = Repository::open_or_create(blobs, options, &self.context).await.unwrap();
        let options = WalArchiveOptions::new("alfred_ops").unwrap();
        let archiver = Arc::new(WalArchiver::new(self.server.options(), repository.clone(), options));
        let tasks = TaskSet::new(&CancellationToken::new());
        let running = tasks.spawn({
            let archiver = Arc::clone(&archiver);
            let context = self.context.clone().with_cancel(tasks.cancel_token().clone());
            async move { archiver.run(&context).await }
        });
        let backend =
            PostgresBackend::new(self.server.options()).with_wal(WalSource::Archiver(Arc::clone(&archiver)));
        repository.run_backup(&backend, BackupRequest::full(), &self.context).await.unwrap();
        self.archive = Some((repository, archiver));
        self.archiving = Some((tasks, running));
        self
    }

    /// The database as it was in the beginning.
    pub(crate) fn renew(&self) {
        self.server.psql(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")).unwrap();
        self.server.psql(&format!("CREATE DATABASE {DATABASE} TEMPLATE pristine")).unwrap();
    }

    pub(crate) fn options(&self) -> PostgresOptions {
        self.server.options().with_database(DATABASE)
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.server.psql_in(DATABASE, sql).unwrap()
    }

    pub(crate) fn guard(&self) -> GuardBuilder {
        let builder = Guard::builder(self.options(), Arc::clone(&self.store)).restore_point("before-v42");
        match &self.archive {
            Some((repository, archiver)) => builder.archive(repository.clone(), Arc::clone(archiver)),
            None => builder.without_point_in_time(),
        }
    }

    /// Side servers of this machine, run by the account that owns the server.
    pub(crate) fn side_servers(&self) -> Arc<LocalPostgres> {
        let owner = std::fs::metadata(self.server.data_dir()).unwrap();
        let programs = self.server.binaries().program("postgres");
        let local = LocalPostgres::new(programs.parent().unwrap(), "postgres");
        let is_root = std::fs::metadata(self.aside.path()).unwrap().uid() != owner.uid()
            || std::fs::metadata("/proc/self").unwrap().uid() == 0;
        Arc::new(if is_root { local.run_as(owner.uid(), owner.gid()) } else { local })
    }

    pub(crate) fn picture(&self) -> Picture {
        self.picture_of(&self.options())
    }

    pub(crate) fn picture_of(&self, server: &PostgresOptions) -> Picture {
        let run = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(self.server.binaries().program(program));
            command.args(["-h", &server.host, "-p", &server.port.to_string(), "-U", "postgres"]);
            let output = command.args(["-d", DATABASE]).args(arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let query = |sql: &str| run("psql", &["-XqAt", "-c", sql]);
        let schema = run("pg_dump", &["-s"]);
        // Newer clients frame a dump with a random word.
        let schema: Vec<&str> = schema.lines().filter(|line| !line.contains("restrict ")).collect();
        let there = query(
            "SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'public'::regnamespace",
        );
        let rows = TABLES.iter().filter(|table| there.split_whitespace().any(|name| name == **table));
        let rows = rows.map(|table| {
            query(&format!(
                "SELECT '{table} ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') \
                 FROM {table} t"
            ))
        });
        let sequences =
            "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1";
        Picture { schema: schema.join("\n"), rows: rows.collect(), sequences: query(sequences) }
    }

    /// Ends archiving.
    pub(crate) async fn stop(mut self) -> Self {
        if let Some((tasks, running)) = self.archiving.take() {
            tasks.shutdown().await;
            running.await.unwrap().unwrap();
        }
        self
    }

    /// Waits until a query answers what is wanted.
    pub(crate) async fn until(&self, sql: &str, wanted: &str) {
        let reached = async {
            while self.server.psql(sql).unwrap() != wanted {
                self.context.clock.sleep(Duration::from_millis(10)).await;
            }
        };
        self.context.clock.timeout(LIMIT, "wait for Postgres", reached).await.unwrap();
    }
}

impl Picture {
    /// Fails with the lines that differ.
    pub(crate) fn assert_equals(&self, before: &Self, what: &str) {
        let lines = |one: &Self, other: &Self| -> Vec<String> {
            let all: Vec<&str> = other.schema.lines().collect();
            one.schema.lines().filter(|line| !all.contains(line)).map(ToOwned::to_owned).collect()
        };
        let (gone, new) = (lines(before, self), lines(self, before));
        assert!(self.schema == before.schema, "{what}: gone {gone:?}, new {new:?}");
        assert_eq!(self.rows, before.rows, "{what}");
        // A sequence may have gone on: numbers that were given are not given again.
        let last = |line: &str| {
            line.split_once('|').map_or((String::new(), 0), |(name, last)| {
                (name.to_owned(), last.parse::<i64>().unwrap_or(0))
            })
        };
        for (now, then) in self.sequences.lines().map(last).zip(before.sequences.lines().map(last)) {
            assert!(now.0 == then.0 && now.1 >= then.1, "{what}: {now:?} after {then:?}");
        }
        assert_eq!(self.sequences.lines().count(), before.sequences.lines().count(), "{what}");
    }
}

pub(crate) fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}
