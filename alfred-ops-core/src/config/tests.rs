use std::time::Duration;

use super::{ConfigTree, FromConfig, Section};
use crate::Secret;

#[derive(Debug)]
struct Host {
    backup: Backup,
    targets: Vec<Target>,
}

#[derive(Debug)]
struct Backup {
    bucket: String,
    seal_after: Duration,
    parallel: usize,
    secret_key: Secret,
}

#[derive(Debug)]
struct Target {
    port: u16,
}

impl FromConfig for Host {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let (backup, targets) = (section.section("backup"), section.sections("targets"));
        Some(Self { backup: backup?, targets: targets? })
    }
}

impl FromConfig for Backup {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let bucket = section.required("bucket");
        let seal_after = section.or("seal_after", Duration::from_secs(5));
        let parallel = match section.or("parallel", 4) {
            Some(0) => section.refuse("parallel", "0 is out of range", "give 1 or more"),
            parallel => parallel,
        };
        let secret_key = section.required("secret_key");
        Some(Self { bucket: bucket?, seal_after: seal_after?, parallel: parallel?, secret_key: secret_key? })
    }
}

impl FromConfig for Target {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        Some(Self { port: section.required("port")? })
    }
}

const GOOD: &str = "
backup:
  bucket: alfred
  seal_after: 1m30s
  secret_key: hunter2
targets:
  - port: 8011
";

#[test]
fn yaml_toml_and_the_environment_give_the_same() {
    let none: [(&str, &str); 0] = [];
    let yaml: Host = ConfigTree::from_yaml(GOOD).unwrap().with_environment("OPS", none).read().unwrap();
    let toml =
        "[backup]\nbucket = 'alfred'\nseal_after = '1m30s'\nsecret_key = 'hunter2'\n[[targets]]\nport = 8011";
    let toml: Host = ConfigTree::from_toml(toml).unwrap().read().unwrap();
    assert_eq!(format!("{yaml:?}"), format!("{toml:?}"));
    assert_eq!(yaml.backup.seal_after, Duration::from_secs(90));
    assert_eq!(yaml.backup.secret_key.expose(), "hunter2");
    assert_eq!(yaml.targets[0].port, 8011);

    let variables =
        [("OPS__BACKUP__PARALLEL", "7"), ("OPS__BACKUP__BUCKET", "other"), ("OTHER__BACKUP", "x")];
    let host: Host = ConfigTree::from_yaml(GOOD).unwrap().with_environment("OPS", variables).read().unwrap();
    assert_eq!((host.backup.parallel, host.backup.bucket.as_str()), (7, "other"));
}

#[test]
fn every_mistake_is_reported_at_once() {
    let bad = "
backup:
  bukcet: alfred
  seal_after: 5 minutes
  parallel: 0
  secret_key: [hunter2]
targets:
  - port: 70000
";
    let error = ConfigTree::from_yaml(bad).unwrap().read::<Host>().unwrap_err().to_string();
    for wanted in [
        "6 problems",
        "backup.bucket: it is missing (give text)",
        "backup.bukcet: it is unknown (did you mean \"bucket\"?)",
        "backup.seal_after: \"5 minutes\" is not a duration",
        "backup.parallel: 0 is out of range (give 1 or more)",
        "backup.secret_key: the secret is not text",
        "targets[0].port: 70000 is not a whole number from 0 to 65535",
    ] {
        assert!(error.contains(wanted), "{wanted:?} is missing in {error}");
    }
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn secrets_may_lie_elsewhere() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from-file\n").unwrap();
    let with = |reference: &str| {
        let variables = [("OPS__BACKUP__SECRET_KEY", reference.to_owned())];
        ConfigTree::from_yaml(GOOD).unwrap().with_environment("OPS", variables).read::<Host>()
    };
    let host = with(&format!("${{file:{}}}", file.path().display())).unwrap();
    assert_eq!(host.backup.secret_key.expose(), "from-file");
    let error = with("${env:ALFRED_OPS_TEST_NOT_SET}").unwrap_err().to_string();
    assert!(error.contains("the variable ALFRED_OPS_TEST_NOT_SET is not set"), "{error}");
    let error = with("${file:/does/not/exist}").unwrap_err().to_string();
    assert!(error.contains("/does/not/exist"), "{error}");
}

#[test]
fn broken_documents_name_the_place() {
    let error = ConfigTree::from_toml("[backup]\nbucket = = 1").unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
    let error = ConfigTree::from_yaml("backup: [1, 2").unwrap_err().to_string();
    assert!(error.contains("no YAML"), "{error}");
    let variables = [("OPS__BACKUP__BUCKET__DEEPER", "x")];
    let error =
        ConfigTree::from_yaml(GOOD).unwrap().with_environment("OPS", variables).read::<Host>().unwrap_err();
    assert!(error.to_string().contains("OPS__BACKUP__BUCKET__DEEPER"), "{error}");
}

#[derive(Debug)]
struct MaybeBackup(Option<Backup>);

impl FromConfig for MaybeBackup {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let backup = section.optional_section("backup");
        let _targets: Option<Vec<Target>> = section.sections("targets");
        Some(Self(backup?))
    }
}

#[test]
fn a_section_may_be_missing_and_a_bad_one_is_still_told() {
    for absent in ["targets: []", "backup:"] {
        assert!(ConfigTree::from_yaml(absent).unwrap().read::<MaybeBackup>().unwrap().0.is_none());
    }
    assert!(ConfigTree::from_yaml(GOOD).unwrap().read::<MaybeBackup>().unwrap().0.is_some());
    let error = ConfigTree::from_yaml("backup: {bucket: 7}").unwrap().read::<MaybeBackup>().unwrap_err();
    assert!(error.to_string().contains("backup.secret_key: it is missing"), "{error}");
}
