//! Reaching a server and logging in.

use alfred_ops_core::{Error, ErrorKind, PostgresOptions, Result, TlsMode};
use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::{md5_hash, sasl};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::connection::{Connection, Transport};
use super::{server_error, tls};

/// What ties the login to the TLS connection (RFC 5929, `tls-server-end-point`), where there is one.
pub(super) type Binding = Option<Vec<u8>>;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The commands of a physical walsender.
    Replication,
    /// Statements in the options' database.
    Sql,
}

/// Opens the byte stream, with TLS where the options ask for it.
pub(super) async fn reach(options: &PostgresOptions) -> Result<(Box<dyn Transport>, Binding)> {
    let unreachable = |source: std::io::Error| {
        Error::new(ErrorKind::Unavailable, "connect to Postgres", "the server cannot be reached")
            .with_remedy("check host and port, that the server runs, and the network")
            .with_source(source)
    };
    if options.host.starts_with('/') {
        let path = format!("{}/.s.PGSQL.{}", options.host, options.port);
        return Ok((Box::new(UnixStream::connect(path).await.map_err(unreachable)?), None));
    }
    let mut tcp = TcpStream::connect((options.host.as_str(), options.port)).await.map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    if options.tls == TlsMode::Disable {
        return Ok((Box::new(tcp), None));
    }
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    tcp.write_all(&request).await.map_err(unreachable)?;
    if tcp.read_u8().await.map_err(unreachable)? != b'S' {
        return Err(Error::new(ErrorKind::Unsupported, "connect to Postgres", "the server offers no TLS")
            .with_remedy("turn on ssl in postgresql.conf, or use sslmode=disable on a trusted network"));
    }
    let (stream, binding) = tls::encrypt(tcp, options).await?;
    Ok((Box::new(stream), binding))
}

/// Sends the startup message, answers the server's demand for a password, and waits until it is ready.
pub(super) async fn log_in(
    connection: &mut Connection,
    purpose: Purpose,
    options: &PostgresOptions,
    binding: Binding,
) -> Result<()> {
    let parameters = [
        ("user", options.user.as_str()),
        match purpose {
            Purpose::Replication => ("replication", "true"),
            Purpose::Sql => ("database", options.database.as_str()),
        },
        ("application_name", options.application_name.as_str()),
        ("client_encoding", "UTF8"),
    ];
    let mut message = BytesMut::new();
    frontend::startup_message(parameters, &mut message)
        .map_err(|_| bad_login("a login value has a zero byte"))?;
    connection.send(&message).await?;
    loop {
        match connection.next_message().await? {
            Message::AuthenticationCleartextPassword => {
                send_password(connection, password(options)?.as_bytes()).await?;
            }
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(options.user.as_bytes(), password(options)?.as_bytes(), body.salt());
                send_password(connection, hash.as_bytes()).await?;
            }
            Message::AuthenticationSasl(body) => {
                scram(connection, password(options)?.as_bytes(), &body, binding.as_deref()).await?;
            }
            Message::AuthenticationOk
            | Message::ParameterStatus(_)
            | Message::BackendKeyData(_)
            | Message::NoticeResponse(_) => {}
            Message::ReadyForQuery(_) => return Ok(()),
            Message::ErrorResponse(body) => return Err(server_error::classify(&body, &options.user)),
            _ => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "log in to Postgres",
                    "the server asks for another method",
                )
                .with_remedy("use scram-sha-256, md5, password or trust in pg_hba.conf"));
            }
        }
    }
}

fn password(options: &PostgresOptions) -> Result<&str> {
    options
        .password
        .as_ref()
        .map(|password| password.expose())
        .ok_or_else(|| bad_login("the server asks for a password and none is configured"))
}

async fn send_password(connection: &mut Connection, password: &[u8]) -> Result<()> {
    let mut message = BytesMut::new();
    frontend::password_message(password, &mut message)
        .map_err(|_| bad_login("the password has a zero byte"))?;
    connection.send(&message).await
}

/// SCRAM-SHA-256 (RFC 7677), bound to the TLS connection where server and connection allow it.
async fn scram(
    connection: &mut Connection,
    password: &[u8],
    body: &AuthenticationSaslBody,
    binding: Option<&[u8]>,
) -> Result<()> {
    let refused = |_| bad_login("the server's SCRAM messages are wrong: it may not know the password");
    let offered: Vec<&str> = body.mechanisms().collect().map_err(refused)?;
    let plus = offered.contains(&sasl::SCRAM_SHA_256_PLUS);
    let (mechanism, channel) = match binding {
        Some(hash) if plus => {
            (sasl::SCRAM_SHA_256_PLUS, sasl::ChannelBinding::tls_server_end_point(hash.to_vec()))
        }
        Some(_) => (sasl::SCRAM_SHA_256, sasl::ChannelBinding::unrequested()),
        None => (sasl::SCRAM_SHA_256, sasl::ChannelBinding::unsupported()),
    };
    if !offered.contains(&mechanism) {
        return Err(bad_login("the server offers no SCRAM-SHA-256"));
    }
    let mut exchange = sasl::ScramSha256::new(password, channel);
    let mut message = BytesMut::new();
    frontend::sasl_initial_response(mechanism, exchange.message(), &mut message).map_err(refused)?;
    connection.send(&message).await?;
    let user = String::new();
    loop {
        match connection.next_message().await? {
            Message::AuthenticationSaslContinue(body) => {
                exchange.update(body.data()).map_err(refused)?;
                let mut message = BytesMut::new();
                frontend::sasl_response(exchange.message(), &mut message).map_err(refused)?;
                connection.send(&message).await?;
            }
            Message::AuthenticationSaslFinal(body) => return exchange.finish(body.data()).map_err(refused),
            Message::ErrorResponse(body) => return Err(server_error::classify(&body, &user)),
            _ => return Err(bad_login("the server left the SCRAM exchange")),
        }
    }
}

fn bad_login(what: &str) -> Error {
    Error::new(ErrorKind::PermissionDenied, "log in to Postgres", what)
        .with_remedy("check the role, its password and pg_hba.conf")
}
