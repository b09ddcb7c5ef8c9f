//! What is wrong with a database: found, explained, and what helps.

mod activity;
mod dangers;
#[cfg(feature = "postgres")]
mod database_doctor;
mod database_fault;
mod database_finding;
mod diagnosis;
mod facts;
mod index_trial;
mod keys;
#[cfg(feature = "postgres")]
mod look;
mod policy;
mod predicate;
mod relation_views;
mod relations;
mod size_estimate;
mod standing;
mod wanted_index;

#[cfg(feature = "postgres")]
pub use database_doctor::DatabaseDoctor;
pub use database_fault::DatabaseFault;
pub use database_finding::{DatabaseFinding, DatabaseRemedy, DatabaseSeverity};
pub use diagnosis::{Diagnosis, diagnose};
pub use facts::{
    ArchiverView, ConnectionLimit, DatabaseFacts, Gap, Oddity, PreparedView, SettingView, SlotView,
};
pub use index_trial::IndexTrial;
#[cfg(feature = "postgres")]
pub(crate) use look::look_at_indexes;
pub use policy::DoctorPolicy;
pub use relation_views::{ColumnView, ForeignKeyView, IndexSize, SequenceView, StatementView, TableView};
#[cfg(feature = "postgres")]
pub(crate) use relations::{index_waste, part};

pub(crate) use size_estimate::share;
pub use wanted_index::WantedIndex;
#[cfg(feature = "postgres")]
pub(crate) use wanted_index::wanted_indexes;

use crate::TableName;
use crate::postgres::quoted;

/// A name for people: quoted only where its letters need it, and not where it is a keyword. Statements have [`quoted`] ones.
fn sql_name(name: &str) -> String {
    let mut letters = name.chars();
    let plain = letters.next().is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if plain { name.to_owned() } else { quoted(name) }
}

fn plain(name: &TableName) -> String {
    format!("{}.{}", sql_name(name.schema()), sql_name(name.table()))
}
