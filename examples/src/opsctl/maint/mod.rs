//! `opsctl maint`.

mod chore_memory;
mod command;
mod image_options;
mod index_options;

use std::sync::Arc;

use alfred_ops_core::{
    Error, ErrorKind, JobContext, MemoryStateStore, PostgresOptions, Result, StateStore, Status,
};
use alfred_ops_maintenance::{
    Caretaker, CaretakerBuilder, Chore, ChoreOutcome, ChorePlan as _, ChoreRecord, ChoreRun, ChoreStanding,
    DatabaseDoctor, DatabaseSeverity, DoctorPolicy, IndexCare, Requeue, RequeuePolicy, Retention,
    RetentionPolicy, SessionCare, SessionPolicy, Vacuum, VacuumPolicy,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub(super) use self::chore_memory::ChoreMemory;
use self::command::ChoreName;
pub(super) use self::command::MaintCommand;
use self::index_options::IndexOptions;
use super::report::{Report, chore_run, second};
use super::server::with_password;
use super::state_url::StateUrl;

pub(super) async fn run(command: MaintCommand, context: &JobContext) -> Result<Report> {
    let mut indexes = IndexOptions::default();
    let (which, what) = match command {
        MaintCommand::Doctor { server } => return doctor(&server).await,
        MaintCommand::Plan { which, indexes: given } => {
            indexes = given;
            (which, Question::Plan)
        }
        MaintCommand::Run { which, indexes: given } => {
            indexes = given;
            (which, Question::Run)
        }
        MaintCommand::Status { which } => (which, Question::Status),
        MaintCommand::History { which } => (which, Question::History),
        MaintCommand::Pause { which, reason } => (which, Question::Pause(reason)),
        MaintCommand::Resume { which } => (which, Question::Resume),
        MaintCommand::Abort { which } => (which, Question::Abort),
    };
    if which.chore != ChoreName::Indexes {
        check_unused("indexes", &indexes.given())?;
    }
    if which.chore != ChoreName::Images {
        check_unused("images", &which.images.given())?;
    }
    let store = state_of(which.state.as_ref(), &what, which.chore.memory(), context).await?;
    let server = || {
        which.server.as_ref().map(with_password).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "look after chore", "--server: it is missing")
                .with_remedy("give --server postgres://USER@HOST:PORT/DATABASE, or set ALFRED_OPS_SERVER")
        })
    };
    match which.chore {
        ChoreName::Images => ask(which.images.care(store, context).await?.caretaker(), what, context).await,
        ChoreName::Indexes => {
            ask(IndexCare::new(server()?, indexes.policy()).caretaker(store), what, context).await
        }
        ChoreName::Requeue => {
            ask(Requeue::new(server()?, RequeuePolicy::platform())?.caretaker(store), what, context).await
        }
        ChoreName::Retention => {
            ask(Retention::new(server()?, RetentionPolicy::processed_msgs()).caretaker(store), what, context)
                .await
        }
        ChoreName::Sessions => {
            ask(SessionCare::new(server()?, SessionPolicy::default()).caretaker(store), what, context).await
        }
        ChoreName::Vacuum => {
            ask(Vacuum::new(server()?, VacuumPolicy::default()).caretaker(store), what, context).await
        }
    }
}

/// Refuses options that only the chore `owner` has, for another one would not heed them.
fn check_unused(owner: &str, given: &[(&str, bool)]) -> Result<()> {
    match given.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((option, _)) => Err(Error::new(
            ErrorKind::InvalidInput,
            "look after chore",
            format!("{option}: only the chore {owner} has it"),
        )
        .with_remedy(format!("leave it out, or name the chore {owner}"))),
    }
}

/// It fails where something is wrong, and where a question got no answer that another look may get.
async fn doctor(server: &PostgresOptions) -> Result<Report> {
    let diagnosis = DatabaseDoctor::new(with_password(server), DoctorPolicy::default()).examine().await?;
    let bad = diagnosis.findings.iter().any(|finding| finding.severity >= DatabaseSeverity::Warning)
        || !diagnosis.is_whole();
    let findings: Vec<Value> = diagnosis.findings.iter().map(|finding| json!(finding.to_string())).collect();
    let gaps = diagnosis
        .gaps
        .iter()
        .map(|gap| json!({ "what": gap.what, "remedy": gap.remedy, "passing": gap.is_passing }));
    let json =
        json!({ "findings": findings, "not_seen": gaps.collect::<Vec<_>>(), "whole": diagnosis.is_whole() });
    Ok(Report::new(diagnosis.to_string(), json).failed_if(bad))
}

/// Where the chore's state is. Only a run makes what is not there, for any other question would be about the wrong one.
pub(super) async fn state_of(
    state: Option<&StateUrl>,
    what: &Question,
    memory: ChoreMemory,
    context: &JobContext,
) -> Result<Arc<dyn StateStore>> {
    match (state, what, memory) {
        (_, Question::Plan, ChoreMemory::Spare) | (None, Question::Run, ChoreMemory::Spare) => {
            Ok(Arc::new(MemoryStateStore::default()))
        }
        (Some(state), Question::Run, _) => state.open(&context.clock).await,
        (Some(state), _, _) => {
            state.must_exist()?;
            state.open(&context.clock).await
        }
        (None, _, _) => Err(no_state()),
    }
}

fn no_state() -> Error {
    let what = "it is not said where hosts keep their state";
    Error::new(ErrorKind::InvalidInput, "look after chore", what).with_remedy(
        "give --state postgres://USER@HOST:PORT/DATABASE or sqlite:///FILE, or set ALFRED_OPS_STATE",
    )
}

/// What is asked of a chore.
pub(super) enum Question {
    Plan,
    Run,
    Status,
    History,
    Pause(String),
    Resume,
    Abort,
}

pub(super) async fn ask<C: Chore>(
    builder: CaretakerBuilder<C>,
    what: Question,
    context: &JobContext,
) -> Result<Report> {
    let caretaker = builder.build()?;
    let book = caretaker.book(context);
    let name = caretaker.chore().name();
    let said = |text: &str| Report::new(format!("{name} {text}"), json!({ "chore": name, "is": text }));
    Ok(match what {
        Question::Plan => plan(&caretaker, context).await?,
        Question::Run => ran(&caretaker.run(context).await?),
        Question::Status => standing(name, &caretaker.standing(context).await?),
        Question::History => history(&book.history().await?),
        Question::Pause(reason) => {
            book.pause(&reason).await?;
            said("is paused")
        }
        Question::Resume => {
            book.resume().await?;
            said("may run")
        }
        Question::Abort => said(if book.abort().await? { "stops after this step" } else { "does not run" }),
    })
}

async fn plan<C: Chore>(caretaker: &Caretaker<C>, context: &JobContext) -> Result<Report> {
    let plan = caretaker.plan(context).await?;
    let json =
        json!({ "plan": plan.to_string(), "is_empty": plan.is_empty(), "obstacles": plan.obstacles() });
    Ok(Report::new(plan.to_string(), json).failed_if(!plan.obstacles().is_empty()))
}

fn ran(run: &ChoreRun) -> Report {
    match run.record() {
        Some(record) => {
            Report::new(chore_run(record), json!(record)).failed_if(record.outcome != ChoreOutcome::Finished)
        }
        None => Report::new(run.to_string(), json!({ "not_now": run.to_string() })).failed_if(true),
    }
}

fn standing(name: &str, standing: &ChoreStanding) -> Report {
    let status = standing.status();
    let is_good = status == Status::Healthy;
    let at = |time: Option<DateTime<Utc>>| time.map_or_else(|| "never".to_owned(), second);
    let is = match &status {
        Status::Degraded { reason } | Status::Unhealthy { reason } => reason,
        Status::Healthy if standing.paused.is_some() => "paused",
        Status::Healthy => "well",
    };
    let mut text = format!(
        "{name}: {is}\n  due        {}\n  completed  {}\n  failures   {} in a row",
        second(standing.due_at),
        at(standing.completed_at),
        standing.failures
    );
    if let Some(reason) = &standing.paused {
        text.push_str(&format!("\n  paused     {reason}"));
    }
    // Where it is not what is told of first.
    if let Some(reason) = standing.ineffective.as_ref().filter(|reason| !is.contains(reason.as_str())) {
        text.push_str(&format!("\n  no effect  {reason}"));
    }
    if let Some(last) = &standing.last {
        text.push_str(&format!("\n  last       {} {last}", second(last.started_at)));
    }
    let json = json!({
        "chore": name, "healthy": is_good, "due_at": standing.due_at, "overdue": standing.overdue,
        "completed_at": standing.completed_at, "failures": standing.failures, "paused": standing.paused,
        "ineffective": standing.ineffective, "last": standing.last,
    });
    Report::new(text, json).failed_if(!is_good)
}

fn history(records: &[ChoreRecord]) -> Report {
    let texts: Vec<String> = records.iter().map(chore_run).collect();
    let text = if texts.is_empty() { "it never ran".to_owned() } else { texts.join("\n") };
    Report::new(text, json!(records))
}
