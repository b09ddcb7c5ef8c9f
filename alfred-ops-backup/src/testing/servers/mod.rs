//! Servers for tests and demonstrations, in this process, on free loopback ports.

mod s3_server;

pub use s3_server::S3Server;
