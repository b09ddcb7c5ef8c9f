//! Typed targets as jobs of a Prometheus.

use std::collections::BTreeMap;

use alfred_ops_core::exposition::Limits;
use alfred_ops_core::http::Endpoint;
use alfred_ops_core::{Error, ErrorKind, Result, Secret};
use reqwest::Url;

use super::{Origin, Target};
use crate::job::{Authentication, Credential, DiscoveryConfig, Scheme, ScrapeJob, TargetGroup};

/// These targets as jobs that a Prometheus can be given, so that it scrapes what this process scrapes.
///
/// Targets of one job that are scraped alike become one job; where one is scraped differently it becomes a job
/// of its own, named `JOB-2` and so on, whose samples carry the label `job` as before. Limits are written where
/// they are not the default.
///
/// # Errors
/// `Unsupported` for a target in this process, which no Prometheus can reach; `InvalidInput` for a URL that is
/// none.
pub fn scrape_jobs(targets: &[Target]) -> Result<Vec<ScrapeJob>> {
    jobs_of(targets, "write targets for Prometheus")
}

/// The same within another `operation`.
pub(crate) fn jobs_of<'t>(
    targets: impl IntoIterator<Item = &'t Target>,
    operation: &'static str,
) -> Result<Vec<ScrapeJob>> {
    let mut alike: Vec<(ScrapeJob, Vec<TargetGroup>)> = Vec::new();
    for target in targets {
        let (job, group) = one(target, operation).map_err(|error| error.with_target(named(target)))?;
        match alike.iter_mut().find(|(known, _)| *known == job) {
            Some((_, groups)) => groups.push(group),
            None => alike.push((job, vec![group])),
        }
    }
    let mut jobs: Vec<ScrapeJob> = Vec::with_capacity(alike.len());
    for (mut job, mut groups) in alike {
        let name = free_name(&job.name, &jobs);
        if name != job.name {
            groups = groups.into_iter().map(|group| group.with_label("job", &job.name)).collect();
            job.name = name;
        }
        jobs.push(job.with_discovery(DiscoveryConfig::Static(groups)));
    }
    Ok(jobs)
}

fn free_name(wanted: &str, jobs: &[ScrapeJob]) -> String {
    let taken = |name: &str| jobs.iter().any(|job| job.name == name);
    let mut name = wanted.to_owned();
    let mut number = 2_usize;
    while taken(&name) {
        name = format!("{wanted}-{number}");
        number += 1;
    }
    name
}

/// The job of one target, without a place where it is found, and the group of that target.
fn one(target: &Target, operation: &'static str) -> Result<(ScrapeJob, TargetGroup)> {
    let config = &target.config;
    let mut job = ScrapeJob::new(&target.job).with_rhythm(config.interval, config.timeout);
    let limits = Limits::default();
    let changed = |limit: usize, default: usize| {
        Some(u64::try_from(limit).unwrap_or(u64::MAX)).filter(|_| limit != default)
    };
    job.limits.body_bytes_max = changed(config.limits.bytes_max, limits.bytes_max);
    job.limits.samples_max = changed(config.limits.samples_max, limits.samples_max);
    let address = match &target.origin {
        Origin::Instance => {
            job.metrics_path.clone_from(&config.metrics_path);
            Endpoint::public(&format!("http://{}{}", target.instance, config.metrics_path), operation)?;
            target.instance.clone()
        }
        Origin::Url(url) => take_url(&mut job, &Endpoint::public(url.expose(), operation)?.url()),
        Origin::Source(_) => {
            return Err(Error::new(ErrorKind::Unsupported, operation, "the target lives in this process")
                .with_remedy("expose its metrics over HTTP or leave it out"));
        }
    };
    let mut group = TargetGroup::of_addresses("0", [&address]);
    group.labels.clone_from(&config.labels);
    if address != target.instance {
        group = group.with_label("instance", &target.instance);
    }
    Ok((job, group))
}

fn named(target: &Target) -> String {
    format!("{}/{}", target.job, target.instance)
}

/// Spreads a URL over the job's fields and returns host and port.
fn take_url(job: &mut ScrapeJob, url: &Url) -> String {
    job.scheme = if url.scheme() == "https" { Scheme::Https } else { Scheme::Http };
    let host = url.host_str().unwrap_or_default();
    if !url.username().is_empty() {
        let inline = |text: &str| Credential::Inline(Secret::new(decoded(text)));
        let password = url.password().map(inline);
        job.http.authentication = Authentication::Basic { username: inline(url.username()), password };
    }
    job.metrics_path = decoded(url.path());
    let mut params: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url.query_pairs() {
        params.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    job.params = params;
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The text with `%XX` undone.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let code = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (code, after.get(2..)) {
            (Some(code), Some(behind)) => {
                bytes.push(code);
                rest = behind;
            }
            _ => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use alfred_ops_core::ClosureSource;

    use super::*;
    use crate::scrape::ScrapeConfig;
    use crate::targets::resolve;

    #[test]
    fn targets_become_jobs_that_scrape_the_same() {
        let quick = ScrapeConfig::default().with_interval(Duration::from_secs(10)).with_label("env", "prod");
        let targets = [
            Target::new("agents", "a:1"),
            Target::new("agents", "b:1").with_config(ScrapeConfig::default().with_label("env", "test")),
            Target::new("agents", "c:1").with_config(quick),
            Target::new("db", "postgres").with_url("https://us%3Aer:pa+ss@db:9187/x%20y&z=%25?a=1&b=2+3&a=4"),
        ];
        let jobs = scrape_jobs(&targets).unwrap();
        let names: Vec<&str> = jobs.iter().map(|job| &*job.name).collect();
        assert_eq!(names, ["agents", "agents-2", "db"]);
        let scraped: Vec<String> = jobs
            .iter()
            .flat_map(|job| resolve(job, &job.static_groups()).active)
            .map(|target| format!("{} {} {:?}", target.labels, target.url(), target.interval))
            .collect();
        assert_eq!(
            scraped,
            [
                "{instance=\"a:1\",job=\"agents\"} http://a:1/metrics 15s",
                "{env=\"test\",instance=\"b:1\",job=\"agents\"} http://b:1/metrics 15s",
                "{env=\"prod\",instance=\"c:1\",job=\"agents\"} http://c:1/metrics 10s",
                "{instance=\"postgres\",job=\"db\"} https://db:9187/x%20y&z=%25?a=1&a=4&b=2+3 15s",
            ]
        );
        let expected = Authentication::Basic {
            username: Credential::Inline(Secret::new("us:er")),
            password: Some(Credential::Inline(Secret::new("pa+ss"))),
        };
        assert_eq!(jobs[2].http.authentication, expected);
    }

    #[test]
    fn a_target_that_no_prometheus_reaches_is_refused() {
        let source = Arc::new(ClosureSource::new("here", || Ok(Vec::new())));
        let error = scrape_jobs(&[Target::in_process("db", "here", source)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "write targets for Prometheus (db/here): the target lives in this process; \
             expose its metrics over HTTP or leave it out"
        );
        let error = scrape_jobs(&[Target::new("db", "a").with_url("ftp://u:hunter2@a")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(!error.full().contains("hunter"), "{error}");
    }
}
