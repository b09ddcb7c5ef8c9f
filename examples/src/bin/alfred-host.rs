//! The whole idea in one run: a platform under load is backed up, loses data and gets it back; a failing
//! agent is noticed; a growing queue is answered.

use std::process::ExitCode;

use alfred_ops_core::{JobContext, Result, SystemClock};
use alfred_ops_examples::console::Console;
use alfred_ops_examples::platform::Database;
use alfred_ops_examples::proof::Proofs;
use alfred_ops_examples::story;
use clap::Parser;

/// Tells the story on real servers, on free loopback ports, in a temporary folder, and proves each step.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Bytes of generated tasks, in MB.
    #[arg(long, default_value_t = 200)]
    megabytes: u64,
    /// Leave the restored cluster up until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let context = JobContext::system();
    let console = Console::new(SystemClock::shared());
    let told = tokio::select! {
        told = tell(&arguments, &context, &console) => told,
        () = asked_to_stop() => {
            console.step("interrupted: everything that was started has been stopped");
            return ExitCode::from(130);
        }
    };
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            console.step("a proof does not hold");
            ExitCode::FAILURE
        }
        Err(error) => {
            console.step(&format!("the story broke off: {}", error.full()));
            ExitCode::FAILURE
        }
    }
}

/// Ctrl-C, or the signal that service managers send.
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).ok();
    let terminated = async {
        match &mut terminate {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}

async fn tell(arguments: &Arguments, context: &JobContext, console: &Console) -> Result<bool> {
    let started = context.clock.monotonic();
    let mut proofs = Proofs::default();
    console.chapter("A private platform");
    let server = Database::start_server().await?;
    console.step(&format!("Postgres listens at {}", server.options()));
    let database = Database::connect(&server.options()).await?;
    database.create_schema().await?;
    let fill = database.fill(arguments.megabytes * 1_000_000, &context.progress);
    let bytes = console.watch(&context.progress, fill).await?;
    console.step(&format!("the platform's database holds {} MB", bytes / 1_000_000));

    let home = server.account().private_folder("alfred-host-")?;
    let restored = story::recovery(&server, &database, home.path(), context, console, &mut proofs).await?;
    let database = Database::connect(&restored.options()).await?;
    story::upkeep(&restored.options(), &database, context, console, &mut proofs).await?;
    story::alerting(context, console, &mut proofs).await?;
    story::scaling(context, console, &mut proofs).await?;

    console.chapter("Proven");
    console.step(&format!("in {:.1} s\n", (context.clock.monotonic() - started).as_secs_f64()));
    for line in proofs.table().lines() {
        console.step(line);
    }
    if arguments.keep {
        console.step(&format!("the restored cluster is up at {}; Ctrl-C ends it", restored.options()));
        std::future::pending::<()>().await;
    }
    Ok(proofs.hold())
}
