//! Settings that are dangerous.

use super::DatabaseSeverity;

/// A setting that is dangerous unless it has a certain value.
pub(super) struct Danger {
    pub(super) name: &'static str,
    pub(super) safe: &'static [&'static str],
    pub(super) severity: DatabaseSeverity,
    pub(super) what: &'static str,
}

const fn danger(
    name: &'static str,
    safe: &'static [&'static str],
    severity: DatabaseSeverity,
    what: &'static str,
) -> Danger {
    Danger { name, safe, severity, what }
}

pub(super) const DANGERS: &[Danger] = {
    use DatabaseSeverity::{Critical, Notice, Warning};
    &[
        danger("fsync", &["on"], Critical, "a crash of the machine leaves the database in ruins"),
        danger("full_page_writes", &["on"], Critical, "pages that a crash tore apart cannot be mended"),
        danger("autovacuum", &["on"], Critical, "dead rows pile up until writes end"),
        danger("track_counts", &["on"], Critical, "autovacuum does not know what to do"),
        danger("zero_damaged_pages", &["off"], Critical, "rows on damaged pages are thrown away silently"),
        danger("ignore_checksum_failure", &["off"], Critical, "wrong data is read as if it were right"),
        danger("ignore_invalid_pages", &["off"], Critical, "recovery passes over what is lost"),
        danger("ignore_system_indexes", &["off"], Warning, "the catalogue is read without its indexes"),
        danger("session_replication_role", &["origin", "local"], Critical, "foreign keys are not checked"),
        danger("row_security", &["on"], Warning, "queries that policies would filter fail"),
        danger("password_encryption", &["scram-sha-256"], Warning, "passwords are kept as weak hashes"),
        danger("wal_level", &["replica", "logical"], Warning, "no base backup and no archive is possible"),
        danger("track_activities", &["on"], Notice, "nobody sees what sessions do"),
        danger("enable_indexscan", &["on"], Warning, "plans avoid indexes"),
        danger("enable_seqscan", &["on"], Warning, "plans avoid what would be cheapest"),
        danger("enable_nestloop", &["on"], Warning, "plans avoid what would be cheapest"),
        danger("enable_hashjoin", &["on"], Warning, "plans avoid what would be cheapest"),
    ]
};
