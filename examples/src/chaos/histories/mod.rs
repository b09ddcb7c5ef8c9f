//! Lives of a database, drawn from a seed, restored to moments drawn from it, and compared with a replica of
//! Postgres' own that stopped at the same moment.
//!
//! A primary lives through statements of every kind while clients write beside them and backups are taken, full
//! and incremental. Then, for each moment, the newest backup before it is restored to that position, checked
//! with `pg_verifybackup` and `pg_amcheck`, and dumped; a standby that the official client copied at the
//! beginning replays to the same position and is dumped too. The dumps must be equal.

#![expect(clippy::print_stdout, reason = "a program that reports")]

mod dump;
mod life;
mod statements;

use std::process::Command;

use alfred_ops_backup::{BackupRecord, PostgresBackend, RecoveryTarget, Repository, RestoreRequest};
use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{EntropyExt as _, JobContext, Lsn, Result, SeededEntropy};

use self::dump::{difference, dump};
use self::life::Life;
use self::statements::Moment;
use super::surroundings::{breach, client, run as run_program, system, until};

/// Moments of one life.
const MOMENTS: u32 = 10;
/// Fails when a sequence would hand out a key that its table holds.
const SEQUENCES_LEAD: &str = "DO $$ DECLARE s record; used bigint; BEGIN \
    FOR s IN SELECT replace(sequencename, '_id_seq', '') AS t, coalesce(last_value, 0) AS v FROM pg_sequences LOOP \
    EXECUTE format('SELECT coalesce(max(id), 0) FROM %I', s.t) INTO used; \
    IF used > s.v THEN RAISE EXCEPTION '%: sequence at %, key % in use', s.t, s.v, used; END IF; \
    END LOOP; END $$";

pub(super) async fn run(histories: &super::Histories) -> Result<()> {
    println!("Postgres {}", histories.postgres);
    let entropy = SeededEntropy::new(histories.blows.seed);
    let mut done = 0;
    while done < histories.blows.runs {
        let moments = MOMENTS.min(histories.blows.runs - done);
        let mut life = Life::begin(PostgresBinaries::of_version(histories.postgres)?).await?;
        let passed = life.live(&entropy).await?;
        compare(&mut life, passed, &entropy, done, moments).await?;
        done += moments;
    }
    Ok(())
}

/// Restores to `moments` of a life and compares each with the replica.
async fn compare(
    life: &mut Life,
    mut chosen: Vec<Moment>,
    entropy: &SeededEntropy,
    first: u32,
    moments: u32,
) -> Result<()> {
    let context = JobContext::system();
    let backups = life.repository.backups().await?;
    chosen.retain(|moment| base(&backups, moment.position).is_some());
    while chosen.len() > moments as usize {
        chosen.remove(usize::try_from(entropy.below(chosen.len() as u64)).unwrap_or(0));
    }
    if chosen.len() < moments as usize {
        return Err(breach("the life had too few moments"));
    }
    for (number, moment) in (first + 1..).zip(&chosen) {
        let Some(record) = base(&backups, moment.position) else { continue };
        let expected = replica_at(&mut life.replica, moment.position).await?;
        let found = restored(life, record, moment.position, &context).await?;
        if let Some(difference) = difference(&found, &expected) {
            return Err(breach(format!("at {} after {:?}: {difference}", moment.position, moment.after)));
        }
        println!(
            "moment {number}: {} after {:?}, {:?} backup, {} bytes of dump equal",
            moment.position,
            moment.after,
            record.mode,
            found.len()
        );
    }
    Ok(())
}

/// The newest backup that was complete before a position.
fn base(backups: &[BackupRecord], position: Lsn) -> Option<&BackupRecord> {
    let reaches =
        |record: &&BackupRecord| record.log.as_ref().is_some_and(|log| log.positions.end <= position.0);
    backups.iter().rev().find(reaches)
}

/// What a backup holds when it is restored to a position, once every check of Postgres' own has passed.
async fn restored(life: &Life, record: &BackupRecord, position: Lsn, context: &JobContext) -> Result<String> {
    let (data, space) = (life.folder.path().join("restored"), life.folder.path().join("space-of-restored"));
    let request = RestoreRequest::new(&data)
        .with_target(RecoveryTarget::Lsn(position))
        .with_relocation(life.space.display().to_string(), &space);
    let backend = PostgresBackend::new(life.primary.options());
    let repository: &Repository = &life.repository;
    repository.run_restore(record, &backend, &request, context).await?;
    run_program(Command::new(life.primary.binaries().program("pg_verifybackup")).arg(&data))?;
    life.primary.account().own_tree(&space)?;
    let server =
        PostgresServer::start_in(data.clone(), life.primary.binaries().clone(), Life::settings()).await?;
    until(&server, "SELECT pg_is_in_recovery()", "f").await?;
    let found = dump(&server)?;
    run_program(client(&server, "pg_amcheck").args(["--all", "--heapallindexed", "--install-missing"]))?;
    server.psql(SEQUENCES_LEAD)?;
    drop(server);
    for folder in [data, space] {
        std::fs::remove_dir_all(folder).map_err(system("remove a folder"))?;
    }
    Ok(found)
}

/// What the replica holds when it has replayed to `position`.
async fn replica_at(replica: &mut PostgresServer, position: Lsn) -> Result<String> {
    let settings = replica.data_dir().join("postgresql.auto.conf");
    let text = std::fs::read_to_string(&settings).map_err(system("read settings"))?;
    let mut text: String = text
        .lines()
        .filter(|line| !line.starts_with("recovery_target"))
        .flat_map(|line| [line, "\n"])
        .collect();
    text.push_str(&format!("recovery_target_lsn = '{position}'\nrecovery_target_action = 'pause'\n"));
    std::fs::write(&settings, text).map_err(system("write settings"))?;
    replica.restart().await?;
    until(replica, "SELECT pg_get_wal_replay_pause_state()", "paused").await?;
    dump(replica)
}
