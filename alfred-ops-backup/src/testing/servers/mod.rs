//! Servers for tests and demonstrations, on free loopback ports, ended with their owner.

mod s3_fault;
mod s3_server;
mod s3_trouble;
mod seaweed_server;

pub use s3_fault::S3Fault;
pub use s3_server::S3Server;
pub use seaweed_server::SeaweedServer;
