//! What holds WAL and transactions back.

use std::time::Duration;

use alfred_ops_core::Result;
use sqlx::Row as _;

use super::{Look, count};
use crate::doctor::{PreparedView, SlotView};

const PREPARED: &str = "SELECT gid AS name, owner::text AS owner, \
    extract(epoch FROM clock_timestamp() - prepared)::float8 AS age \
    FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared LIMIT 1000";

const HERE: &str = "CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) \
    ELSE pg_current_wal_lsn() END";

const SLOTS: &str = "SELECT slot_name::text AS name, active, coalesce(wal_status, '') AS status, \
    greatest(pg_wal_lsn_diff({here}, restart_lsn), 0)::int8 AS held FROM pg_replication_slots \
    WHERE NOT temporary ORDER BY slot_name LIMIT 1000";

const REPLICAS: &str = "SELECT concat_ws(' at ', application_name, host(client_addr)) AS name, \
    greatest(pg_wal_lsn_diff({here}, replay_lsn), 0)::int8 AS lag FROM pg_stat_replication \
    WHERE state IS NULL OR state IN ('streaming', 'catchup') ORDER BY pid LIMIT 1000";

pub(super) async fn look(look: &mut Look<'_>) -> Result<()> {
    let prepared = look.read("prepared transactions", PREPARED, |row| {
        Ok(PreparedView {
            name: row.try_get("name")?,
            age: Duration::try_from_secs_f64(row.try_get("age")?).unwrap_or_default(),
            owner: row.try_get("owner")?,
        })
    });
    look.facts.prepared = prepared.await?;
    let slots = SLOTS.replace("{here}", HERE);
    let slots = look.read("replication slots", &slots, |row| {
        Ok(SlotView {
            name: row.try_get("name")?,
            is_active: row.try_get("active")?,
            wal_status: row.try_get("status")?,
            held_bytes: count(row, "held")?,
        })
    });
    look.facts.slots = slots.await?;
    let replicas = REPLICAS.replace("{here}", HERE);
    let replicas = look.read("replicas", &replicas, |row| {
        let lag: Option<i64> = row.try_get("lag")?;
        Ok((row.try_get("name")?, lag.map(i64::unsigned_abs)))
    });
    look.facts.replicas = replicas.await?;
    Ok(())
}
