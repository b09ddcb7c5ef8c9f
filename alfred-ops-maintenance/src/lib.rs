//! Routine care of the platform's database, as tasks that inspect, plan, apply and check.
//!
//! A [`Chore`] looks, plans and works; a [`Caretaker`] runs it when it is due, its gates are open and nobody else works on
//! its target, within a [`Budget`], and keeps its history. What decides is a pure function, and a dry run prints its plan:
//!
//! ```
//! use alfred_ops_maintenance::{RetentionFacts, RetentionPolicy, TableFacts, plan_retention};
//! use chrono::{DateTime, TimeDelta};
//!
//! let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
//! let mut table = TableFacts::default();
//! table.column_type = Some("timestamp with time zone".to_owned());
//! table.missing_rights = vec!["DELETE"];
//! let mut facts = RetentionFacts::default();
//! (facts.role, facts.table) = ("ops".to_owned(), Some(table));
//! let plan = plan_retention(&facts, &RetentionPolicy::processed_msgs(), now);
//! assert_eq!(
//!     plan.to_string(),
//!     "nothing to delete\n\
//!      obstacle: the role lacks rights; run GRANT DELETE ON \"public\".\"processed_msgs\" TO \"ops\"\n\
//!      obstacle: no index is led by the column, and the table is not read as a whole; \
//!      run CREATE INDEX CONCURRENTLY ON \"public\".\"processed_msgs\" (\"processed_at\")"
//! );
//! ```
//!
//! # Map
//! - The model: [`Chore`], [`ChorePlan`], [`Caretaker`], [`Gate`], [`Cadence`], [`ChoreBook`] with pause, resume and abort.
//! - Rows that are kept for a time: `Retention`, [`RetentionPolicy`], [`Throttle`].
//! - VACUUM where autovacuum left something to do: `Vacuum`, [`VacuumPolicy`], [`plan_vacuum`].
//! - Tasks whose worker died: `Requeue`, [`RequeuePolicy`], [`plan_requeue`].
//! - Sessions that keep others from working: `SessionCare`, [`SessionPolicy`], [`plan_sessions`].
//! - Log files: the host's own, `RotatingLog`; those that other services write, `LogCare`, `LogCarePolicy`, `plan_log_care`;
//!   old ones in a blob store, `LogArchiving`, `ArchivedLogs`.
//! - Images that nobody needs: `DockerEngine` and `Registry`, [`ImageCare`], [`ImagePolicy`], [`ImageUse`], [`plan_images`].
//! - Risky changes that are taken back if they fail: `Guard`.
//! - Releases that go out in steps and go back by themselves: [`Rollout`], [`RolloutPolicy`], [`RolloutTarget`], [`next_step`];
//!   in Kubernetes: `KubernetesRollout`.
//! - Indexes that cost and do not serve: `IndexCare`, [`IndexPolicy`], [`plan_indexes`].
//! - Migrations: what is dangerous about them, `MigrationLint`; applied from many replicas at once, `MigrationRunner`; whether
//!   old and new applications can work with the new schema, `Compatibility`.
//! - Secrets: `SecretStore`, `SecretCare`, and its kinds `ApiKeys`, `JwtKeys`, `DatabaseLogins`.
//! - What is known of the dependencies' faults: `DependencyAudit`, `AuditPolicy`, `CargoScanner`, `CommandScanner`.
//! - What is wrong with a database: `DatabaseDoctor`, [`DoctorPolicy`], [`diagnose`].
//!
//! # Features
//! - `audit`: the audit of dependencies.
//! - `cloud-run-rollout`: `CloudRunRollout` and `CloudRunWorkerPoolRollout`, rollouts of services and worker pools on Cloud Run.
//! - `cloud-run-use`: `CloudRunUse`, the images that Cloud Run uses.
//! - `google-secrets`: `GoogleSecrets`, a store in Google Secret Manager.
//! - `guard`: `Guard`, which stands on backups.
//! - `images`: `DockerEngine` and `Registry`.
//! - `kubernetes-rollout`: `KubernetesRollout`, which rolls out in Kubernetes.
//! - `kubernetes-use`: `KubernetesUse`, the images that a cluster uses.
//! - `log-archive`: `ArchivedLogs` and `LogArchiving`, old log files in a blob store.
//! - `logs`: `RotatingLog`, the host's own log file, and `LogCare` for those of other services.
//! - `migration-lint`: `MigrationLint`, which finds what is dangerous about migrations.
//! - `postgres`: the chores on Postgres, which carry the plans out, and `MigrationRunner`.
//! - `secrets`: stores of secrets and their rotation; `jwt`, `postgres-passwords`: two kinds that need more; `jwks-http`:
//!   `JwksEndpoint`, the keys of who signs elsewhere.
//! - `testing-servers`: what the tests need.

#[cfg(feature = "audit")]
mod audit;
mod chore;
mod doctor;
#[cfg(feature = "guard")]
mod guard;
mod images;
mod indexes;
#[cfg(feature = "logs")]
mod logs;
mod migration;
mod postgres;
mod requeue;
mod retention;
mod rollout;
#[cfg(feature = "secrets")]
mod secrets;
mod sessions;
#[cfg(any(test, feature = "testing-servers"))]
pub mod testing;
mod vacuum;

#[cfg(feature = "audit")]
pub use audit::{
    AdvisorySeverity, AuditFacts, AuditPolicy, AuditReport, CargoScanner, CommandScanner, DependencyAudit,
    DependencyFinding, DependencyFlaw, DependencyScan, DependencyScanner, ExcusedFinding, IgnoredAdvisory,
    judge_dependencies,
};
pub use chore::{
    Budget, Cadence, Caretaker, CaretakerBuilder, Chore, ChoreBook, ChoreOutcome, ChorePlan, ChoreRecord,
    ChoreRun, ChoreStanding, ClosureGate, Figures, Gate, Refusal, Stop, Turn, WindowGate,
};
#[cfg(feature = "postgres")]
pub use doctor::DatabaseDoctor;
pub use doctor::{
    ArchiverView, ColumnView, ConnectionLimit, DatabaseFacts, DatabaseFault, DatabaseFinding, DatabaseRemedy,
    DatabaseSeverity, Diagnosis, DoctorPolicy, ForeignKeyView, Gap, IndexSize, IndexTrial, Oddity,
    PreparedView, SequenceView, SettingView, SlotView, StatementView, TableView, WantedIndex, diagnose,
};
#[cfg(feature = "guard")]
pub use guard::{
    AsideState, Change, CopiedRows, CopyState, DownState, Guard, GuardBuilder, GuardOutcome, GuardPlan,
    GuardReport, LocalPostgres, RestorePoint, ReturnFacts, ReturnStep, SideServer, Watch, WayBack,
    plan_return,
};
#[cfg(feature = "cloud-run-use")]
pub use images::CloudRunUse;
#[cfg(feature = "kubernetes-use")]
pub use images::KubernetesUse;
pub use images::{
    ClosureUse, IMAGES_MAX, ImageCare, ImageFacts, ImageKeep, ImageLayer, ImageListing, ImagePlan,
    ImagePolicy, ImageReason, ImageRef, ImageRemoval, ImageStep, ImageStore, ImageTag, ImageUse, ImageView,
    UsedImage, plan_images,
};
#[cfg(feature = "images")]
pub use images::{DockerEngine, Registry, TagReport};
#[cfg(feature = "postgres")]
pub use indexes::IndexCare;
pub use indexes::{
    IndexFacts, IndexFault, IndexFinding, IndexHold, IndexPlan, IndexPolicy, IndexView, Rebuilds,
    RebuiltSize, plan_indexes,
};
#[cfg(feature = "log-archive")]
pub use logs::{
    ArchivedLogs, ArchivedPiece, FoundLine, LogArchiving, LogArchivingFacts, LogArchivingPlan,
    LogArchivingPolicy, LogPattern, LogRange, LogRestore, LogSearch, plan_log_archiving,
};
#[cfg(feature = "logs")]
pub use logs::{
    ClosedLog, Compression, Handover, LogCare, LogCarePlan, LogCarePolicy, LogFacts, LogGuard, LogOptions,
    LogStats, LogStep, ReopenHook, RotateReason, RotatingLog, ServiceLog, WhenFull, plan_log_care,
};
#[cfg(feature = "postgres")]
pub use migration::{
    Application, Compatibility, CompatibilityFault, CompatibilityFinding, CompatibilityReport, MigrationPlan,
    MigrationReport, MigrationRunner,
};
#[cfg(feature = "migration-lint")]
pub use migration::{MigratedDomain, MigratedTable, MigrationFinding, MigrationLint, MigrationRisk};
pub use postgres::TableName;
#[cfg(feature = "postgres")]
pub use requeue::Requeue;
pub use requeue::{
    Heartbeat, RequeueFacts, RequeuePlan, RequeuePolicy, StuckTask, TaskColumns, plan_requeue,
};
#[cfg(feature = "postgres")]
pub use retention::Retention;
pub use retention::{
    ExpiredPartition, Pace, PartitionState, Pulse, RetentionFacts, RetentionObstacle, RetentionPart,
    RetentionPlan, RetentionPolicy, RetentionWork, TableFacts, Throttle, ThrottlePolicy, Trouble,
    VacuumPulse, plan_retention,
};
#[cfg(feature = "kubernetes-rollout")]
pub use rollout::KubernetesRollout;
pub use rollout::{
    Analysis, CanaryView, ClosureAnalysis, MemoryRolloutTarget, MetricAnalysis, MetricCondition, PastRollout,
    Readiness, Release, RevisionView, Rollout, RolloutAction, RolloutBook, RolloutBuilder, RolloutDecision,
    RolloutEnd, RolloutForecast, RolloutIntent, RolloutPause, RolloutPhase, RolloutPolicy, RolloutState,
    RolloutStep, RolloutTarget, Tally, TargetView, TrafficSplit, UnderWay, Verdict, WhenSilent,
    forecast_rollout, next_step,
};
#[cfg(feature = "cloud-run-rollout")]
pub use rollout::{CloudRunRollout, CloudRunWorkerPoolRollout};
#[cfg(feature = "google-secrets")]
pub use secrets::GoogleSecrets;
#[cfg(feature = "jwks-http")]
pub use secrets::JwksEndpoint;
#[cfg(feature = "secrets")]
pub use secrets::{
    ActiveSecret, ApiKeyIssuer, ApiKeys, EnvSecrets, FileSecrets, Generation, IssuedKey, MadeSecret,
    MemorySecrets, PastGeneration, Phase, RotationBook, RotationFacts, RotationForecast, RotationPlan,
    RotationPolicy, RotationReason, RotationRecord, RotationStep, SecretCare, SecretKind, SecretStore,
    SecretVersion, SecretView, VersionState, forecast_rotation, plan_rotation,
};
#[cfg(feature = "postgres-passwords")]
pub use secrets::{DatabaseLogin, DatabaseLogins};
#[cfg(feature = "jwt")]
pub use secrets::{JwksDocument, JwksSource, JwtKeys, KeyAlgorithm, SigningKeys, TokenRules, Verifier};
#[cfg(feature = "postgres")]
pub use sessions::SessionCare;
pub use sessions::{
    SessionFacts, SessionPlan, SessionPolicy, SessionReason, SessionSkip, SessionState, SessionStep,
    SessionView, plan_sessions,
};
#[cfg(feature = "postgres")]
pub use vacuum::Vacuum;
pub use vacuum::{
    HorizonHolder, TableUpkeep, VacuumFacts, VacuumPlan, VacuumPolicy, VacuumReason, VacuumSkip, VacuumStep,
    plan_vacuum,
};
