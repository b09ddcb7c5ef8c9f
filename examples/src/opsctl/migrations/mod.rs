//! `opsctl migrations`.

mod command;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, JobContext, PostgresOptions, Result};
use alfred_ops_maintenance::{Application, Compatibility, MigrationLint, MigrationRisk, MigrationRunner};
use serde_json::{Value, json};
use sqlx::migrate::Migrator;

pub(super) use self::command::MigrationsCommand;
use self::command::Which;
use super::report::Report;
use super::server::with_password;
use super::text_file::read;

/// A file of more bytes than this is no migration.
const FILE_BYTES_MAX: u64 = 16 << 20;

pub(super) async fn run(command: MigrationsCommand, context: &JobContext) -> Result<Report> {
    match command {
        MigrationsCommand::Check { paths, postgres, facts } => {
            let mut lint = MigrationLint::new().for_server(postgres);
            if let Some(server) = facts {
                lint = lint.with_facts_of(&with_password(&server)).await?;
            }
            check(&paths, &lint)
        }
        MigrationsCommand::Compatible { folder, applied, scratch, old, new } => {
            let mut check = Compatibility::default();
            if let Some(old) = old {
                check = check.old_queries_of_sqlx(old)?;
            }
            if let Some(new) = new {
                check = check.new_queries_of_sqlx(new)?;
            }
            compatible(&check, &folder, applied, &scratch, context).await
        }
        MigrationsCommand::Plan { which } => {
            let plan = runner(&which).await?.plan().await?;
            let pending: Vec<Value> = plan
                .pending
                .iter()
                .map(|(version, description)| json!({ "version": version, "description": description }))
                .collect();
            let json = json!({ "pending": pending, "unfinished": plan.unfinished, "newer": plan.newer });
            Ok(Report::new(plan.to_string(), json))
        }
        MigrationsCommand::Run { which } => {
            let report = runner(&which).await?.run(context).await?;
            let json = json!({
                "applied": report.applied, "finished": report.finished, "removed": report.removed,
                "retries": report.retries, "waited_seconds": report.waited.as_secs_f64(),
            });
            Ok(Report::new(report.to_string(), json))
        }
    }
}

fn check(paths: &[PathBuf], lint: &MigrationLint) -> Result<Report> {
    let mut findings = Vec::new();
    for path in files(paths)? {
        let sql = read(&path, "read migration", FILE_BYTES_MAX)?;
        findings.extend(lint.check(&path.display().to_string(), &sql));
    }
    let bad = findings.iter().any(|finding| finding.risk < MigrationRisk::Notice);
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let text = if lines.is_empty() { "nothing dangerous found".to_owned() } else { lines.join("\n") };
    let json = findings.iter().map(|finding| {
        json!({
            "migration": finding.migration, "line": finding.line, "column": finding.column, "rule": finding.rule,
            "risk": finding.risk.to_string(), "table": finding.table, "message": finding.message, "instead": finding.instead,
        })
    });
    Ok(Report::new(text, json!({ "findings": json.collect::<Vec<_>>() })).failed_if(bad))
}

/// The files, and those within folders in the order of their names. What takes a migration back is no risk that one takes.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let failed = |source| unreadable(path).with_source(source);
        let mut within = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".sql") && !name.ends_with(".down.sql") {
                within.push(path);
            }
        }
        within.sort();
        files.extend(within);
    }
    Ok(files)
}

fn unreadable(path: &Path) -> Error {
    Error::new(ErrorKind::NotFound, "read migrations", "the folder cannot be read")
        .with_target(path.display().to_string())
        .with_remedy("name a folder with files such as 0001_tasks.sql")
}

async fn compatible(
    check: &Compatibility,
    folder: &Path,
    applied: i64,
    scratch: &PostgresOptions,
    context: &JobContext,
) -> Result<Report> {
    let report = check.check(&with_password(scratch), &migrator(folder).await?, applied, context).await?;
    let findings = report.findings.iter().map(|finding| {
        let whose = match finding.application {
            Application::New => "new",
            _ => "old",
        };
        json!({ "application": whose, "query": finding.query, "message": finding.to_string() })
    });
    let json = json!({
        "queries": report.queries, "migrations": report.migrations, "findings": findings.collect::<Vec<_>>(),
    });
    Ok(Report::new(report.to_string(), json).failed_if(!report.is_compatible()))
}

async fn migrator(folder: &Path) -> Result<Migrator> {
    Migrator::new(folder).await.map_err(|source| unreadable(folder).with_source(source))
}

async fn runner(which: &Which) -> Result<MigrationRunner> {
    let migrator = migrator(&which.folder).await?;
    Ok(MigrationRunner::new(with_password(&which.server), Arc::new(migrator)))
}
