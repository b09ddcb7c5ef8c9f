//! Side by side with Prometheus itself: what it accepts of what is written, what it makes of targets and pages.
//!
//! `scripts/test` unpacks Prometheus 3 and names its folder in `ALFRED_OPS_PROMETHEUS_BIN`.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]
#![expect(clippy::expect_used, reason = "a test that cannot set itself up must fail")]

mod loopback;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use alfred_ops_alerts::{
    DiscoveryConfig, FileDiscoveryConfig, HttpDiscoveryConfig, HttpScraper, JobTargets, PrometheusConfig,
    ReadOptions, RelabelAction, RelabelRule, RelabelSpec, ScrapeJob, TargetGroup, resolve,
};
use alfred_ops_core::{Clock as _, EntropyExt as _, Labels, SeededEntropy, SystemClock};
use loopback::{Loopback, answer};
use serde_json::Value;

const TEXT: &[(&str, &str)] = &[("content-type", "text/plain; version=0.0.4")];
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
/// Longer than Prometheus takes to find its targets and to scrape them, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many jobs with rules by chance are compared.
const RANDOM_JOBS: u64 = 150;
/// How many regular expressions by chance are compared. Each costs a run of Prometheus' tool.
const RANDOM_PATTERNS: usize = 150;

fn binary(name: &str) -> PathBuf {
    let folder = std::env::var_os("ALFRED_OPS_PROMETHEUS_BIN").expect(
        "run the tests by scripts/test, which unpacks Prometheus 3, or set ALFRED_OPS_PROMETHEUS_BIN",
    );
    Path::new(&folder).join(name)
}

/// A configuration as Prometheus' own tool judges it.
#[track_caller]
fn check_accepted(config: &PrometheusConfig, arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prometheus.yml");
    std::fs::write(&path, config.to_yaml().expose()).unwrap();
    let output = Command::new(binary("promtool"))
        .args(["check", "config"])
        .args(arguments)
        .arg(&path)
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{}", config.to_yaml().expose());
}

/// A Prometheus of our own on a free port, killed when dropped.
struct Prometheus {
    child: std::process::Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn start(config: &PrometheusConfig, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prometheus.yml");
        std::fs::write(&path, config.to_yaml().expose()).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let child = Command::new(binary("prometheus"))
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, address, _folder: folder }
    }

    /// Asks until the answer satisfies `done`; the last answer fails the test otherwise.
    async fn ask(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        let clock = SystemClock::new();
        let mut last = Value::Null;
        while clock.monotonic() < PATIENCE {
            if let Some(answer) = self.get(path).await {
                if done(&answer["data"]) {
                    return answer["data"].clone();
                }
                last = answer;
            }
            clock.sleep(Duration::from_millis(100)).await;
        }
        panic!("Prometheus did not come to it within {PATIENCE:?}: {last:#}");
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let text = reqwest::get(format!("http://{}{path}", self.address)).await.ok()?.text().await.ok()?;
        serde_json::from_str(&text).ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A target, one line each: what was found, what is scraped, where and how often.
type Lines = BTreeMap<String, (Vec<String>, Vec<String>)>;

fn labels(value: &Value) -> Labels {
    value.as_object().unwrap().iter().map(|(name, value)| (name, value.as_str().unwrap())).collect()
}

fn theirs(data: &Value) -> Lines {
    let mut lines = Lines::new();
    for target in data["activeTargets"].as_array().unwrap() {
        let line = format!(
            "{} -> {} {} every {} within {}",
            labels(&target["discoveredLabels"]),
            labels(&target["labels"]),
            target["scrapeUrl"].as_str().unwrap(),
            target["scrapeInterval"].as_str().unwrap(),
            target["scrapeTimeout"].as_str().unwrap(),
        );
        lines.entry(target["scrapePool"].as_str().unwrap().to_owned()).or_default().0.push(line);
    }
    for target in data["droppedTargets"].as_array().unwrap() {
        let pool = target["scrapePool"].as_str().unwrap().to_owned();
        lines.entry(pool).or_default().1.push(labels(&target["discoveredLabels"]).to_string());
    }
    sorted(lines)
}

async fn ours(jobs: &[ScrapeJob]) -> Lines {
    let mut lines = Lines::new();
    for job in jobs {
        let mut targets = JobTargets::new(job.clone(), SystemClock::shared()).unwrap();
        targets.refresh().await;
        assert_eq!(targets.problems().count(), 0);
        let resolution = targets.resolution();
        let entry = lines.entry(job.name.clone()).or_default();
        for target in &resolution.active {
            let rhythm = |name| target.internal_labels().get(name).unwrap_or_default().to_owned();
            entry.0.push(format!(
                "{} -> {} {} every {} within {}",
                target.discovered,
                target.labels,
                target.url(),
                rhythm("__scrape_interval__"),
                rhythm("__scrape_timeout__"),
            ));
        }
        let dropped = resolution.dropped.iter().filter(|dropped| !dropped.reason.is_mistake());
        entry.1.extend(dropped.map(|dropped| dropped.discovered.to_string()));
    }
    lines.retain(|_, (active, dropped)| !active.is_empty() || !dropped.is_empty());
    sorted(lines)
}

fn sorted(mut lines: Lines) -> Lines {
    for (active, dropped) in lines.values_mut() {
        active.sort();
        dropped.sort();
    }
    lines
}

fn count(lines: &Lines) -> usize {
    lines.values().map(|(active, dropped)| active.len() + dropped.len()).sum()
}

/// Compares what Prometheus makes of the targets of these jobs with what we do: zero differences.
///
/// Where targets come out equal, it is chance which of them Prometheus shows as found.
async fn check_targets(config: PrometheusConfig, as_found: bool) {
    let reduced = |mut lines: Lines| {
        for line in lines.values_mut().flat_map(|(active, _)| active).filter(|_| !as_found) {
            *line = line.split_once(" -> ").unwrap().1.to_owned();
        }
        sorted(lines)
    };
    let expected = reduced(ours(&config.jobs).await);
    let prometheus = Prometheus::start(&config, &[]);
    let all = count(&expected);
    let data =
        prometheus.ask("/api/v1/targets?state=any", |data| data.is_object() && count(&theirs(data)) >= all);
    let data = data.await;
    let found = reduced(theirs(&data));
    for (job, lines) in &expected {
        assert_eq!(found.get(job), Some(lines), "{job}");
    }
    assert_eq!(found, expected);
    for (job, (_, dropped)) in &expected {
        let counted = data["droppedTargetCounts"][job].as_u64().unwrap_or(0);
        assert_eq!(counted, u64::try_from(dropped.len()).unwrap(), "{job}");
    }
    println!("{all} targets of {} jobs compared, no difference", expected.len());
}

fn rule(spec: RelabelSpec) -> RelabelRule {
    RelabelRule::new(spec).unwrap()
}

fn replace(sources: &[&str], regex: &str, target: &str, replacement: &str) -> RelabelRule {
    let spec = RelabelSpec::default().with_source_labels(sources.iter().copied()).with_regex(regex);
    rule(spec.with_target_label(target).with_replacement(replacement))
}

#[test]
fn what_is_written_is_accepted() {
    let text = include_str!("config/everything.yml");
    let (config, _) = PrometheusConfig::from_yaml(text, &ReadOptions::new("everything.yml")).unwrap();
    check_accepted(&config, &["--syntax-only"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_are_those_of_prometheus() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(
        path("a.json"),
        r#"[{"targets": ["f:1", "f:2"], "labels": {"env": "prod", "__meta_zone": "z1"}}]"#,
    )
    .unwrap();
    std::fs::write(
        path("b.yml"),
        "- targets: ['g:1']\n  labels: {env: Test, odd.name: 'x: y'}\n- targets: [h:1, h:1]\n",
    )
    .unwrap();
    let service = Loopback::start(|_| {
        answer(
            200,
            JSON,
            r#"[{"targets": ["s:1", "s:2", "s:3"], "labels": {"env": "prod"}}, {"targets": ["t:1"]}]"#,
        )
    })
    .await;
    let group =
        TargetGroup::of_addresses("", ["a:1", "b:2", "c", "[::1]:9", "a:1"]).with_label("team", "Platform");
    let other = TargetGroup::of_addresses("", ["d:1", "e:1"])
        .with_label("job", "own")
        .with_label("__scheme__", "https");
    let fixed = |name: &str| {
        ScrapeJob::new(name).with_discovery(DiscoveryConfig::Static(vec![group.clone(), other.clone()]))
    };
    let mut probe = fixed("probe")
        .with_relabel_rule(replace(&["__address__"], "(.*)", "__param_target", "$1"))
        .with_relabel_rule(replace(&["__param_target"], "(.*)", "instance", "$1"))
        .with_relabel_rule(replace(&[], "(.*)", "__address__", "127.0.0.1:9115"))
        .with_relabel_rule(replace(&["team"], "Plat.*", "__scrape_interval__", "90s"));
    probe.metrics_path = "/probe me?".to_owned();
    probe.params = BTreeMap::from([("module".to_owned(), vec!["http 2xx".to_owned(), "b&c=ü".to_owned()])]);
    let files = DiscoveryConfig::File(FileDiscoveryConfig::new([path("*.json"), path("b.yml")]));
    let url = DiscoveryConfig::Http(HttpDiscoveryConfig::new(format!("http://{}/targets", service.address)));
    let keep = RelabelSpec::new(RelabelAction::Keep).with_source_labels(["env"]).with_regex("prod|Test");
    let map = RelabelSpec::new(RelabelAction::LabelMap).with_regex("__meta_(zone|filepath)");
    let shard = RelabelSpec::new(RelabelAction::HashMod).with_source_labels(["__address__"]).with_modulus(2);
    let jobs = [
        fixed("plain").with_rhythm(Duration::from_secs(5400), Duration::from_millis(1500)),
        probe,
        ScrapeJob::new("files")
            .with_discovery(files.clone())
            .with_relabel_rule(rule(keep.clone()))
            .with_relabel_rule(rule(map)),
        ScrapeJob::new("service").with_discovery(url.clone()).with_relabel_rule(rule(keep)),
        ScrapeJob::new("sharded")
            .with_discovery(files)
            .with_discovery(url)
            .with_relabel_rule(rule(shard.with_target_label("__tmp")))
            .with_relabel_rule(rule(
                RelabelSpec::new(RelabelAction::Keep).with_source_labels(["__tmp"]).with_regex("1"),
            )),
        fixed("broken")
            .with_relabel_rule(replace(&["__address__"], "a.*", "__address__", "http://a/b"))
            .with_relabel_rule(replace(&["__address__"], "b.*", "__address__", ""))
            .with_relabel_rule(replace(&["__address__"], "d.*", "__scrape_timeout__", "5m")),
    ];
    check_targets(PrometheusConfig::of_jobs(jobs), true).await;
}

/// What the chance of a test begins with.
fn seed() -> u64 {
    let seed = std::env::var("ALFRED_OPS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    println!("seed {seed}; replay with ALFRED_OPS_SEED={seed}");
    seed
}

/// One of several, by chance.
fn any<'a, T>(chance: &SeededEntropy, of: &'a [T]) -> &'a T {
    let index = usize::try_from(chance.below(of.len() as u64)).unwrap();
    &of[index]
}

/// A rule by chance, of values that meet often. Nothing that Prometheus itself decides by chance: two labels
/// that are mapped to one name.
fn random_rule(chance: &SeededEntropy) -> Option<RelabelRule> {
    const NAMES: [&str; 7] = ["a", "b", "c", "__address__", "__meta_m", "__tmp_t", "d.é"];
    const REGEXES: [&str; 16] = [
        "(.*)",
        ".+",
        "",
        "x",
        "(x|Y).*",
        r"(\w+)-(\w+)",
        r"[^\d]+",
        "(?i)(Y)-?.*",
        r"([^:]+)(?::(\d+))?",
        "(?P<n>.)(.*)",
        r"\Qa.b\E.*",
        "[[:alpha:]]+",
        "x{2,}",
        r".*\bé\b.*",
        ".*;.*",
        "a{,2}|.*z",
    ];
    const REPLACEMENTS: [&str; 11] =
        ["$1", "${1}_$2", "$n", "fix", "", "$$1", "$1x", "é$0", "${2}", "$3", "a b: \"c\" # $1"];
    let mut spec = RelabelSpec::new(*any(chance, &RelabelAction::ALL));
    let sources: BTreeSet<&str> = (0..chance.below(3)).map(|_| *any(chance, &NAMES)).collect();
    let names_only = matches!(spec.action, RelabelAction::LabelDrop | RelabelAction::LabelKeep);
    let equal = matches!(spec.action, RelabelAction::KeepEqual | RelabelAction::DropEqual);
    if !names_only {
        spec = spec.with_source_labels(sources).with_target_label(*any(chance, &NAMES));
    }
    match spec.action {
        RelabelAction::LabelMap => {
            let (regex, replacement) =
                *any(chance, &[("__meta_(.+)", "m_$1"), ("a", "b"), ("(d.*)", "${1}2")]);
            spec = spec.with_regex(regex).with_replacement(replacement);
        }
        RelabelAction::LabelKeep => spec = spec.with_regex(*any(chance, &["__.*|a|b", "__.*", "__.*|[^c]"])),
        RelabelAction::LabelDrop => {
            spec = spec.with_regex(*any(chance, &["a|b", r"d\..*", "__meta_.*|c", "[a-c]"]));
        }
        RelabelAction::HashMod => spec = spec.with_modulus(1 + chance.below(4)),
        RelabelAction::Replace => {
            spec = spec.with_regex(*any(chance, &REGEXES)).with_replacement(*any(chance, &REPLACEMENTS));
            if chance.below(4) == 0 {
                spec = spec.with_target_label(*any(chance, &["$1", "t_${1}", "$n"]));
            }
        }
        _ if !equal => spec = spec.with_regex(*any(chance, &REGEXES)),
        _ => {}
    }
    if !names_only && !equal && chance.below(4) == 0 {
        spec = spec.with_separator(*any(chance, &["-", "", ":", "é"]));
    }
    RelabelRule::new(spec).ok()
}

fn random_job(index: u64, chance: &SeededEntropy) -> ScrapeJob {
    const VALUES: [&str; 12] =
        ["x", "Y", "xx", "x-Y", "a.b", "é", "", "x:1", "a.bz", "Straße", "1 é 2", "line\nbreak"];
    let groups = (0..5).map(|number| {
        let names = ["a", "b", "c", "__meta_m", "d.é"].into_iter();
        let address = format!("{}:{number}", any(chance, &["x", "host", "127.0.0.1"]));
        names.fold(TargetGroup::of_addresses("", [address]), |group, name| {
            if chance.below(3) == 0 { group } else { group.with_label(name, *any(chance, &VALUES)) }
        })
    });
    let job =
        ScrapeJob::new(format!("random-{index}")).with_discovery(DiscoveryConfig::Static(groups.collect()));
    let rules = (0..1 + chance.below(6)).filter_map(|_| random_rule(chance));
    rules.fold(job, ScrapeJob::with_relabel_rule)
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_by_chance_do_what_they_do_in_prometheus() {
    let chance = SeededEntropy::new(seed());
    let jobs = (0..RANDOM_JOBS).map(|index| random_job(index, &chance));
    check_targets(PrometheusConfig::of_jobs(jobs), false).await;
}

/// A pattern by chance, of the pieces in which RE2 and other engines differ.
fn random_pattern(chance: &SeededEntropy) -> String {
    const PIECES: [&str; 66] = [
        "a",
        "b",
        "é",
        "ab",
        ".",
        "-",
        "&",
        "~",
        "#",
        " ",
        ":",
        "*",
        "+",
        "?",
        "??",
        "*?",
        "{2}",
        "{1,3}",
        "{0,}",
        "{,2}",
        "{",
        "}",
        "]",
        "[a-c]",
        "[^a]",
        "[[:alpha:]]",
        "[[:^digit:]x]",
        "[]a]",
        "[^]a]",
        "[a-]",
        "[-a]",
        r"[\d-]",
        r"[\W]",
        r"[^\S]",
        "[a&&b]",
        "[a--b]",
        "[[a]",
        r"[\]\[]",
        "(a|b)",
        "(?:",
        "(",
        "(?i)",
        "(?s-i:",
        "(?U)",
        "(?P<x>",
        "(?<y>",
        ")",
        "|",
        "^",
        "$",
        r"\b",
        r"\B",
        r"\d",
        r"\W",
        r"\s",
        r"\pL",
        r"\p{Greek}",
        r"\PN",
        r"\p{^Lu}",
        r"\Qa.\E",
        r"\x41",
        r"\x{e9}",
        r"\101",
        r"\_",
        r"\<",
        r"\z",
    ];
    (0..1 + chance.below(6)).map(|_| *any(chance, &PIECES)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_by_chance_mean_what_they_mean_in_prometheus() {
    const VALUES: [&str; 16] =
        ["a", "b", "ab", "aab", "abab", "A", "é", "É", "a-b", "a&b", "[a]", "α", "1", " ", "a\nb", "{,2}"];
    let seed = seed();
    let chance = SeededEntropy::new(seed);
    let (mut patterns, mut refused) = (Vec::new(), 0_u32);
    for _ in 0..RANDOM_PATTERNS {
        let pattern = random_pattern(&chance);
        // What we refuse is written as text, for it is no rule of ours.
        let yaml = format!(
            "scrape_configs: [{{job_name: j, relabel_configs: [{{action: keep, source_labels: [a], regex: {}}}]}}]",
            serde_json::to_string(&pattern).unwrap()
        );
        let ours = PrometheusConfig::from_yaml(&yaml, &ReadOptions::new("p.yml")).map(|_| ());
        let theirs = accepts(&yaml);
        assert_eq!(ours.is_ok(), theirs, "{pattern:?}, seed {seed}: {ours:?}");
        if theirs { patterns.push(pattern) } else { refused += 1 }
    }
    println!("{} patterns accepted by both, {refused} refused by both", patterns.len());
    let jobs = patterns.iter().enumerate().map(|(index, pattern)| {
        let groups =
            VALUES.iter().map(|value| TargetGroup::of_addresses("", ["x:1"]).with_label("a", *value));
        ScrapeJob::new(format!("pattern-{index} {pattern}"))
            .with_discovery(DiscoveryConfig::Static(groups.collect()))
            .with_relabel_rule(replace(&["a"], pattern, "hit", "<$0|$1|$x|$y>"))
    });
    check_targets(PrometheusConfig::of_jobs(jobs), true).await;
}

fn accepts(yaml: &str) -> bool {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), yaml).unwrap();
    let mut tool = Command::new(binary("promtool"));
    tool.args(["check", "config", "--syntax-only"]).arg(file.path());
    tool.output().unwrap().status.success()
}

/// A page whose labels meet those of its target, and a job for each way to treat them.
#[tokio::test(flavor = "multi_thread")]
async fn samples_are_those_of_prometheus() {
    let page = "# TYPE m counter\nm{job=\"mine\",x=\"1\"} 1\nm{exported_job=\"2\",job=\"1\",x=\"2\"} 2\n\
                m{instance=\"i\",env=\"page\"} 3\nn{long_label_name=\"v\"} 4\ngo_info{v=\"1\"} 5\n";
    let exporter = Loopback::start(move |_| answer(200, TEXT, page)).await;
    let job = |name: &str| {
        let group = TargetGroup::of_addresses("", [&exporter.address]).with_label("env", "prod");
        ScrapeJob::new(name)
            .with_discovery(DiscoveryConfig::Static(vec![group]))
            .with_rhythm(Duration::from_secs(1), Duration::from_secs(1))
    };
    let with = |name: &str, set: fn(&mut ScrapeJob)| {
        let mut job = job(name);
        set(&mut job);
        job
    };
    let drop = RelabelSpec::new(RelabelAction::Drop).with_source_labels(["__name__"]).with_regex("go_.*");
    let jobs = [
        job("plain"),
        with("honors", |job| job.honor_labels = true),
        job("relabels")
            .with_metric_relabel_rule(rule(drop))
            .with_metric_relabel_rule(replace(&["x"], "(.+)", "__name__", "m_$1"))
            .with_metric_relabel_rule(rule(
                RelabelSpec::new(RelabelAction::LabelDrop).with_regex("env|instance"),
            )),
        with("samples", |job| job.limits.samples_max = Some(4)),
        with("labels", |job| job.limits.labels_max = Some(5)),
        with("names", |job| job.limits.label_name_bytes_max = Some(13)),
        with("values", |job| job.limits.label_value_bytes_max = Some(3)),
        with("bodies", |job| job.limits.body_bytes_max = Some(20)),
    ];
    let config = PrometheusConfig::of_jobs(jobs);
    check_accepted(&config, &[]);
    let prometheus = Prometheus::start(&config, &["--enable-feature=extra-scrape-metrics"]);
    for job in &config.jobs {
        let mut job = job.clone();
        job.extra_scrape_metrics = true;
        let expected = our_samples(&job).await;
        let query = format!(
            "/api/v1/query?query=%7B__name__%3D~%22.%2B%22%2Cscrape_job%3D%22%22%7D&limit=0&t={}",
            job.name
        );
        let ups = usize::from(job.name != "honors");
        let found = prometheus
            .ask(&query, |data| their_samples(data, &job.name).len() >= expected.len().max(ups))
            .await;
        assert_eq!(their_samples(&found, &job.name), expected, "{}", job.name);
    }
}

/// Numbers in `le` and `quantile`, on pages of both formats.
#[tokio::test(flavor = "multi_thread")]
async fn bounds_are_written_as_in_prometheus() {
    const OPEN_METRICS: &[(&str, &str)] = &[("content-type", "application/openmetrics-text; version=1.0.0")];
    let bounds =
        ["1", "0.50", "1e3", "1000000", "0.00001", "123456.5", "-0", "nan", "+Inf", "inf", "ten", "1e999"];
    let bucket = |bound: &&str| format!("h_bucket{{n=\"{bound}\",le=\"{bound}\"}} 1\n");
    let text = format!(
        "plain{{le=\"1\",quantile=\"1\"}} 1\n# TYPE h histogram\n{}h_bucket{{n=\"q\",le=\"2\",quantile=\"1\"}} 1\n\
         other{{le=\"3\"}} 1\n# TYPE s summary\ns{{quantile=\"0.50\",le=\"2\"}} 1\n# TYPE g gauge\n\
         g{{le=\"1\",quantile=\"1\"}} 1\n",
        bounds.iter().map(bucket).collect::<String>(),
    );
    let open = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2.50\"} 1\n# TYPE s summary\n\
                s{quantile=\"1\"} 1\n# TYPE g gaugehistogram\ng_bucket{le=\"1\"} 1\n# EOF\n";
    let texts = Loopback::start(move |_| answer(200, TEXT, text.clone())).await;
    let opens = Loopback::start(move |_| answer(200, OPEN_METRICS, open)).await;
    let jobs = [("texts", &texts, 17), ("opens", &opens, 4)];
    let config = PrometheusConfig::of_jobs(jobs.map(|(name, exporter, _)| {
        let group = TargetGroup::of_addresses("", [&exporter.address]);
        ScrapeJob::new(name)
            .with_discovery(DiscoveryConfig::Static(vec![group]))
            .with_rhythm(Duration::from_secs(1), Duration::from_secs(1))
    }));
    let prometheus = Prometheus::start(&config, &[]);
    for (job, (name, _, count)) in config.jobs.iter().zip(jobs) {
        let expected = our_samples(job).await;
        let query = format!("/api/v1/query?query=%7Bjob%3D%22{name}%22%7D&limit=0");
        let found = prometheus.ask(&query, |data| their_samples(data, name).len() >= expected.len()).await;
        assert_eq!(their_samples(&found, name), expected, "{name}");
        let written = expected.iter().filter(|line| line.contains(",le=") || line.contains(",quantile="));
        assert_eq!(written.count(), count, "{expected:?}");
    }
}

/// What differs from scrape to scrape, and what only a store knows.
const VARYING: [&str; 2] = ["scrape_duration_seconds", "scrape_series_added"];

async fn our_samples(job: &ScrapeJob) -> BTreeSet<String> {
    let target = resolve(job, &job.static_groups()).active.remove(0);
    let scraped = HttpScraper::new(job, SystemClock::shared()).unwrap().scrape(&target).await;
    let mut samples = scraped.figures.samples(job, &target);
    samples.extend(scraped.outcome.unwrap_or_default());
    let constant = samples.iter().filter(|sample| !VARYING.contains(&sample.labels.name().unwrap()));
    constant
        .map(|sample| format!("{} {}", sample.labels, sample.value))
        .filter(|line| is_of(line, &job.name))
        .collect()
}

fn their_samples(data: &Value, job: &str) -> BTreeSet<String> {
    let results = data["result"].as_array().into_iter().flatten();
    let lines = results.filter_map(|result| {
        let labels = labels(&result["metric"]);
        let value: f64 = result["value"][1].as_str()?.parse().ok()?;
        (!VARYING.contains(&labels.name()?)).then(|| format!("{labels} {value}"))
    });
    lines.filter(|line| is_of(line, job)).collect()
}

/// Whether a sample is of a job. Where a page's label wins, its job may be another.
fn is_of(line: &str, job: &str) -> bool {
    let own = line.contains(&format!(",job=\"{job}\""));
    let honored = ["mine", "1"].iter().any(|name| line.contains(&format!(",job=\"{name}\"")));
    own || (job == "honors" && honored)
}
