//! What can be asked of rules.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::source_arguments::{SeriesArguments, SourceArguments, duration};

#[derive(Debug, Subcommand)]
pub(in crate::opsctl) enum RulesCommand {
    /// Read rule files and print all that is wrong with them.
    ///
    /// Every expression and template is read as well. Each mistake comes with its file, line, column and what to write
    /// instead. The status is 1 if there is one; warnings change nothing.
    Check {
        /// Rule files, as Prometheus reads them.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Run unit tests of rules.
    ///
    /// The files are those of `promtool test rules`, unchanged. The status is 1 if a test fails or a file cannot be
    /// read.
    Test {
        /// Test files; they name the rule files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Answer a query on series of a file, or by a Prometheus.
    ///
    /// A query that comes to nothing is followed to the part that does.
    Query {
        /// The query, in PromQL.
        expr: String,
        #[command(flatten)]
        source: SourceArguments,
    },
    /// Explain what each rule of a file comes to, on series of a file or by asking a Prometheus.
    ///
    /// For each rule it says which samples and alerts there are and why, or why there are none, and which alerts came
    /// and went before. The status is 1 if a rule cannot be evaluated.
    ///
    /// A server is asked for the past of rules that wait (for, keep_firing_for), so that it can be said since when a
    /// condition has held. Nothing is recorded: what recording rules write is looked up at the server as well.
    Eval {
        /// A rule file.
        #[arg(value_name = "FILE")]
        rules: PathBuf,
        #[command(flatten)]
        source: SourceArguments,
        /// How often groups are evaluated that name no interval.
        #[arg(long, default_value = "1m", value_name = "DURATION", value_parser = duration)]
        every: Duration,
    },
    /// Say for each rule whether it can ever fire, why not, and what to write instead.
    ///
    /// The status is 1 if a rule cannot fire with series like these.
    ///
    /// The series should be what the targets export when all is well: some hours of a dump, or a saved page. A page
    /// without timestamps stands for twenty quiet minutes in which every value stayed as it is.
    Doctor {
        /// Rule files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        series: SeriesArguments,
        /// How often groups are evaluated that name no interval.
        #[arg(long, default_value = "1m", value_name = "DURATION", value_parser = duration)]
        every: Duration,
    },
}
