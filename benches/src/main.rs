//! Measurements beside peers, in one run on the same input.

#![expect(clippy::print_stdout, reason = "a program that reports on standard output")]

mod backup;
mod cluster;
mod exposition;
mod incremental;
mod kernel;
mod log_writer;
mod pgbackrest;
mod relations;
mod restore;
mod rpo;
mod rules;

use std::process::ExitCode;

use alfred_ops_core::testing::servers::PostgresBinaries;
use clap::{Parser, ValueEnum};

use crate::cluster::Cluster;

/// Runs ours and the peer's work in one run and prints figures.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure.
    name: Benchmark,
    /// 128 MB instead of 2 GB.
    #[arg(long)]
    quick: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Benchmark {
    Backup,
    Exposition,
    Incremental,
    Kernel,
    LogWriter,
    Relations,
    Restore,
    Rpo,
    Rules,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let megabytes = if arguments.quick { 128 } else { 2000 };
    let measured = async {
        let large = || async { Cluster::start(PostgresBinaries::find()?, megabytes).await };
        match arguments.name {
            Benchmark::Backup => backup::measure(&large().await?).await,
            Benchmark::Exposition => exposition::measure(arguments.quick),
            Benchmark::Incremental => incremental::measure(arguments.quick).await,
            Benchmark::Kernel => kernel::measure(arguments.quick),
            Benchmark::LogWriter => log_writer::measure(arguments.quick),
            Benchmark::Relations => relations::measure(arguments.quick).await,
            Benchmark::Restore => restore::measure(&large().await?, arguments.quick).await,
            Benchmark::Rpo => rpo::measure(arguments.quick).await,
            Benchmark::Rules => rules::measure(arguments.quick).await,
        }
    };
    match measured.await {
        Ok(figures) => {
            for (name, value) in figures {
                println!("figure: {name} = {value:.2}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("failed: {}", error.full());
            ExitCode::FAILURE
        }
    }
}
