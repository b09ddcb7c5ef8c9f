//! Trials whose blows are drawn from a seed: see `chaos --help`.

use std::process::ExitCode;

use alfred_ops_examples::chaos::{Arguments, run};
use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    run(Arguments::parse()).await
}
