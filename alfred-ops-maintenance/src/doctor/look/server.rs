//! The server as a whole.

use alfred_ops_core::Result;
use sqlx::Row as _;

use super::{Look, count};
use crate::doctor::dangers::DANGERS;
use crate::doctor::{ArchiverView, ConnectionLimit, DatabaseFault, Gap, Oddity, SettingView};
use crate::postgres::quoted;

const SERVER: &str = "SELECT current_database()::text AS database, current_user::text AS role, clock_timestamp() AS at, \
    current_setting('server_version_num')::int8 / 10000 AS version, pg_is_in_recovery() AS standby, \
    pg_has_role('pg_read_all_stats', 'USAGE') AS stats, pg_has_role('pg_read_all_settings', 'USAGE') AS settings, \
    pg_has_role('pg_read_all_data', 'USAGE') AS data";

const LIMITS: &str = "SELECT 'server' AS place, \
    (SELECT count(*) FROM pg_stat_activity WHERE coalesce(backend_type, 'client backend') = 'client backend') AS used, \
    current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8 \
    - coalesce(current_setting('reserved_connections', true)::int8, 0) AS allowed \
    UNION ALL SELECT format('database %I', datname), (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid \
    AND coalesce(a.backend_type, 'client backend') = 'client backend'), datconnlimit FROM pg_database d WHERE datconnlimit > 0 \
    UNION ALL SELECT format('role %I', rolname), (SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = r.oid \
    AND coalesce(a.backend_type, 'client backend') = 'client backend'), rolconnlimit FROM pg_roles r \
    WHERE rolconnlimit > 0 AND NOT rolsuper";

const AGES: &str = "SELECT datname::text AS name, age(datfrozenxid)::int8 AS xids, mxid_age(datminmxid)::int8 AS multixacts \
    FROM pg_database ORDER BY 2 DESC LIMIT 1000";

const ARCHIVER: &str = "SELECT failed_count AS failures, last_failed_time AS failed, last_archived_time AS archived, \
    coalesce(last_failed_wal, '') AS file FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off'";

const CHECKSUMS: &str = "SELECT coalesce(datname, 'shared catalogs')::text AS name, checksum_failures AS failures \
    FROM pg_stat_database WHERE checksum_failures > 0";

const PASSWORDS: &str = "SELECT format('role %I', rolname) AS place, format('its password ends at %s', rolvaliduntil) AS detail, \
    'give it a new password: ALTER ROLE, or the rotation of secrets' AS advice FROM pg_roles \
    WHERE rolcanlogin AND isfinite(rolvaliduntil) AND rolvaliduntil < now() + interval '1 second' * {seconds}";

pub(super) async fn look(look: &mut Look<'_>) -> Result<()> {
    let row = sqlx::query(SERVER).fetch_one(&mut look.session.connection).await;
    let rights = row.and_then(|row| {
        let facts = &mut look.facts;
        (facts.database, facts.role) = (row.try_get("database")?, row.try_get("role")?);
        (facts.at, facts.is_standby) = (row.try_get("at")?, row.try_get("standby")?);
        facts.version = u32::try_from(count(&row, "version")?).unwrap_or(0);
        Ok([row.try_get("stats")?, row.try_get("settings")?, row.try_get("data")?])
    });
    let rights: [bool; 3] = rights.map_err(|source| look.session.failed("look at server", source))?;
    let told = [
        ("sessions, replicas and sizes of others", "pg_read_all_stats"),
        ("some settings", "pg_read_all_settings"),
        ("statistics of tables that the role may not read, and sequences", "pg_read_all_data"),
    ];
    for ((what, grant), _) in told.into_iter().zip(rights).filter(|(_, has)| !has) {
        let remedy = format!("run GRANT {grant} TO {}", quoted(&look.facts.role));
        look.facts.gaps.push(Gap::new(what, remedy));
    }
    if look.facts.is_standby {
        let what = "how tables and indexes are used, vacuumed and analyzed";
        look.facts
            .gaps
            .push(Gap::new(what, "this is a standby, which has counts of its own; look at the primary"));
    }
    let limits = look.read("connections", LIMITS, |row| {
        let place: String = row.try_get("place")?;
        Ok(ConnectionLimit::new(place, count(row, "used")?, count(row, "allowed")?))
    });
    look.facts.limits = limits.await?;
    let ages = look
        .read("ages", AGES, |row| Ok((row.try_get("name")?, count(row, "xids")?, count(row, "multixacts")?)));
    look.facts.ages = ages.await?;
    let checksums =
        look.read("checksums", CHECKSUMS, |row| Ok((row.try_get("name")?, count(row, "failures")?)));
    look.facts.checksum_failures = checksums.await?;
    let archiver = look.read("archiver", ARCHIVER, |row| {
        Ok(ArchiverView {
            failures: count(row, "failures")?,
            failed_at: row.try_get("failed")?,
            archived_at: row.try_get("archived")?,
            failed_file: row.try_get("file")?,
        })
    });
    look.facts.archiver = archiver.await?.pop();
    settings(look).await?;
    passwords(look).await
}

/// Those that may be dangerous, wherever they are set, and those that wait for a restart.
async fn settings(look: &mut Look<'_>) -> Result<()> {
    let names: Vec<String> = DANGERS.iter().map(|danger| format!("'{}'", danger.name)).collect();
    let names = names.join(", ");
    let query = format!(
        "SELECT name, setting AS value, '' AS scope, pending_restart AS pending FROM pg_settings \
         WHERE pending_restart OR name IN ({names}) \
         UNION ALL SELECT split_part(s, '=', 1), substr(s, strpos(s, '=') + 1), \
         concat_ws(' in ', 'role ' || quote_ident(r.rolname), 'database ' || quote_ident(b.datname)), false \
         FROM pg_db_role_setting d CROSS JOIN LATERAL unnest(d.setconfig) AS s \
         LEFT JOIN pg_roles r ON r.oid = d.setrole LEFT JOIN pg_database b ON b.oid = d.setdatabase \
         WHERE split_part(s, '=', 1) IN ({names}) LIMIT 1000"
    );
    let settings = look.read("settings", &query, |row| {
        Ok(SettingView {
            name: row.try_get("name")?,
            value: row.try_get("value")?,
            scope: row.try_get("scope")?,
            is_pending: row.try_get("pending")?,
        })
    });
    look.facts.settings = settings.await?;
    Ok(())
}

async fn passwords(look: &mut Look<'_>) -> Result<()> {
    let query = PASSWORDS.replace("{seconds}", &look.policy.password_notice.as_secs().to_string());
    let found = look.read("passwords", &query, |row| {
        Ok(Oddity {
            fault: DatabaseFault::ExpiringPassword,
            place: row.try_get("place")?,
            detail: row.try_get("detail")?,
            statement: None,
            advice: row.try_get("advice")?,
        })
    });
    let found = found.await?;
    look.facts.oddities.extend(found);
    Ok(())
}
