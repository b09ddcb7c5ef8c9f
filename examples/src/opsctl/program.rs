//! Programs of the host that a command asks.

use std::process::Stdio;
use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Result, Secret, SharedClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

/// What a program may print.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024;
/// How long one may take, unless its user says otherwise.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A program with its first arguments, which answers by its status and what it prints.
///
/// It is killed when its time is over or the future is dropped. What it writes to its standard error is thrown away: it may
/// name what is secret.
#[derive(Debug, Clone)]
pub(super) struct Program {
    words: Vec<String>,
    time_limit: Duration,
    clock: SharedClock,
}

/// What a program answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its status; none if a signal ended it.
    pub(super) status: Option<i32>,
    /// What it printed, without blanks at its ends. Shows nothing in `Debug`: it may be secret.
    pub(super) text: Secret,
}

impl Program {
    /// A program of these words, of which the first is its path.
    ///
    /// # Errors
    /// `InvalidInput` without a word.
    pub(super) fn new(words: Vec<String>, clock: SharedClock) -> Result<Self> {
        if words.first().is_none_or(String::is_empty) {
            return Err(Error::new(ErrorKind::InvalidInput, "run program", "command: it names no program")
                .with_remedy("give a list of the program and its arguments"));
        }
        Ok(Self { words, time_limit: TIME_LIMIT, clock })
    }

    /// Another limit of time.
    pub(super) const fn with_time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// Runs it with more arguments, with variables of its environment, and with `input` on its standard input, which is
    /// never an argument: arguments are seen by everybody on the machine.
    ///
    /// # Errors
    /// If it cannot be run, or a limit is reached. Any status is an answer.
    pub(super) async fn ask(
        &self,
        more: &[&str],
        variables: &[(&str, String)],
        input: Option<&Secret>,
    ) -> Result<Answer> {
        let answer = self.clock.timeout(self.time_limit, "run program", self.run(more, variables, input));
        answer.await?.map_err(|error| error.with_target(self.name()))
    }

    pub(super) fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    async fn run(
        &self,
        more: &[&str],
        variables: &[(&str, String)],
        input: Option<&Secret>,
    ) -> Result<Answer> {
        let (program, arguments) = self.words.split_first().ok_or_else(|| fault("there is none"))?;
        let broke = |source: std::io::Error| fault("it cannot be run").with_source(source);
        let mut child = Command::new(program)
            .args(arguments)
            .args(more)
            .envs(variables.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(broke)?;
        if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
            // One that does not read its input may end before it is written; its status says whether that is well.
            match pipe.write_all(input.expose().as_bytes()).await {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(broke(error)),
                _ => {}
            }
        }
        let mut text = String::new();
        if let Some(output) = child.stdout.take() {
            let mut output = output.take(OUTPUT_BYTES_MAX + 1);
            output.read_to_string(&mut text).await.map_err(|_| fault("it printed no text"))?;
        }
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > OUTPUT_BYTES_MAX {
            return Err(fault("it printed more than 65536 bytes"));
        }
        let status = child.wait().await.map_err(broke)?;
        Ok(Answer { status: status.code(), text: Secret::new(text.trim()) })
    }
}

fn fault(what: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, "run program", what).with_remedy("run it by hand")
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::SystemClock;

    use super::*;

    fn shell(script: &str) -> Program {
        let words = ["/bin/sh", "-c", script, "sh"].map(str::to_owned);
        Program::new(words.to_vec(), SystemClock::shared()).unwrap()
    }

    #[tokio::test]
    async fn status_output_input_and_variables_go_where_they_should() {
        let echo = shell("read line; echo \"$1 $KEY $line\"; exit 3");
        let answer = echo.ask(&["one"], &[("KEY", "two".to_owned())], Some(&Secret::new("three\n"))).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.text.expose()), (Some(3), "one two three"));
        assert!(!format!("{answer:?}").contains("three"));
        // Neither a closed input nor none at all is a failure.
        assert_eq!(shell("exit 0").ask(&[], &[], Some(&Secret::new("x"))).await.unwrap().status, Some(0));
        assert_eq!(shell("cat").ask(&[], &[], None).await.unwrap().status, Some(0));
    }

    #[tokio::test]
    async fn what_cannot_be_run_or_says_too_much_is_an_error() {
        let none = Program::new(vec!["/no/such".to_owned()], SystemClock::shared()).unwrap();
        assert!(none.ask(&[], &[], None).await.unwrap_err().full().contains("/no/such"));
        let much = shell("head -c 70000 /dev/zero").ask(&[], &[], None).await.unwrap_err();
        assert!(much.full().contains("more than 65536 bytes"), "{}", much.full());
        assert!(Program::new(Vec::new(), SystemClock::shared()).is_err());
    }
}
