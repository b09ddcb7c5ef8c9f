//! Operations by hand: see `opsctl --help`.

use std::process::ExitCode;

use alfred_ops_examples::opsctl::{Arguments, run};
use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    run(Arguments::parse()).await
}
