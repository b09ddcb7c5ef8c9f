//! A private PgBouncer, from Debian's package `pgbouncer`.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alfred_ops_core::testing::servers::{Account, PostgresServer, free_port};
use alfred_ops_core::{Clock as _, PostgresOptions, SystemClock};
use tempfile::TempDir;

const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// A pooler before a server, with a folder and a port of its own. It ends with its owner.
#[derive(Debug)]
pub(crate) struct PgBouncer {
    home: TempDir,
    port: u16,
    server: Child,
}

impl PgBouncer {
    /// One of a mode, with `settings` of its own.
    pub(crate) async fn start(before: &PostgresServer, mode: &str, settings: &str) -> Self {
        let account = Account::find().unwrap();
        let home = account.private_folder("alfred-ops-pgbouncer-").unwrap();
        let port = free_port().unwrap();
        let path = |name: &str| home.path().join(name).display().to_string();
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n{settings}\n",
            before.options().port
        );
        std::fs::write(path("pgbouncer.ini"), config).unwrap();
        let log = std::fs::File::create(path("log")).unwrap();
        let mut command = Command::new("/usr/sbin/pgbouncer");
        command.arg(path("pgbouncer.ini")).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let server =
            account.apply(&mut command).spawn().expect("pgbouncer runs: install Debian's package pgbouncer");
        let mut pooler = Self { home, port, server };
        let clock = SystemClock::new();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = pooler.server.try_wait().unwrap();
            assert!(ended.is_none() && clock.monotonic() < START_LIMIT, "{}", pooler.log());
            clock.sleep(POLL).await;
        }
        pooler
    }

    /// How the superuser reaches the server through it.
    pub(crate) fn options(&self) -> PostgresOptions {
        PostgresOptions::new("127.0.0.1", "postgres").with_port(self.port)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
