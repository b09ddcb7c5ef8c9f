"""Holds Google's own libraries against the Cloud Monitoring server of this crate's tests.

Usage: check_cloud_monitoring.py ENDPOINT

Google's client for this API speaks gRPC only, so two libraries judge: the discovery client sends requests, and
refuses parameters that the API does not describe; the answers are read by the protocol buffers of the gRPC client,
which refuse unknown fields and wrong types.
"""

import json
import sys
from datetime import datetime, timedelta, timezone

import httplib2
from google.api.metric_pb2 import MetricDescriptor as Kind
from google.cloud import monitoring_v3
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

PROJECT = "projects/alfred"
START = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(days=20_000)
LOAD = 'metric.type = "custom.googleapis.com/load"'


def at(seconds):
    return (START + timedelta(seconds=seconds)).isoformat()


def connect(endpoint):
    return build(
        "monitoring",
        "v3",
        http=httplib2.Http(timeout=20),
        static_discovery=True,
        client_options={"api_endpoint": endpoint},
        cache_discovery=False,
    )


def ask(client, filter, start=0, end=180, **more):
    request = client.projects().timeSeries().list(
        name=PROJECT, filter=filter, interval_startTime=at(start), interval_endTime=at(end), **more
    )
    answer = request.execute()
    return monitoring_v3.ListTimeSeriesResponse.from_json(json.dumps(answer), ignore_unknown_fields=False)


def values(series):
    return [(point.interval.end_time - START).total_seconds() for point in series.points], [
        point.value.int64_value or point.value.double_value for point in series.points
    ]


def refused(status, call):
    try:
        call()
    except HttpError as error:
        assert error.status_code == status, error
        assert error.reason, error
        return
    raise AssertionError(f"{status} was not raised")


def check_points(client):
    a, b = ask(client, LOAD).time_series
    assert a.metric.type == "custom.googleapis.com/load" and a.resource.type == "generic_task"
    assert a.resource.labels == {"project_id": "alfred", "task_id": "a"}, a.resource.labels
    assert b.metric.labels == {"zone": "x"}, b.metric.labels
    assert a.metric_kind == Kind.GAUGE and a.value_type == Kind.INT64, a
    # Newest first; the window is open at its start.
    assert values(a) == ([180, 120, 60], [3, 2, 1]), values(a)
    assert values(ask(client, LOAD, start=60, end=120).time_series[0]) == ([120], [2])
    assert not ask(client, LOAD, start=1000, end=2000).time_series
    headers = ask(client, LOAD, view="HEADERS").time_series
    assert len(headers) == 2 and not headers[0].points, headers


def check_filters(client):
    for more, names in [
        ('resource.labels.task_id = "b"', "b"),
        ('metric.labels.zone = "x" OR resource.label.task_id = starts_with("a")', "ab"),
        ('resource.type = "generic_task" AND metric.labels.zone != "x"', "a"),
    ]:
        found = ask(client, f"{LOAD} AND ({more})").time_series
        assert [series.resource.labels["task_id"] for series in found] == list(names), (more, found)


def check_pages(client):
    pages, token = [], None
    while token != "":
        page = ask(client, LOAD, pageSize=3, pageToken=token)
        pages.append([len(series.points) for series in page.time_series])
        token = page.next_page_token
    assert pages == [[3], [1]], pages


def check_distributions(client):
    (series,) = ask(client, 'metric.type = "custom.googleapis.com/latency"').time_series
    assert series.metric_kind == Kind.CUMULATIVE and series.value_type == Kind.DISTRIBUTION, series
    (point,) = series.points
    assert point.interval.start_time < point.interval.end_time, point
    found = point.value.distribution_value
    assert (found.count, found.mean, list(found.bucket_counts)) == (3, 1.5, [1, 2]), found
    assert list(found.bucket_options.explicit_buckets.bounds) == [1, 2], found


def check_aggregation(client):
    rate = {"aggregation_alignmentPeriod": "120s", "aggregation_perSeriesAligner": "ALIGN_RATE"}
    (series,) = ask(client, 'metric.type = "custom.googleapis.com/done"', **rate).time_series
    assert series.metric_kind == Kind.GAUGE and series.value_type == Kind.DOUBLE, series
    assert values(series) == ([180], [0.75]), values(series)
    (series,) = ask(
        client,
        LOAD,
        aggregation_alignmentPeriod="60s",
        aggregation_perSeriesAligner="ALIGN_MAX",
        aggregation_crossSeriesReducer="REDUCE_SUM",
        aggregation_groupByFields=["resource.labels.project_id"],
    ).time_series
    assert values(series) == ([180, 120, 60], [3, 42, 1]), values(series)


def check_refusals(client):
    refused(404, lambda: ask(client, 'metric.type = "custom.googleapis.com/none"'))
    refused(400, lambda: ask(client, 'resource.type = "generic_task"'))
    refused(400, lambda: ask(client, f"{LOAD} AND nonsense"))
    refused(400, lambda: ask(client, LOAD, start=180, end=0))
    short = {"aggregation_alignmentPeriod": "10s", "aggregation_perSeriesAligner": "ALIGN_MAX"}
    refused(400, lambda: ask(client, LOAD, **short))
    refused(400, lambda: ask(client, LOAD, aggregation_crossSeriesReducer="REDUCE_SUM"))


def main():
    client = connect(sys.argv[1])
    checks = [
        check_points,
        check_filters,
        check_pages,
        check_distributions,
        check_aggregation,
        check_refusals,
    ]
    for check in checks:
        check(client)
    print(f"{len(checks)} checks passed")


if __name__ == "__main__":
    main()
