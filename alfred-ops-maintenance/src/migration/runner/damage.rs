//! What statements leave behind that were broken off outside of a transaction.

use sqlx::PgConnection;

/// An index that was not built to its end, or a constraint that was not validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Damage {
    Index { name: String, quoted: String },
    Constraint { name: String, quoted: String, table: String },
}

impl Damage {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Index { name, .. } | Self::Constraint { name, .. } => name,
        }
    }

    pub(super) const fn is_index(&self) -> bool {
        matches!(self, Self::Index { .. })
    }

    /// What finishes it where it is.
    pub(super) fn finish(&self) -> String {
        match self {
            Self::Index { quoted, .. } => format!("REINDEX INDEX CONCURRENTLY {quoted}"),
            Self::Constraint { quoted, table, .. } => {
                format!("ALTER TABLE {table} VALIDATE CONSTRAINT {quoted}")
            }
        }
    }

    /// What removes it, so that it can be begun anew.
    pub(super) fn remove(&self) -> String {
        match self {
            Self::Index { quoted, .. } => format!("DROP INDEX CONCURRENTLY IF EXISTS {quoted}"),
            Self::Constraint { quoted, table, .. } => {
                format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {quoted}")
            }
        }
    }
}

/// All indexes that are not valid and that nobody builds at the moment, and all constraints that are not validated.
pub(super) async fn find(connection: &mut PgConnection) -> Result<Vec<Damage>, sqlx::Error> {
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "SELECT c.relname::text, i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         WHERE NOT i.indisvalid AND c.relkind = 'i' \
         AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) ORDER BY 2",
    )
    .fetch_all(&mut *connection)
    .await?;
    let constraints: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT conname::text, quote_ident(conname), conrelid::regclass::text FROM pg_constraint \
         WHERE NOT convalidated AND conrelid <> 0 ORDER BY 3, 1",
    )
    .fetch_all(connection)
    .await?;
    let indexes = indexes.into_iter().map(|(name, quoted)| Damage::Index { name, quoted });
    let constraints =
        constraints.into_iter().map(|(name, quoted, table)| Damage::Constraint { name, quoted, table });
    Ok(indexes.chain(constraints).collect())
}

/// Whether a migration is to blame for it: the text builds the index, or validates the constraint, and names it. An index
/// that is rebuilt leaves one with `_ccnew` or `_ccold` behind its name.
pub(super) fn is_of(damage: &Damage, sql: &str) -> bool {
    let lower = sql.to_lowercase();
    match damage {
        Damage::Index { name, .. } => {
            let base = name.split("_cc").next().unwrap_or(name);
            lower.contains("concurrently") && (mentions(&lower, name) || mentions(&lower, base))
        }
        Damage::Constraint { name, .. } => lower.contains("validate constraint") && mentions(&lower, name),
    }
}

/// Whether a name stands in a text as a word.
fn mentions(text: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    let part_of_name = |character: char| character.is_alphanumeric() || character == '_' || character == '$';
    text.match_indices(&name).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let behind = text.get(at + name.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(part_of_name) && !behind.is_some_and(part_of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_laid_to_the_migration_that_names_it() {
        let index = |name: &str| Damage::Index { name: name.to_owned(), quoted: name.to_owned() };
        let sql = "CREATE INDEX CONCURRENTLY tasks_status ON tasks (status)";
        assert!(is_of(&index("tasks_status"), sql) && is_of(&index("tasks_status_ccnew"), sql));
        assert!(!is_of(&index("tasks_stat"), sql) && !is_of(&index("tasks_status_2"), sql));
        assert!(!is_of(&index("tasks_status"), "CREATE INDEX tasks_status ON tasks (status)"));
        let check = Damage::Constraint {
            name: "Positive".to_owned(),
            quoted: "\"Positive\"".to_owned(),
            table: "t".to_owned(),
        };
        assert!(is_of(&check, "ALTER TABLE t VALIDATE CONSTRAINT \"Positive\""));
        assert!(!is_of(&check, "ALTER TABLE t ADD CONSTRAINT \"Positive\" CHECK (a > 0) NOT VALID"));
    }
}
