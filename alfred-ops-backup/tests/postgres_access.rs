//! Logging in: what works, and what is said when it does not.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use alfred_ops_backup::{
    BackupRequest, MemoryBlobStore, PostgresBackend, Repository, RepositoryOptions, WalArchiveOptions,
    WalArchiver,
};
use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{Error, ErrorKind, JobContext, PostgresOptions, Secret, TlsMode};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

const HBA: &str = "local all all trust\n\
    host all postgres 127.0.0.1/32 trust\n\
    host replication scram 127.0.0.1/32 scram-sha-256\n\
    host replication md5 127.0.0.1/32 md5\n\
    host replication powerless 127.0.0.1/32 trust\n";

async fn server() -> PostgresServer {
    let server = PostgresServer::builder().unwrap().hba(HBA).start().await.unwrap();
    server
        .psql(
            "CREATE ROLE scram LOGIN REPLICATION PASSWORD 'right'; CREATE ROLE powerless LOGIN; \
             SET password_encryption = 'md5'; CREATE ROLE md5 LOGIN REPLICATION PASSWORD 'right'; \
             CREATE ROLE nowhere LOGIN REPLICATION",
        )
        .unwrap();
    server
}

async fn probe(options: PostgresOptions) -> Result<u32, Error> {
    PostgresBackend::new(options).probe(&JobContext::system()).await.map(|probe| probe.version)
}

fn login(server: &PostgresServer, user: &str, password: &str) -> PostgresOptions {
    server.options().with_user(user, Some(Secret::new(password)))
}

#[tokio::test]
async fn scram_and_md5_log_in() {
    let server = server().await;
    for user in ["scram", "md5"] {
        assert!(probe(login(&server, user, "right")).await.unwrap() >= 150_000);
    }
}

#[tokio::test]
async fn each_mistake_is_named_with_its_remedy() {
    let server = server().await;
    let closed = PostgresOptions::new("127.0.0.1", "scram").with_port(1);
    for (options, kind, words) in [
        (login(&server, "scram", "wrong-secret"), ErrorKind::PermissionDenied, "check the role's password"),
        (login(&server, "md5", "wrong-secret"), ErrorKind::PermissionDenied, "check the role's password"),
        (server.options().with_user("scram", None), ErrorKind::PermissionDenied, "none is configured"),
        (
            login(&server, "powerless", ""),
            ErrorKind::PermissionDenied,
            "ALTER ROLE \"powerless\" REPLICATION",
        ),
        (login(&server, "nowhere", ""), ErrorKind::PermissionDenied, "host replication nowhere"),
        (closed, ErrorKind::Unavailable, "check host and port"),
        (
            server.options().with_user("scram", None).with_tls(TlsMode::Require),
            ErrorKind::Unsupported,
            "turn on ssl",
        ),
    ] {
        let error = probe(options).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.to_string().contains("postgres://"), "the server is named: {error}");
        assert!(!error.full().contains("wrong-secret"), "{}", error.full());
    }
}

#[tokio::test]
async fn a_server_without_replication_is_refused_and_nothing_is_written() {
    let server = PostgresServer::builder()
        .unwrap()
        .setting("wal_level", "minimal")
        .setting("max_wal_senders", "0")
        .start()
        .await
        .unwrap();
    let context = JobContext::system();
    let store = std::sync::Arc::new(MemoryBlobStore::new());
    let repository = Repository::open_or_create(store, RepositoryOptions::default(), &context).await.unwrap();
    let error = repository
        .run_backup(&PostgresBackend::new(server.options()), BackupRequest::full(), &context)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("set wal_level = replica"), "{error}");
    assert!(repository.backups().await.unwrap().is_empty());
}

#[tokio::test]
async fn before_15_the_archiver_needs_a_database_that_lets_it_in() {
    let hba = "host all postgres 127.0.0.1/32 trust\n\
        host replication all 127.0.0.1/32 trust\n\
        host postgres welcome 127.0.0.1/32 trust\n";
    let binaries = PostgresBinaries::of_version(13).unwrap();
    let server = PostgresServer::builder_of(binaries).hba(hba).start().await.unwrap();
    server.psql("CREATE ROLE lone LOGIN REPLICATION; CREATE ROLE welcome LOGIN REPLICATION").unwrap();
    let context = JobContext::system();
    let store = std::sync::Arc::new(MemoryBlobStore::new());
    let repository = Repository::open_or_create(store, RepositoryOptions::default(), &context).await.unwrap();
    let inspect = async |user: &str| {
        let options = server.options().with_user(user, None).with_database("elsewhere");
        let slot = WalArchiveOptions::new("alfred_ops").unwrap();
        WalArchiver::new(options, repository.clone(), slot).inspect(&context).await
    };
    let report = inspect("welcome").await.unwrap();
    assert_eq!(report.slot_keeps_from, None, "the database that every cluster has is tried too");
    let error = inspect("lone").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("host postgres lone CLIENT_ADDRESS"), "{error}");
    assert!(!error.full().contains("host replication"), "{}", error.full());
    // A backup that streams its own log looks at no slot.
    let backend = PostgresBackend::new(server.options().with_user("lone", None));
    repository.run_backup(&backend, BackupRequest::full(), &context).await.unwrap();
}

#[tokio::test]
async fn tls_checks_who_the_server_is_and_binds_the_login_to_it() {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let home = tempfile::tempdir().unwrap();
    let root_file = home.path().join("root.pem");
    std::fs::write(&root_file, root.pem()).unwrap();

    let hba = format!("{HBA}hostssl replication bound 127.0.0.1/32 scram-sha-256\n");
    let mut server = PostgresServer::builder().unwrap().hba(hba).start().await.unwrap();
    server.psql("CREATE ROLE bound LOGIN REPLICATION PASSWORD 'right'").unwrap();
    for (name, text) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
        use std::os::unix::fs::PermissionsExt as _;
        let path = server.data_dir().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        server.account().own(&path).unwrap();
    }
    server.psql("ALTER SYSTEM SET ssl = on").unwrap();
    server.restart().await.unwrap();

    let port = server.options().port;
    let options = |host: &str, tls| {
        PostgresOptions::new(host, "bound")
            .with_port(port)
            .with_user("bound", Some("right".into()))
            .with_tls(tls)
    };
    let verified = TlsMode::VerifyFull { root_certificates: Some(root_file) };
    probe(options("localhost", verified.clone())).await.unwrap();
    probe(options("127.0.0.1", TlsMode::Require)).await.unwrap();
    assert!(server.psql("SELECT count(*) FROM pg_authid WHERE rolpassword LIKE 'SCRAM%'").unwrap() == "1");

    let wrong_name = probe(options("127.0.0.1", verified)).await.unwrap_err();
    assert!(wrong_name.to_string().contains("names the host"), "{wrong_name}");
    let unknown =
        probe(options("localhost", TlsMode::VerifyFull { root_certificates: None })).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::PermissionDenied, "{unknown}");
    let plain = probe(options("localhost", TlsMode::Disable)).await.unwrap_err();
    assert!(plain.to_string().contains("pg_hba.conf"), "{plain}");
}
