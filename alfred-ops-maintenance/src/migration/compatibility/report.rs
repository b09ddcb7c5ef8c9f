//! What a check found.

use std::fmt;

/// Which of the two applications that work side by side while a new one is rolled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Application {
    /// The one that runs now.
    Old,
    /// The one that comes.
    New,
}

/// Why a query does not fit the new schema.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompatibilityFault {
    /// The server refuses it.
    Refused {
        /// In its words.
        error: String,
    },
    /// The server refuses it on the schema of today already: it is not what the application asks.
    RefusedToday {
        /// In the server's words.
        error: String,
    },
    /// It returns other columns than today. One that is added behind the others does no harm.
    Returns {
        /// Today, with names and types.
        before: String,
        /// On the new schema.
        after: String,
    },
    /// It takes parameters of other types than today.
    Takes {
        /// Today's types.
        before: String,
        /// On the new schema.
        after: String,
    },
    /// It inserts rows without a column that is needed on the new schema and was not before.
    Lacks {
        /// The table, with its schema.
        table: String,
        /// The column: NOT NULL, without a default.
        column: String,
    },
}

/// A query that does not fit the new schema.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompatibilityFinding {
    /// Whose it is.
    pub application: Application,
    /// What the host calls it.
    pub query: String,
    /// Why it does not fit.
    pub fault: CompatibilityFault,
}

/// What a check found. `Display` has a line for each finding, with what helps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompatibilityReport {
    /// The queries that do not fit, those of the old application first.
    pub findings: Vec<CompatibilityFinding>,
    /// So many queries were prepared.
    pub queries: usize,
    /// The migrations that make the new schema out of today's, by version.
    pub migrations: Vec<i64>,
}

impl CompatibilityReport {
    /// Whether both applications can work with the new schema, as far as their queries tell.
    #[must_use]
    pub fn is_compatible(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for CompatibilityReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { findings, queries, migrations } = self;
        write!(f, "{queries} queries on the schema after {} migrations: ", migrations.len())?;
        if findings.is_empty() {
            return f.write_str("all fit");
        }
        write!(f, "{} do not fit", findings.len())?;
        findings.iter().try_for_each(|finding| write!(f, "\n{finding}"))
    }
}

impl fmt::Display for CompatibilityFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self.application {
            Application::Old => "old",
            Application::New => "new",
        };
        write!(f, "{whose} application, {}: ", self.query)?;
        match &self.fault {
            CompatibilityFault::Refused { error } if self.application == Application::New => {
                write!(f, "{error}; the migrations do not make what it needs")
            }
            CompatibilityFault::Refused { error } => {
                write!(f, "{error}; take away what it uses in a later release, when nobody asks for it")
            }
            CompatibilityFault::RefusedToday { error } => {
                write!(f, "{error}, today already; give the queries that it asks")
            }
            CompatibilityFault::Returns { before, after } => {
                write!(f, "it returns {after} and not {before}; add a column instead, and move over to it")
            }
            CompatibilityFault::Takes { before, after } => {
                write!(f, "it takes {after} and not {before}; add a column instead, and move over to it")
            }
            CompatibilityFault::Lacks { table, column } => write!(
                f,
                "it inserts into {table} without {column}, which is NOT NULL; give the column a default until it is gone"
            ),
        }
    }
}
