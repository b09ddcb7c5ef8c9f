//! What statements leave behind that were broken off outside of a transaction.

use sqlx::{PgConnection, Row as _};

use super::statement::{Name, Statement};

/// Of the 63 bytes of a name a copy's end takes so many, and a few more where the cut fell into a character.
const LONG_NAME_BYTES: usize = 54;

/// An index that was not built to its end, or a constraint that was not validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) name: String,
    is_index: bool,
    schema: String,
    /// Whether the server finds it by its name alone.
    is_on_path: bool,
    /// The table: its number, and as it stands in SQL.
    table: i64,
    quoted_table: String,
    /// As it stands in SQL: an index with its schema.
    pub(super) quoted: String,
}

impl Damage {
    /// What finishes it where it is. A copy is removed: a rebuild that was broken off leaves the first index as it was.
    pub(super) fn finish(&self) -> String {
        let Self { quoted, quoted_table, .. } = self;
        match self.is_index {
            true if base_of_copy(&self.name).is_some() => self.remove(),
            true => format!("REINDEX INDEX CONCURRENTLY {quoted}"),
            false => format!("ALTER TABLE {quoted_table} VALIDATE CONSTRAINT {quoted}"),
        }
    }

    /// What removes an index, so that it can be begun anew.
    pub(super) fn remove(&self) -> String {
        format!("DROP INDEX CONCURRENTLY IF EXISTS {}", self.quoted)
    }

    /// Whether a statement that was broken off has left it, and nobody can have made it before. `table` is the table that
    /// the statement works on.
    fn is_waste_of(&self, statement: &Statement, table: Option<i64>) -> bool {
        let is_copy = || self.is_index && base_of_copy(&self.name).is_some();
        table == Some(self.table)
            && match statement {
                Statement::BuildsIndex { index, .. } => self.is_index && index.as_ref() == Some(&self.name),
                Statement::RebuildsIndex(index) => self.is_index && is_copy_of(&self.name, &index.name),
                Statement::RebuildsIndexesOf(_) => is_copy(),
                _ => false,
            }
    }

    /// Whether a statement that has run should have finished it.
    fn is_left_by(&self, statement: &Statement, table: Option<i64>) -> bool {
        let is_named = |name: &str| self.is_index && (self.name == name || is_copy_of(&self.name, name));
        let is_meant = match statement {
            Statement::BuildsIndex { index, .. } => index.as_deref().is_some_and(is_named),
            Statement::RebuildsIndex(index) => is_named(&index.name),
            Statement::RebuildsIndexesOf(_) => return self.is_waste_of(statement, table),
            Statement::Validates { constraints, .. } => !self.is_index && constraints.contains(&self.name),
            _ => false,
        };
        let is_there = || match (table, subject(statement)) {
            (Some(table), _) => table == self.table,
            // The table has got another name since.
            (None, Some(Name { schema: Some(schema), .. })) => *schema == self.schema,
            (None, _) => self.is_on_path,
        };
        is_meant && is_there()
    }
}

/// All indexes that are not valid and that nobody builds at the moment, and all constraints that are not validated.
async fn find(connection: &mut PgConnection) -> Result<Vec<Damage>, sqlx::Error> {
    let query = "SELECT true AS is_index, c.relname::text AS name, n.nspname::text AS schema, \
         n.nspname = ANY (current_schemas(false)) AS is_on_path, i.indrelid::int8 AS \"table\", \
         i.indrelid::regclass::text AS quoted_table, format('%I.%I', n.nspname, c.relname) AS quoted \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE NOT i.indisvalid AND c.relkind = 'i' \
         AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid \
         OR p.relid = i.indrelid AND c.relname ~ '_cc(new|old)[0-9]*$') \
         UNION ALL SELECT false, o.conname::text, n.nspname::text, n.nspname = ANY (current_schemas(false)), \
         o.conrelid::int8, o.conrelid::regclass::text, quote_ident(o.conname) \
         FROM pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace \
         WHERE NOT o.convalidated AND o.conrelid <> 0 ORDER BY 1 DESC, 7, 6";
    let rows = sqlx::query(query).fetch_all(connection).await?;
    let read = rows.iter().map(|row| {
        Ok(Damage {
            name: row.try_get("name")?,
            is_index: row.try_get("is_index")?,
            schema: row.try_get("schema")?,
            is_on_path: row.try_get("is_on_path")?,
            table: row.try_get("table")?,
            quoted_table: row.try_get("quoted_table")?,
            quoted: row.try_get("quoted")?,
        })
    });
    read.collect()
}

/// Half-built indexes that only these statements can have left, none of which is at work.
pub(super) async fn waste_of(
    connection: &mut PgConnection,
    statements: &[Statement],
) -> Result<Vec<Damage>, sqlx::Error> {
    those(connection, statements, Damage::is_waste_of).await
}

/// What these statements have left unfinished, all of which are recorded as done.
pub(super) async fn left_by(
    connection: &mut PgConnection,
    statements: &[Statement],
) -> Result<Vec<Damage>, sqlx::Error> {
    those(connection, statements, Damage::is_left_by).await
}

async fn those(
    connection: &mut PgConnection,
    statements: &[Statement],
    is_of: impl Fn(&Damage, &Statement, Option<i64>) -> bool,
) -> Result<Vec<Damage>, sqlx::Error> {
    let mut found = find(connection).await?;
    let mut of_them = vec![false; found.len()];
    // Most databases have none, and are asked nothing more.
    for statement in statements.iter().filter(|_| !found.is_empty()) {
        let Some(name) = subject(statement) else { continue };
        let table: Option<i64> = sqlx::query_scalar(
            "SELECT coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass($1)), to_regclass($1)::oid)::int8",
        )
        .bind(name.quoted())
        .fetch_one(&mut *connection)
        .await?;
        for (damage, is_theirs) in found.iter().zip(&mut of_them) {
            *is_theirs |= is_of(damage, statement, table);
        }
    }
    let mut of_them = of_them.into_iter();
    found.retain(|_| of_them.next() == Some(true));
    Ok(found)
}

/// The table, or the index, that tells where a statement works.
const fn subject(statement: &Statement) -> Option<&Name> {
    match statement {
        Statement::BuildsIndex { table, .. } | Statement::Validates { table, .. } => Some(table),
        Statement::RebuildsIndex(name) | Statement::RebuildsIndexesOf(name) => Some(name),
        _ => None,
    }
}

/// The name, or its beginning, of the index that is rebuilt by way of one of this name.
fn base_of_copy(name: &str) -> Option<&str> {
    let name = name.trim_end_matches(|character: char| character.is_ascii_digit());
    name.strip_suffix("_ccnew").or_else(|| name.strip_suffix("_ccold"))
}

fn is_copy_of(copy: &str, name: &str) -> bool {
    base_of_copy(copy)
        .is_some_and(|base| base == name || base.len() >= LONG_NAME_BYTES && name.starts_with(base))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(name: &str, table: i64) -> Damage {
        Damage {
            name: name.to_owned(),
            is_index: true,
            schema: "public".to_owned(),
            is_on_path: true,
            table,
            quoted_table: "t".to_owned(),
            quoted: name.to_owned(),
        }
    }

    /// Whether it is waste of a statement, and whether it is left by it; the statement's table has the number 1.
    fn judged(damage: &Damage, sql: &str) -> (bool, bool) {
        let [statement] = &Statement::all_of(sql)[..] else { panic!("{sql}") };
        (damage.is_waste_of(statement, Some(1)), damage.is_left_by(statement, Some(1)))
    }

    #[test]
    fn an_index_is_removed_for_the_statement_alone_that_builds_it() {
        let (build, rebuild) = ("CREATE INDEX CONCURRENTLY a ON t (x)", "REINDEX INDEX CONCURRENTLY a");
        assert_eq!(judged(&index("a", 1), build), (true, true));
        assert_eq!(judged(&index("a_ccnew", 1), build), (false, true));
        assert_eq!(judged(&index("a_ccnew2", 1), rebuild), (true, true));
        assert_eq!(judged(&index("a", 1), rebuild), (false, true));
        assert_eq!(judged(&index("b_ccold", 1), "REINDEX TABLE CONCURRENTLY t"), (true, true));
        assert_eq!(judged(&index("b", 1), "REINDEX TABLE CONCURRENTLY t"), (false, false));
        assert_eq!(judged(&index("a", 1), "DROP INDEX CONCURRENTLY a"), (false, false));
        for other in ["a_2", "aa", "a_ccnewer"] {
            assert_eq!(judged(&index(other, 1), build), (false, false), "{other}");
        }
        assert_eq!(judged(&index("a", 2), build), (false, false), "of another table");
        assert_eq!(judged(&index("a_ccnew", 2), rebuild), (false, false), "of another table");
    }

    #[test]
    fn what_has_run_is_finished_where_its_table_has_another_name() {
        let [here] = &Statement::all_of("CREATE INDEX CONCURRENTLY a ON t (x)")[..] else { panic!() };
        let [there] = &Statement::all_of("CREATE INDEX CONCURRENTLY a ON other.t (x)")[..] else { panic!() };
        let damage = index("a", 1);
        assert!(damage.is_left_by(here, None) && !damage.is_left_by(there, None));
        assert!(!damage.is_waste_of(here, None));
    }

    #[test]
    fn a_copy_is_known_by_a_cut_name_too() {
        let long = "n".repeat(63);
        assert!(is_copy_of(&format!("{}_ccnew", &long[..57]), &long));
        assert!(!is_copy_of(&format!("{}_ccnew", &long[..40]), &long));
    }
}
