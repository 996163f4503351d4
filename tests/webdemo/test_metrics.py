import os
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from qac.webdemo.metrics import BUCKETS, Metrics


def samples(text):
    """Return what the official parser reads: values by name and labels."""
    return {
        (s.name, *sorted(s.labels.items())): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


@pytest.fixture
def scrape(client):
    """Return the samples of an application's metrics."""
    return lambda: samples(client.get("/metrics").text)


def test_requests_and_completions_are_counted(client, scrape):
    for query in ("prefix=n&k=3", "prefix=nkion&k=1", "prefix=zzzzqqqq&k=1"):
        client.get(f"/api/v1/complete?{query}")
    client.get("/api/v1/complete?k=0")
    client.post("/api/v1/complete/batch", json={"requests": [{"prefix": "n", "k": 2}] * 3})
    got = scrape()
    complete = ("endpoint", "complete")
    assert got["qac_requests_total", complete, ("status", "200")] == 3
    assert got["qac_requests_total", complete, ("status", "400")] == 1
    assert got["qac_requests_total", ("endpoint", "batch"), ("status", "200")] == 1
    assert got["qac_request_duration_seconds_count", complete] == 4
    assert got["qac_request_duration_seconds_bucket", complete, ("le", "+Inf")] == 4
    assert got["qac_request_duration_seconds_sum", complete] > 0
    sources = ("index", "session", "composed", "corrected")
    completions = {s: got["qac_completions_total", ("source", s)] for s in sources}
    assert completions["index"] >= 9
    assert completions["corrected"] == 1
    client.get("/healthz")
    assert scrape()["qac_requests_total", ("endpoint", "other"), ("status", "200")] == 2  # that, and the metrics before


def test_answers_without_completions_are_counted(make_client):
    client = make_client(compose=False, correct=False)
    client.get("/api/v1/complete?prefix=zzz")
    assert samples(client.get("/metrics").text)["qac_empty_answers_total",] == 1


def test_latencies_fall_into_the_bucket_that_bounds_them():
    metrics = Metrics()
    for nanoseconds in (1, 100_000, 100_001, 3_000_000, 10**10):
        metrics.count_request("complete", 200, nanoseconds)
    counts = [metrics.total("latency", "complete", str(i)) for i in range(len(BUCKETS) + 1)]
    assert counts == [2, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert metrics.total("nanoseconds", "complete") == 10**10 + 3_200_002


def test_statuses_that_are_rare_are_counted_together():
    metrics = Metrics()
    metrics.count_request("page", 418, 5)
    assert metrics.total("requests", "page", "other") == 1


def test_processes_and_threads_count_together_and_what_died_stays_counted():
    metrics = Metrics(2)

    def count():
        for _ in range(2000):
            metrics.count_request("complete", 200, 7)

    for slot in (0, 1, 1):  # the third process takes over where the second died
        child = os.fork()
        if child == 0:
            metrics.use(slot)
            threads = [threading.Thread(target=count) for _ in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            os._exit(0)
        if slot:
            os.waitpid(child, 0)
        else:
            first = child
    os.waitpid(first, 0)
    assert metrics.total("requests", "complete", "200") == 3 * 4 * 2000
    assert metrics.total("nanoseconds", "complete") == 3 * 4 * 2000 * 7


def test_the_model_is_described(client, scrape):
    got = scrape()
    version = client.get("/readyz").get_json()["model"]
    assert [key for key in got if key[0] == "qac_model_info" and ("model", version) in key]
    assert got["qac_model_queries",] == client.get("/readyz").get_json()["queries"]
    assert got["qac_model_age_seconds",] >= 0
    assert got["qac_file_refused", ("file", "model")] == 0


def test_the_content_type_is_prometheus_s(client):
    assert client.get("/metrics").headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
