//! What a person sees while the story runs.

use std::io::IsTerminal as _;
use std::time::Duration;

use alfred_ops_core::{Progress, ProgressState, ProgressUnit, SharedClock};
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a bar moves on a terminal.
const BAR_PERIOD: Duration = Duration::from_millis(100);
/// How often a plain line is printed where there is no terminal.
const LINE_PERIOD: Duration = Duration::from_secs(2);

/// Prints steps and progress: bars on a terminal, plain lines otherwise.
#[derive(Debug)]
pub struct Console {
    clock: SharedClock,
    terminal: bool,
    errors: bool,
}

impl Console {
    /// A console on standard output.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, terminal: std::io::stdout().is_terminal(), errors: false }
    }

    /// A console on standard error, where standard output is for results.
    #[must_use]
    pub fn on_stderr(clock: SharedClock) -> Self {
        Self { clock, terminal: std::io::stderr().is_terminal(), errors: true }
    }

    /// Begins a chapter.
    pub fn chapter(&self, title: &str) {
        self.print(&format!("\n== {title}"));
    }

    /// Says one thing that happened.
    pub fn step(&self, text: &str) {
        self.print(&format!("   {text}"));
    }

    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]
    fn print(&self, text: &str) {
        if self.errors { eprintln!("{text}") } else { println!("{text}") }
    }

    /// Shows `progress` while `work` runs.
    pub async fn watch<T>(&self, progress: &Progress, work: impl Future<Output = T>) -> T {
        let target = match (self.terminal, self.errors) {
            (false, _) => ProgressDrawTarget::hidden(),
            (true, false) => ProgressDrawTarget::stdout(),
            (true, true) => ProgressDrawTarget::stderr(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let shape = "   {msg:<12} {wide_bar} {binary_bytes:>10} / {binary_total_bytes:<10} {prefix:>12}";
        bar.set_style(ProgressStyle::with_template(shape).unwrap_or_else(|_| ProgressStyle::default_bar()));
        let mut work = std::pin::pin!(work);
        let period = if self.terminal { BAR_PERIOD } else { LINE_PERIOD };
        let (mut phase, mut began) = (progress.state().phase, self.clock.monotonic());
        let output = loop {
            tokio::select! {
                output = &mut work => break output,
                () = self.clock.sleep(period) => {
                    let (state, now) = (progress.state(), self.clock.monotonic());
                    if state.phase != phase {
                        (phase, began) = (state.phase.clone(), now);
                    }
                    self.show(&bar, &state, now - began);
                }
            }
        };
        bar.finish_and_clear();
        output
    }

    fn show(&self, bar: &ProgressBar, state: &ProgressState, elapsed: Duration) {
        let remaining = state.remaining(elapsed).map(|rest| format!("{} left", HumanDuration(rest)));
        let remaining = remaining.unwrap_or_default();
        if self.terminal {
            bar.set_message(state.phase.to_string());
            bar.set_length(state.total.unwrap_or(state.done).max(state.done));
            bar.set_position(state.done);
            bar.set_prefix(remaining);
            return;
        }
        let amount = |amount: u64| match state.unit {
            ProgressUnit::Bytes => HumanBytes(amount).to_string(),
            _ => amount.to_string(),
        };
        let total = state.total.map(|total| format!(" of {}", amount(total))).unwrap_or_default();
        let remaining = if remaining.is_empty() { remaining } else { format!(", {remaining}") };
        self.step(&format!("… {}: {}{total}{remaining}", state.phase, amount(state.done)));
    }
}
