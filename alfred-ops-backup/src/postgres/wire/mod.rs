//! A thin client for walsender connections, on the message codec of `postgres-protocol`.

mod connection;
mod handshake;
mod server_error;
mod tls;

pub(super) use connection::{Connection, Reply, Row};
pub(super) use server_error::OPERATION;
