//! What keeps expired rows where they are.

use std::fmt;

/// What keeps expired rows where they are. `Display` says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetentionObstacle {
    /// There is no such table.
    NoTable {
        /// Its name.
        table: String,
    },
    /// There is no such column.
    NoColumn {
        /// Its name.
        column: String,
    },
    /// The column is of another type.
    WrongType {
        /// The column.
        column: String,
        /// Its type.
        is: String,
    },
    /// The role lacks rights.
    MissingGrant {
        /// The statement that gives them.
        grant: String,
    },
    /// Without an index each look would read the whole table.
    MissingIndex {
        /// The statement that makes it.
        create: String,
    },
    /// A table with a default partition cannot detach without locking out everybody.
    DefaultPartition {
        /// The default partition.
        default: String,
    },
    /// The server only follows another.
    Standby,
    /// Row-level security hides rows from the role.
    RowSecurity {
        /// The table.
        table: String,
        /// The role, as SQL has it.
        role: String,
    },
    /// The host's clock and the server's do not agree on what is old.
    ClockSkew {
        /// By so much the host's is ahead.
        seconds: i64,
    },
    /// Rows of the table are on another server.
    Foreign {
        /// The foreign table.
        table: String,
    },
    /// The rows are in more tables than are looked at.
    TooManyParts,
    /// A partition is half detached, and not because it should be dropped.
    LeftDetaching {
        /// The statement that ends this.
        finish: String,
    },
}

impl fmt::Display for RetentionObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable { table } => write!(f, "there is no table {table}; check the policy"),
            Self::NoColumn { column } => write!(f, "there is no column {column:?}; check the policy"),
            Self::WrongType { column, is } => {
                write!(f, "column {column:?} is of type {is}; it has to be timestamp with time zone")
            }
            Self::MissingGrant { grant } => write!(f, "the role lacks rights; run {grant}"),
            Self::MissingIndex { create } => {
                write!(f, "no index is led by the column, and the table is not read as a whole; run {create}")
            }
            Self::DefaultPartition { default } => write!(
                f,
                "with the default partition {default} nothing can be detached without locking out everybody; \
                 detach it once it is empty"
            ),
            Self::RowSecurity { table, role } => write!(
                f,
                "row-level security hides rows of {table} from the role; run ALTER ROLE {role} BYPASSRLS, or use a role that \
                 owns the table"
            ),
            Self::ClockSkew { seconds } => write!(
                f,
                "the clock of this host is {seconds} s ahead of the server's, so nobody can tell what is old; let both \
                 follow NTP"
            ),
            Self::Foreign { table } => {
                write!(f, "{table} is a foreign table; remove its rows where they are, or detach it")
            }
            Self::TooManyParts => f.write_str(
                "its rows are in more tables than are looked at; name some of them in policies of their own",
            ),
            Self::LeftDetaching { finish } => write!(
                f,
                "a partition is half detached, and nothing else can be detached before that is ended; run {finish}"
            ),
            Self::Standby => f.write_str("the server is a standby; let the policy name the primary"),
        }
    }
}
