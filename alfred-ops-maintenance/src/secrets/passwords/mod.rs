//! Passwords of two logins that take turns.

mod database_login;
mod database_logins;

pub use database_login::DatabaseLogin;
pub use database_logins::DatabaseLogins;
