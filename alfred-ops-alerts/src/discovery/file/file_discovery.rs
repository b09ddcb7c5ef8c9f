//! Reads lists of targets from files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use alfred_ops_core::{Error, ErrorKind, Result, SharedClock, blocking};
use async_trait::async_trait;

use super::{list, pattern};
use crate::discovery::{Discovery, Found};
use crate::job::{FileDiscoveryConfig, TargetGroup};

const OPERATION: &str = "read targets";
/// How soon a changed file is noticed. A look costs one call for each file.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// How large a file may be.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// Targets that are written down in files.
///
/// A file is read when its time or length has changed, and at least once in each refresh interval. One that
/// cannot be read keeps its last targets; one that is gone has none.
#[derive(Debug)]
pub struct FileDiscovery {
    config: FileDiscoveryConfig,
    clock: SharedClock,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    files: BTreeMap<PathBuf, File>,
    read_at: Option<Duration>,
}

#[derive(Debug, Default, Clone)]
struct File {
    state: Option<(SystemTime, u64)>,
    groups: Vec<TargetGroup>,
    problem: Option<String>,
}

impl FileDiscovery {
    /// The targets in these files.
    #[must_use]
    pub fn new(config: FileDiscoveryConfig, clock: SharedClock) -> Self {
        Self { config, clock, known: Arc::default() }
    }
}

#[async_trait]
impl Discovery for FileDiscovery {
    fn name(&self) -> &'static str {
        "files"
    }

    fn poll_interval(&self) -> Duration {
        self.config.refresh_interval.min(LOOK_INTERVAL)
    }

    async fn find(&self) -> Result<Found> {
        let (patterns, known, now) =
            (self.config.files.clone(), Arc::clone(&self.known), self.clock.monotonic());
        let refresh_interval = self.config.refresh_interval;
        blocking(move || {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            look(&patterns, &mut known, now, refresh_interval)
        })
        .await
    }
}

fn look(patterns: &[PathBuf], known: &mut Known, now: Duration, refresh_interval: Duration) -> Found {
    let due = known.read_at.is_none_or(|at| now.saturating_sub(at) >= refresh_interval);
    if due {
        known.read_at = Some(now);
    }
    let mut problems = Vec::new();
    let mut present = BTreeMap::new();
    for pattern in patterns {
        match pattern::files(pattern) {
            Ok(files) => {
                for path in files {
                    let before = known.files.get(&path).cloned().unwrap_or_default();
                    present.entry(path).or_insert(before);
                }
            }
            Err(source) => {
                // The files that it stood for so far stay.
                let folder = pattern.parent();
                let kept = known.files.iter().filter(|(path, _)| path.parent() == folder);
                present.extend(kept.map(|(path, file)| (path.clone(), file.clone())));
                problems.push(failed(pattern, "the folder cannot be listed").with_source(source));
            }
        }
    }
    for (path, file) in &mut present {
        renew(path, file, due);
    }
    known.files = present;
    let told = known.files.iter().filter_map(|(path, file)| Some(failed(path, file.problem.as_deref()?)));
    problems.extend(told);
    Found::new(known.files.values().flat_map(|file| file.groups.clone()).collect()).with_problems(problems)
}

/// Reads a file again if it must be. What it had stays if it cannot be read.
fn renew(path: &Path, file: &mut File, due: bool) {
    let state = std::fs::metadata(path).and_then(|data| Ok((data.modified()?, data.len())));
    let state = match state {
        Ok(state) => state,
        Err(error) => {
            file.problem = Some(format!("the file cannot be read: {error}"));
            file.state = None;
            return;
        }
    };
    if file.state == Some(state) && !due {
        return;
    }
    file.state = Some(state);
    let read = if state.1 > FILE_BYTES_MAX {
        Err(format!("the file has {} bytes, more than {FILE_BYTES_MAX}", state.1))
    } else {
        std::fs::read_to_string(path)
            .map_err(|error| format!("the file cannot be read: {error}"))
            .and_then(|text| list::read(path, &text))
    };
    match read {
        Ok(groups) => {
            file.groups = groups;
            file.problem = None;
        }
        Err(problem) => file.problem = Some(problem),
    }
}

fn failed(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, OPERATION, what)
        .with_target(path.display().to_string())
        .with_remedy("correct the file; its last targets stay until then")
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::SimulatedClock;
    use chrono::DateTime;

    use super::*;

    struct Folder {
        path: tempfile::TempDir,
        clock: SimulatedClock,
        discovery: FileDiscovery,
    }

    impl Folder {
        fn new(patterns: &[&str]) -> Self {
            let path = tempfile::tempdir().unwrap();
            let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
            let files = patterns.iter().map(|pattern| path.path().join(pattern));
            let discovery = FileDiscovery::new(FileDiscoveryConfig::new(files), clock.shared());
            Self { path, clock, discovery }
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.path.path().join(name), text).unwrap();
        }

        /// The addresses that are found, and how many problems there are.
        async fn find(&self) -> (Vec<String>, usize) {
            let found = self.discovery.find().await.unwrap();
            let targets = found.groups.iter().flat_map(|group| &group.targets);
            (targets.map(|target| target["__address__"].clone()).collect(), found.problems.len())
        }
    }

    #[tokio::test]
    async fn files_are_read_when_they_change_and_keep_their_last_targets() {
        let folder = Folder::new(&["*.json", "one.yml"]);
        assert_eq!(folder.find().await, (vec![], 0));
        folder.write("a.json", r#"[{"targets": ["a:1", "a:2"]}]"#);
        folder.write("one.yml", "- targets: ['b:1']\n  labels: {x: y}\n");
        folder.write("two.yml", "- targets: ['never']\n");
        assert_eq!(folder.find().await, (vec!["a:1".into(), "a:2".into(), "b:1".into()], 0));
        // A slip keeps what was there, and is told until it is corrected.
        folder.write("one.yml", "- target: ['b:1']\n");
        assert_eq!(folder.find().await, (vec!["a:1".into(), "a:2".into(), "b:1".into()], 1));
        assert_eq!(folder.find().await.1, 1);
        folder.write("one.yml", "- targets: ['b:22']\n");
        assert_eq!(folder.find().await, (vec!["a:1".into(), "a:2".into(), "b:22".into()], 0));
        std::fs::remove_file(folder.path.path().join("a.json")).unwrap();
        assert_eq!(folder.find().await, (vec!["b:22".into()], 0));
    }

    #[tokio::test]
    async fn a_file_is_read_again_after_the_interval_even_if_it_seems_unchanged() {
        let folder = Folder::new(&["a.json"]);
        let path = folder.path.path().join("a.json");
        folder.write("a.json", r#"[{"targets": ["a:1"]}]"#);
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        folder.find().await;
        folder.write("a.json", r#"[{"targets": ["b:1"]}]"#);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert_eq!(folder.find().await.0, ["a:1"]);
        folder.clock.advance(Duration::from_secs(300));
        assert_eq!(folder.find().await.0, ["b:1"]);
    }

    #[tokio::test]
    async fn groups_tell_where_they_come_from() {
        let folder = Folder::new(&["a.yaml"]);
        folder.write("a.yaml", "- targets: [a]\n- {targets: [b], labels: {x: \"1\"}}\n");
        let groups = folder.discovery.find().await.unwrap().groups;
        let path = folder.path.path().join("a.yaml").display().to_string();
        let expected = [
            TargetGroup::of_addresses(format!("{path}:0"), ["a"]).with_label("__meta_filepath", &path),
            TargetGroup::of_addresses(format!("{path}:1"), ["b"])
                .with_label("__meta_filepath", &path)
                .with_label("x", "1"),
        ];
        assert_eq!(groups, expected);
    }

    #[tokio::test]
    async fn what_is_wrong_is_told_with_its_place() {
        let folder = Folder::new(&["a.yml", "b.json"]);
        folder.write("a.yml", "- targets: [a]\n  lables: {x: y}\n");
        folder.write("b.json", "[{]");
        let problems = folder.discovery.find().await.unwrap().problems;
        let (first, second) = (problems[0].to_string(), problems[1].to_string());
        assert!(
            first.contains("a.yml:2:3: [0].lables: the field is unknown (did you mean `labels`?)"),
            "{first}"
        );
        assert!(second.contains("b.json") && second.contains("line 1 column 3"), "{second}");
    }
}
