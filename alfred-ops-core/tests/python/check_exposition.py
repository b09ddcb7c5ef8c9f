"""Writes and reads pages of metrics with Prometheus' Python client.

    check_exposition.py write FOLDER       writes a registry to FOLDER/text and FOLDER/openmetrics
    check_exposition.py read FORMAT FILE   reads a page of FORMAT, `text` or `openmetrics`

Both print the samples as JSON: [name, labels, value, milliseconds, exemplar], floats as text.
"""

import json
import sys

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary
from prometheus_client import exposition
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics import parser as openmetrics_parser

ODD = 'a,b="c"}{\\ line\nbreak, tab\t, Größe ✓'


def registry():
    registry = CollectorRegistry()
    requests = Counter("requests", 'Says "much" \\ and\nmore', ["path"], registry=registry)
    requests.labels(ODD).inc(1e21)
    requests.labels("/x/{id}").inc(0.1, exemplar={"trace_id": "4bf9"})
    temperature = Gauge("temperature_celsius", "", ["at"], unit="celsius", registry=registry)
    for at, value in {"a": float("inf"), "b": float("-inf"), "c": float("nan"), "d": -0.0, "e": 5e-324}.items():
        temperature.labels(at).set(value)
    latency = Histogram("latency_seconds", "Latency", ["job"], buckets=[0.1, 1, 10], registry=registry)
    # Its own parser of exemplars trips over escaped quotes.
    latency.labels("backup").observe(0.5, exemplar={"trace_id": "x}y", "span": "a,b=c"})
    Summary("size_bytes", "Size", registry=registry).observe(17)
    Info("build", "Build", registry=registry).info({"version": "1.2.3"})
    Enum("leader", "Who leads", states=["yes", "no"], registry=registry).state("no")
    Gauge("http.open", "A name in quotes", ["a.b"], registry=registry).labels("c").set(3)
    return registry


def milliseconds(timestamp):
    if timestamp is None:
        return None
    if hasattr(timestamp, "nsec"):
        return timestamp.sec * 1000 + timestamp.nsec // 1_000_000
    return round(timestamp * 1000)


def exemplar(sample):
    found = sample.exemplar
    # The registry stamps exemplars with the machine's clock; only their labels and values are compared.
    return found and [found.labels, repr(float(found.value))]


def show(families):
    print(
        json.dumps(
            [
                [s.name, s.labels, repr(float(s.value)), milliseconds(s.timestamp), exemplar(s)]
                for family in families
                for s in family.samples
            ]
        )
    )


def main(command, *arguments):
    if command == "write":
        collected = registry()
        with open(f"{arguments[0]}/text", "wb") as file:
            file.write(exposition.generate_latest(collected, escaping="allow-utf-8"))
        with open(f"{arguments[0]}/openmetrics", "wb") as file:
            file.write(openmetrics.generate_latest(collected, escaping="allow-utf-8", version="1.0.0"))
        show(collected.collect())
    else:
        parser = {"text": text_parser, "openmetrics": openmetrics_parser}[arguments[0]]
        with open(arguments[1], encoding="utf-8", newline="") as file:
            show(parser.text_fd_to_metric_families(file))


main(*sys.argv[1:])
