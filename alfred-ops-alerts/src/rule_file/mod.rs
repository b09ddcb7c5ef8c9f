//! Rule files and the files that test them, as Prometheus and promtool read them.

mod block;
mod read_rules;
mod read_tests;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod rule_file;
mod rule_tests;
mod test_outcome;
mod write_rules;

#[cfg(test)]
mod tests;

pub use rule_file::RuleFile;
pub use rule_tests::RuleTests;
pub use test_outcome::TestOutcome;
