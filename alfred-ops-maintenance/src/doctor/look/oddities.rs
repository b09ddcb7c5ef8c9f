//! What the catalogue by itself says is wrong.

use alfred_ops_core::Result;
use sqlx::Row as _;

use super::Look;
use crate::doctor::{DatabaseFault, Oddity};

/// A question to the catalogue: which fault, since which version of the server, and the query. It gives `place`, `detail`,
/// and either `statement` or `advice`. `{user}` leaves out the server's own schemas, `{own}` what belongs to extensions;
/// `{lock}` lets the statement after it give way to whom it would wait for, before others wait behind it.
type Question = (DatabaseFault, u32, &'static str);

const USER: &str =
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_(toast_)?temp_'";
const OWN: &str = "NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = c.oid AND e.deptype = 'e')";

const LOCK: &str = "SET lock_timeout = ''2s''; ";

const CONSTRAINTS: &[Question] = &[
    // One that is not enforced (Postgres 18) is meant to be so.
    (
        DatabaseFault::NotValidated,
        0,
        "SELECT format('%s on %s', quote_ident(x.conname), r.oid::regclass) AS place, \
         'it was added NOT VALID' AS detail, \
         format('ALTER TABLE %s VALIDATE CONSTRAINT %I', r.oid::regclass, x.conname) AS statement, '' AS advice \
         FROM pg_constraint x JOIN pg_class r ON r.oid = x.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace \
         WHERE NOT x.convalidated AND x.conparentid = 0 AND coalesce((to_jsonb(x)->>'conenforced')::bool, true) \
         AND r.relkind <> 'f' AND {user}",
    ),
    // Up to Postgres 18, as measured, that locks every table of the domain against writing.
    (
        DatabaseFault::NotValidated,
        0,
        "SELECT format('%s on %s', quote_ident(x.conname), t.oid::regtype) AS place, \
         'it was added NOT VALID to the domain' AS detail, \
         NULL AS statement, format('in a quiet hour, because nobody can write to the tables that use it meanwhile: {lock}ALTER DOMAIN %s \
         VALIDATE CONSTRAINT %I', t.oid::regtype, x.conname) AS advice \
         FROM pg_constraint x JOIN pg_type t ON t.oid = x.contypid JOIN pg_namespace n ON n.oid = t.typnamespace \
         WHERE NOT x.convalidated AND {user}",
    ),
    (
        DatabaseFault::DuplicateForeignKey,
        0,
        "SELECT format('%s on %s', quote_ident(x.conname), x.conrelid::regclass) AS place, \
         format('%I is the same', y.conname) AS detail, \
         format('{lock}ALTER TABLE %s DROP CONSTRAINT %I', x.conrelid::regclass, x.conname) AS statement, '' AS advice \
         FROM pg_constraint x JOIN pg_class r ON r.oid = x.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace \
         JOIN LATERAL (SELECT y.conname FROM pg_constraint y WHERE y.contype = 'f' AND y.conrelid = x.conrelid \
         AND y.confrelid = x.confrelid AND y.conkey = x.conkey AND y.confkey = x.confkey AND y.oid < x.oid \
         AND (y.confupdtype, y.confdeltype, y.confmatchtype, y.condeferrable, y.condeferred, y.convalidated) \
         = (x.confupdtype, x.confdeltype, x.confmatchtype, x.condeferrable, x.condeferred, x.convalidated) \
         AND to_jsonb(y)->'conenforced' IS NOT DISTINCT FROM to_jsonb(x)->'conenforced' \
         AND to_jsonb(y)->'confdelsetcols' IS NOT DISTINCT FROM to_jsonb(x)->'confdelsetcols' \
         ORDER BY y.oid LIMIT 1) y ON true \
         WHERE x.contype = 'f' AND x.conparentid = 0 AND {user}",
    ),
    (
        DatabaseFault::NarrowForeignKey,
        0,
        "SELECT format('%s on %s', quote_ident(x.conname), x.conrelid::regclass) AS place, \
         format('%I is %s and refers to %s', a.attname, a.atttypid::regtype, b.atttypid::regtype) AS detail, \
         NULL AS statement, format('widen %I to %s, by a new column that is filled in batches', a.attname, b.atttypid::regtype) \
         AS advice FROM pg_constraint x JOIN pg_class r ON r.oid = x.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace \
         CROSS JOIN LATERAL unnest(x.conkey, x.confkey) AS k (mine, theirs) \
         JOIN pg_attribute a ON a.attrelid = x.conrelid AND a.attnum = k.mine \
         JOIN pg_attribute b ON b.attrelid = x.confrelid AND b.attnum = k.theirs \
         WHERE x.contype = 'f' AND x.conparentid = 0 AND a.atttypid = ANY ('{int2,int4}'::regtype[]) \
         AND b.atttypid = ANY ('{int4,int8}'::regtype[]) AND a.attlen < b.attlen AND {user}",
    ),
];

const TRIGGERS: &[Question] = &[
    (
        DatabaseFault::DisabledTrigger,
        0,
        "SELECT format('%s on %s', CASE WHEN g.tgisinternal THEN 'constraint ' || quote_ident(x.conname) \
         ELSE quote_ident(g.tgname) END, c.oid::regclass) AS place, 'it is disabled' AS detail, \
         CASE WHEN NOT g.tgisinternal THEN format('{lock}ALTER TABLE %s ENABLE TRIGGER %I', c.oid::regclass, g.tgname) END \
         AS statement, 'enable all triggers of the table, then look for rows that broke the rule meanwhile' AS advice \
         FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_constraint x ON x.oid = g.tgconstraint \
         WHERE g.tgenabled = 'D' AND g.tgparentid = 0 AND {user} GROUP BY 1, 2, 3, 4",
    ),
    (
        DatabaseFault::DisabledTrigger,
        0,
        "SELECT format('rule %s on %s', quote_ident(w.rulename), c.oid::regclass) AS place, 'it is disabled' AS detail, \
         format('{lock}ALTER TABLE %s ENABLE RULE %I', c.oid::regclass, w.rulename) AS statement, '' AS advice \
         FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE w.ev_enabled = 'D' AND {user}",
    ),
    (
        DatabaseFault::DisabledTrigger,
        0,
        "SELECT format('event trigger %I', evtname) AS place, 'it is disabled' AS detail, \
         format('ALTER EVENT TRIGGER %I ENABLE', evtname) AS statement, '' AS advice \
         FROM pg_event_trigger WHERE evtenabled = 'D'",
    ),
];

const TABLES: &[Question] = &[
    (
        DatabaseFault::Unlogged,
        0,
        "SELECT c.oid::regclass::text AS place, format('%s bytes', pg_total_relation_size(c.oid)) AS detail, NULL AS statement, \
         format('if its rows matter: ALTER TABLE %s SET LOGGED, which rewrites it under a lock', c.oid::regclass) AS advice \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relpersistence = 'u' AND c.relkind = 'r' AND {user} AND {own}",
    ),
    // A key that is unique and never null does as well.
    (
        DatabaseFault::NoPrimaryKey,
        0,
        "SELECT c.oid::regclass::text AS place, format('%s bytes', pg_total_relation_size(c.oid)) AS detail, NULL AS statement, \
         format('CREATE UNIQUE INDEX CONCURRENTLY on what tells rows apart, then ALTER TABLE %s ADD PRIMARY KEY USING INDEX', \
         c.oid::regclass) AS advice FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition AND {user} AND {own} \
         AND (c.relkind = 'p' OR pg_relation_size(c.oid) > 0) \
         AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid \
         AND i.indpred IS NULL AND NOT EXISTS (SELECT FROM generate_series(0, i.indnkeyatts - 1) AS k \
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[k] \
         WHERE i.indkey[k] = 0 OR NOT a.attnotnull))",
    ),
    (
        DatabaseFault::PoliciesOff,
        0,
        "SELECT c.oid::regclass::text AS place, format('%s policies', count(*)) AS detail, NULL AS statement, \
         format('if they are right: ALTER TABLE %s ENABLE ROW LEVEL SECURITY', c.oid::regclass) AS advice \
         FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE NOT c.relrowsecurity AND {user} AND {own} GROUP BY c.oid",
    ),
    (
        DatabaseFault::Unpopulated,
        0,
        "SELECT c.oid::regclass::text AS place, 'a materialized view without data' AS detail, \
         format('REFRESH MATERIALIZED VIEW %s', c.oid::regclass) AS statement, '' AS advice \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'm' AND NOT c.relispopulated AND {user} AND {own}",
    ),
    (
        DatabaseFault::PendingDetach,
        0,
        "SELECT h.inhrelid::regclass::text AS place, format('of %s', h.inhparent::regclass) AS detail, \
         format('{lock}ALTER TABLE %s DETACH PARTITION %s FINALIZE', h.inhparent::regclass, h.inhrelid::regclass) AS statement, \
         '' AS advice FROM pg_inherits h WHERE h.inhdetachpending",
    ),
    (
        DatabaseFault::FilledDefault,
        0,
        "SELECT c.oid::regclass::text AS place, format('%s bytes in the default partition of %s', \
         pg_relation_size(c.oid), p.partrelid::regclass) AS detail, NULL AS statement, \
         'move its rows to partitions of their own' AS advice FROM pg_partitioned_table p \
         JOIN pg_class c ON c.oid = p.partdefid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'r' AND pg_relation_size(c.oid) > 0 AND coalesce(pg_stat_get_live_tuples(c.oid), 1) > 0 AND {user}",
    ),
];

const REPLICATION: &[Question] = &[
    (
        DatabaseFault::PublishedWithoutIdentity,
        0,
        "SELECT c.oid::regclass::text AS place, format('published by %s', string_agg(quote_ident(p.pubname), ', ')) AS detail, \
         NULL AS statement, format('add a primary key; until then ALTER TABLE %s REPLICA IDENTITY FULL', c.oid::regclass) \
         AS advice FROM pg_publication p JOIN pg_publication_tables t ON t.pubname = p.pubname \
         JOIN pg_namespace n ON n.nspname = t.schemaname JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename \
         WHERE (p.pubupdate OR p.pubdelete) AND c.relkind = 'r' AND (c.relreplident = 'n' \
         OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) \
         OR c.relreplident = 'i' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)) \
         GROUP BY c.oid",
    ),
    (
        DatabaseFault::DisabledSubscription,
        0,
        "SELECT format('subscription %I', s.subname) AS place, 'it is disabled' AS detail, NULL AS statement, \
         format('ALTER SUBSCRIPTION %I ENABLE, or drop it together with its slot', s.subname) AS advice \
         FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid \
         WHERE d.datname = current_database() AND NOT s.subenabled",
    ),
    (
        DatabaseFault::MissingSynchronous,
        0,
        // Commits of who has it local or off wait for nobody; what one role or database has is not the server's.
        "SELECT 'server' AS place, format('synchronous_standby_names is %L, and %s of %s are connected', \
         current_setting('synchronous_standby_names'), q.has, q.wants) AS detail, NULL AS statement, \
         'bring the standby back; to go on without it set synchronous_standby_names to fewer or none, and reload' AS advice \
         FROM (SELECT (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) AS has, \
         coalesce((regexp_match(current_setting('synchronous_standby_names'), \
         '^\\s*(?:first\\s+|any\\s+)?(\\d+)\\s*\\(', 'i'))[1]::int8, 1) AS wants) AS q \
         WHERE current_setting('synchronous_standby_names') <> '' AND NOT pg_is_in_recovery() \
         AND pg_has_role('pg_read_all_stats', 'USAGE') AND q.has < q.wants \
         AND (EXISTS (SELECT FROM pg_settings WHERE name = 'synchronous_commit' AND (reset_val NOT IN ('local', 'off') \
         OR source IN ('database', 'user', 'database user'))) \
         OR EXISTS (SELECT FROM pg_db_role_setting d CROSS JOIN LATERAL unnest(d.setconfig) AS s \
         WHERE s ~ '^synchronous_commit=' AND s !~ '=(local|off)$'))",
    ),
];

const RIGHTS: &[Question] = &[
    (
        DatabaseFault::PublicMayCreate,
        0,
        "SELECT format('schema %I', n.nspname) AS place, 'PUBLIC has CREATE' AS detail, \
         format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', n.nspname) AS statement, '' AS advice \
         FROM pg_namespace n WHERE {user} AND EXISTS (SELECT FROM aclexplode(n.nspacl) x \
         WHERE x.grantee = 0 AND x.privilege_type = 'CREATE')",
    ),
    (
        DatabaseFault::PublicMayWrite,
        0,
        "SELECT c.oid::regclass::text AS place, format('PUBLIC has %s', string_agg(x.privilege_type, ', ')) AS detail, \
         format('REVOKE %s ON %s FROM PUBLIC', string_agg(x.privilege_type, ', '), c.oid::regclass) AS statement, '' AS advice \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) x \
         WHERE c.relkind IN ('r', 'p', 'v', 'f') AND x.grantee = 0 \
         AND x.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE') AND {user} AND {own} GROUP BY c.oid",
    ),
    (
        DatabaseFault::PublicDefaults,
        0,
        "SELECT format('what %I creates%s', r.rolname, ' in ' || quote_ident(n.nspname)) AS place, \
         format('PUBLIC gets %s', string_agg(x.privilege_type, ', ')) AS detail, \
         format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s REVOKE %s ON TABLES FROM PUBLIC', r.rolname, \
         ' IN SCHEMA ' || quote_ident(n.nspname), string_agg(x.privilege_type, ', ')) AS statement, '' AS advice \
         FROM pg_default_acl d JOIN pg_roles r ON r.oid = d.defaclrole LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace \
         CROSS JOIN LATERAL aclexplode(d.defaclacl) x WHERE d.defaclobjtype = 'r' AND x.grantee = 0 \
         AND x.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE') GROUP BY r.rolname, n.nspname",
    ),
    (
        DatabaseFault::UnsafeDefiner,
        0,
        "SELECT c.oid::regprocedure::text AS place, 'SECURITY DEFINER without a search_path of its own' AS detail, \
         NULL AS statement, format('ALTER FUNCTION %s SET search_path = %I, pg_temp', c.oid::regprocedure, n.nspname) AS advice \
         FROM pg_proc c JOIN pg_namespace n ON n.oid = c.pronamespace JOIN pg_language l ON l.oid = c.prolang \
         WHERE c.prosecdef AND l.lanname NOT IN ('c', 'internal') AND {user} AND {own} \
         AND NOT EXISTS (SELECT FROM unnest(c.proconfig) s WHERE s LIKE 'search_path=%')",
    ),
];

const VERSIONS: &[Question] = &[
    (
        DatabaseFault::OutdatedExtension,
        0,
        "SELECT format('extension %I', name) AS place, format('%s; %s is there', installed_version, default_version) AS detail, \
         format('ALTER EXTENSION %I UPDATE', name) AS statement, '' AS advice FROM pg_available_extensions \
         WHERE installed_version <> default_version",
    ),
    (
        DatabaseFault::CollationChanged,
        15,
        "SELECT format('database %I', datname) AS place, format('its indexes sort by version %s, the system by %s', \
         datcollversion, pg_database_collation_actual_version(oid)) AS detail, NULL AS statement, \
         format('REINDEX what sorts text, then ALTER DATABASE %I REFRESH COLLATION VERSION', datname) AS advice \
         FROM pg_database WHERE datname = current_database() AND datcollversion <> pg_database_collation_actual_version(oid)",
    ),
    (
        DatabaseFault::CollationChanged,
        0,
        "SELECT format('collation %s', l.oid::regcollation) AS place, format('%s indexes sort by version %s, the system by %s', \
         count(DISTINCT i.indexrelid), l.collversion, pg_collation_actual_version(l.oid)) AS detail, NULL AS statement, \
         format('REINDEX what uses it, then ALTER COLLATION %s REFRESH VERSION', l.oid::regcollation) AS advice \
         FROM pg_collation l JOIN pg_index i ON l.oid = ANY (i.indcollation) \
         WHERE l.collversion <> pg_collation_actual_version(l.oid) GROUP BY l.oid",
    ),
];

const ALL: &[&[Question]] = &[CONSTRAINTS, TRIGGERS, TABLES, REPLICATION, RIGHTS, VERSIONS];

pub(super) async fn look(look: &mut Look<'_>) -> Result<()> {
    for (fault, since, query) in ALL.concat() {
        if look.facts.version < since {
            continue;
        }
        let query = query.replace("{user}", USER).replace("{own}", OWN).replace("{lock}", LOCK);
        let query = format!("SELECT * FROM ({query}) AS q ORDER BY place LIMIT 1000");
        let found = look.read(fault.name(), &query, |row| {
            Ok((
                row.try_get("place")?,
                row.try_get("detail")?,
                row.try_get("statement")?,
                row.try_get("advice")?,
            ))
        });
        for (place, detail, statement, advice) in found.await? {
            look.facts.oddities.push(Oddity { fault, place, detail, statement, advice });
        }
    }
    Ok(())
}
