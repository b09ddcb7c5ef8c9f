//! Pages like those of the usual exporters.

use std::fmt::Write as _;

/// The page of a target at a step: 9,893 series of counters, gauges, histograms and states.
pub(super) fn page(target: usize, step: usize) -> String {
    let mut page = String::with_capacity(1 << 20);
    let grown = |series: usize| (step + 1) * (1 + series % 17) + series;
    let mut series = 0;
    let mut line = |page: &mut String, text: std::fmt::Arguments<'_>, value: f64| {
        series += 1;
        let _ = writeln!(page, "{text} {value}");
    };
    page.push_str("# TYPE node_cpu_seconds_total counter\n");
    for cpu in 0..64 {
        for (place, mode) in
            ["idle", "user", "system", "iowait", "irq", "nice", "softirq", "steal"].iter().enumerate()
        {
            let value = (grown(cpu * 8 + place) * 37) as f64 / 100.0;
            line(&mut page, format_args!("node_cpu_seconds_total{{cpu=\"{cpu}\",mode=\"{mode}\"}}"), value);
        }
    }
    page.push_str("# TYPE http_requests_total counter\n");
    for handler in 0..40 {
        for (place, code) in ["200", "201", "400", "404", "500", "503"].iter().enumerate() {
            let value = grown(handler * 6 + place) as f64;
            line(
                &mut page,
                format_args!("http_requests_total{{handler=\"/api/v{handler}/{{id}}\",code=\"{code}\"}}"),
                value,
            );
        }
    }
    page.push_str("# TYPE http_request_duration_seconds histogram\n");
    for handler in 0..200 {
        for (place, le) in
            ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"]
                .iter()
                .enumerate()
        {
            let value = (grown(handler) * (place + 1)) as f64;
            let text = format_args!(
                "http_request_duration_seconds_bucket{{handler=\"/api/v{handler}/{{id}}\",le=\"{le}\"}}"
            );
            line(&mut page, text, value);
        }
        line(
            &mut page,
            format_args!("http_request_duration_seconds_sum{{handler=\"/api/v{handler}/{{id}}\"}}"),
            grown(handler) as f64 * 0.125,
        );
        line(
            &mut page,
            format_args!("http_request_duration_seconds_count{{handler=\"/api/v{handler}/{{id}}\"}}"),
            (grown(handler) * 12) as f64,
        );
    }
    for pod in 0..700 {
        let namespace = pod % 25;
        let labels = format!("namespace=\"ns{namespace}\",pod=\"service-{pod}-7d9f\",container=\"main\"");
        let memory = (200_000_000 + ((pod * 7919 + step * 104_729) % 50_000) * 4096) as f64;
        line(&mut page, format_args!("container_memory_working_set_bytes{{{labels}}}"), memory);
        line(&mut page, format_args!("container_spec_memory_limit_bytes{{{labels}}}"), 536_870_912.0);
        line(
            &mut page,
            format_args!("container_cpu_usage_seconds_total{{{labels}}}"),
            (grown(pod) * 13) as f64 / 1000.0,
        );
        line(
            &mut page,
            format_args!("kube_pod_container_status_restarts_total{{{labels}}}"),
            (pod % 3) as f64,
        );
        for phase in ["Pending", "Running", "Succeeded", "Failed", "Unknown"] {
            let value = if phase == "Running" { 1.0 } else { 0.0 };
            line(
                &mut page,
                format_args!(
                    "kube_pod_status_phase{{namespace=\"ns{namespace}\",pod=\"service-{pod}-7d9f\",phase=\"{phase}\"}}"
                ),
                value,
            );
        }
    }
    for disk in 0..20 {
        let labels = format!("device=\"/dev/sd{disk}\",mountpoint=\"/data/{disk}\",fstype=\"ext4\"");
        line(&mut page, format_args!("node_filesystem_size_bytes{{{labels}}}"), 1e12);
        line(
            &mut page,
            format_args!("node_filesystem_avail_bytes{{{labels}}}"),
            5e11 - (step * 4096 * (disk + 1)) as f64,
        );
    }
    line(&mut page, format_args!("process_start_time_seconds"), 1.7e9 + target as f64);
    page
}
