//! Whether a statement of ours about a table may be planned with our rights.
//!
//! The planner runs immutable functions: those of constants in expressions of indexes, of statistics, of CHECKs, and in SQL
//! functions that it puts in place of their calls. Whose table it is chooses them. So a table is asked about only if all
//! that hangs on it is the server's own, or an extension's and a superuser's: an extension's owner may add functions of his
//! own to it. Enums hold no code. Policies of rows are never planned: row security is off, and where it would apply to us
//! the server refuses.
//!
//! Trusted are superusers, the server's own objects and what superusers made of extensions. The table is locked from before
//! this question until after the plan, so nobody swaps or alters it meanwhile; but the lock, which no reader or writer
//! waits for, lets an owner add an index or statistics in the instant between both, or rename the schema.

use std::collections::BTreeMap;

use alfred_ops_core::Result;
use sqlx::Row as _;

use super::Look;
use crate::doctor::Gap;
use crate::postgres::quoted;

const TABLE: &str = "SELECT has_table_privilege(c.oid, 'SELECT') AS readable, c.relkind = 'r' AS plain, \
    row_security_active(c.oid) AS guarded, \
    (SELECT min(coalesce(pg_describe_object(d.refclassid, d.refobjid, 0), 'something')) FROM (\
    SELECT 'pg_class'::regclass AS class, i.indexrelid AS id FROM pg_index i WHERE i.indrelid = c.oid \
    UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid FROM pg_statistic_ext s WHERE s.stxrelid = c.oid \
    UNION ALL SELECT 'pg_constraint'::regclass, x.oid FROM pg_constraint x WHERE x.conrelid = c.oid \
    UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p WHERE p.polrelid = c.oid \
    UNION ALL SELECT 'pg_attrdef'::regclass, f.oid FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid \
    AND a.attnum = f.adnum WHERE f.adrelid = c.oid AND a.attgenerated <> '') AS o \
    JOIN pg_depend d ON d.classid = o.class AND d.objid = o.id \
    LEFT JOIN pg_type l ON d.refclassid = 'pg_type'::regclass AND l.oid = d.refobjid \
    LEFT JOIN pg_type t ON t.oid = CASE WHEN l.typcategory = 'A' AND l.typelem <> 0 THEN l.typelem ELSE l.oid END \
    WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass, 'pg_opclass'::regclass) \
    AND coalesce(t.oid, d.refobjid) >= 16384 AND coalesce(t.typtype, 'b') <> 'e' AND NOT (\
    EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.refclassid AND e.objid = coalesce(t.oid, d.refobjid) AND e.deptype = 'e') \
    AND EXISTS (SELECT FROM pg_roles r WHERE r.rolsuper AND r.oid = coalesce(t.typowner, \
    (SELECT p.proowner FROM pg_proc p WHERE d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid), \
    (SELECT p.oprowner FROM pg_operator p WHERE d.refclassid = 'pg_operator'::regclass AND p.oid = d.refobjid), \
    (SELECT p.opcowner FROM pg_opclass p WHERE d.refclassid = 'pg_opclass'::regclass AND p.oid = d.refobjid))))) AS stranger \
    FROM pg_class c WHERE c.oid = $1::regclass";

/// Superusers alone make classes of operators: what a type's default one has is what an index on it is for. Where a type of
/// the server has none of its own, only the server's operators are looked at.
const OPERATORS: &str = "SELECT a.attname::text AS name, CASE WHEN t.typtype = 'd' THEN NULL WHEN o.equal IS NOT NULL \
    AND o.least IS NOT NULL AND o.most IS NOT NULL THEN ARRAY[o.equal, o.least, o.most] \
    WHEN t.oid < 16384 OR t.typtype = 'e' THEN \
    ARRAY['OPERATOR(pg_catalog.=)', 'OPERATOR(pg_catalog.>=)', 'OPERATOR(pg_catalog.<=)'] END AS operators \
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid CROSS JOIN LATERAL (\
    SELECT max(s.operator) FILTER (WHERE s.strategy = 3) AS equal, max(s.operator) FILTER (WHERE s.strategy = 4) AS least, \
    max(s.operator) FILTER (WHERE s.strategy = 2) AS most FROM (\
    SELECT p.amopstrategy AS strategy, format('OPERATOR(%I.%s)', n.nspname, x.oprname) AS operator FROM pg_opclass q \
    JOIN pg_am m ON m.oid = q.opcmethod JOIN pg_amop p ON p.amopfamily = q.opcfamily AND p.amoplefttype = q.opcintype \
    AND p.amoprighttype = q.opcintype JOIN pg_operator x ON x.oid = p.amopopr JOIN pg_namespace n ON n.oid = x.oprnamespace \
    JOIN pg_proc f ON f.oid = x.oprcode WHERE m.amname = 'btree' AND q.opcdefault AND q.opcintype = t.oid \
    AND (x.oid < 16384 AND f.oid < 16384 OR \
    EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_operator'::regclass AND e.objid = x.oid AND e.deptype = 'e') \
    AND EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = f.oid AND e.deptype = 'e') \
    AND EXISTS (SELECT FROM pg_roles r WHERE r.rolsuper AND r.oid = x.oprowner) \
    AND EXISTS (SELECT FROM pg_roles r WHERE r.rolsuper AND r.oid = f.proowner))) AS s) AS o \
    WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname::text = ANY ($2::text[])";

/// How a column is compared: equal to a value, at least it, at most it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operators {
    pub(super) equal: String,
    pub(super) least: String,
    pub(super) most: String,
}

/// Whether all that the planner may run for the table is trusted; a gap says why not.
pub(super) async fn is_trusted(look: &mut Look<'_>, table: &str) -> Result<bool> {
    let query = sqlx::query(TABLE).bind(table.to_owned());
    let asked = what(table);
    let seen = look.attempt(&asked, query, |row| {
        Ok((
            row.try_get::<bool, _>("readable")?,
            row.try_get::<bool, _>("plain")?,
            row.try_get::<bool, _>("guarded")?,
            row.try_get::<Option<String>, _>("stranger")?,
        ))
    });
    let Some(mut seen) = seen.await? else { return Ok(false) };
    let why = match seen.pop() {
        Some((true, true, false, None)) => return Ok(true),
        Some((false, ..)) => format!("run GRANT SELECT ON {table} TO {}", quoted(&look.facts.role)),
        // The server locks no materialized view by itself, and what is not locked may be altered meanwhile.
        Some((_, false, ..)) => "it is no plain table".to_owned(),
        Some((_, _, true, _)) => {
            "its row security applies to the role; let a role with BYPASSRLS look".to_owned()
        }
        Some((.., Some(stranger))) => {
            format!(
                "to plan it may run {stranger} with our rights, which is no superuser's and no extension's"
            )
        }
        None => {
            look.lacks(Gap::passing(asked, "it vanished meanwhile; look again"));
            return Ok(false);
        }
    };
    untried(look, table, why);
    Ok(false)
}

/// How each of the columns is compared; none, and a gap, where one has no operators that are trusted.
pub(super) async fn operators(
    look: &mut Look<'_>,
    table: &str,
    columns: Vec<String>,
) -> Result<Option<BTreeMap<String, Operators>>> {
    let query = sqlx::query(OPERATORS).bind(table.to_owned()).bind(columns.clone());
    let asked = what(table);
    let seen = look.attempt(&asked, query, |row| {
        Ok((row.try_get::<String, _>("name")?, row.try_get::<Option<Vec<String>>, _>("operators")?))
    });
    let Some(seen) = seen.await? else { return Ok(None) };
    let mut found = BTreeMap::new();
    for (name, operators) in seen {
        if let Some(Ok([equal, least, most])) = operators.map(<[String; 3]>::try_from) {
            found.insert(name, Operators { equal, least, most });
        }
    }
    if let Some(column) = columns.iter().find(|column| !found.contains_key(*column)) {
        let column = quoted(column);
        let why = format!(
            "the type of {column} is a domain, or its operators are not the server's or an extension's"
        );
        untried(look, table, why);
        return Ok(None);
    }
    Ok(Some(found))
}

/// What is not known of a table that is not tried.
pub(super) fn what(table: &str) -> String {
    format!("what the planner would make of an index of {table}")
}

pub(super) fn untried(look: &mut Look<'_>, table: &str, why: String) {
    look.lacks(Gap::new(what(table), why));
}
