//! What was asked most, where the server keeps count.

use alfred_ops_core::Result;
use sqlx::{AssertSqlSafe, Row as _};

use super::{Look, count};
use crate::doctor::{Gap, StatementView};
use crate::postgres::quoted;

/// Where an extension's functions are, if the role may call them.
const SCHEMA: &str = "SELECT n.nspname::text AS schema FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace \
    WHERE x.extname = '{name}' AND has_schema_privilege(n.oid, 'USAGE')";

const STATEMENTS: &str = "SELECT left(s.query, 4000) AS text, s.calls, s.rows, s.shared_blks_hit + s.shared_blks_read AS blocks, \
    s.total_exec_time AS millis FROM {schema}.pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid \
    WHERE d.datname = current_database() AND s.query IS NOT NULL ORDER BY 4 DESC LIMIT 500";

/// What stands for the text of other roles' statements.
const HIDDEN: &str = "<insufficient privilege>";

pub(super) async fn look(look: &mut Look<'_>) -> Result<()> {
    let Some(schema) = schema(look, "pg_stat_statements").await? else {
        let remedy = "preload pg_stat_statements and CREATE EXTENSION pg_stat_statements";
        look.facts.gaps.push(Gap::new("which statements read whole tables", remedy));
        return Ok(());
    };
    let query = sqlx::query(AssertSqlSafe(STATEMENTS.replace("{schema}", &quoted(&schema))));
    let statements = look.attempt("statements", query, |row| {
        Ok(StatementView {
            text: row.try_get("text")?,
            calls: count(row, "calls")?,
            rows: count(row, "rows")?,
            blocks: count(row, "blocks")?,
            millis: row.try_get("millis")?,
        })
    });
    let statements = statements.await?;
    let are_hidden = statements.iter().flatten().any(|statement| statement.text == HIDDEN);
    look.facts.statements = statements;
    if are_hidden {
        let remedy = format!("run GRANT pg_read_all_stats TO {}", quoted(&look.facts.role));
        look.facts.gaps.push(Gap::new("which statements of other roles read whole tables", remedy));
    }
    Ok(())
}

pub(super) async fn schema(look: &mut Look<'_>, extension: &str) -> Result<Option<String>> {
    let query = SCHEMA.replace("{name}", extension);
    Ok(look.read(extension, &query, |row| row.try_get("schema")).await?.pop())
}
