"""The benchmark of speed and size: a tiny run from end to end, and the figures it makes of times."""

import importlib.util
import json
import sys

import jsonschema
import parts
import pytest
import speed
import speed_tables
import speed_worker

NUMBER = {"type": "number", "exclusiveMinimum": 0}
ROUNDS = {"type": "array", "minItems": 1, "items": NUMBER}


def objects(**properties):
    return {"type": "object", "required": list(properties), "properties": properties}


def table_of(item):
    return {"type": "object", "minProperties": 1, "additionalProperties": item}


TRAINED = objects(seconds=NUMBER, cpu_seconds=NUMBER, peak_mb=NUMBER, bytes=NUMBER, open_ms=NUMBER, labels=NUMBER)
SCHEMA = objects(
    machine=objects(processor={"type": "string"}, processors=NUMBER, memory_gb=NUMBER, versions={"type": "object"}),
    settings=objects(requests=NUMBER, rounds=NUMBER, trainings=NUMBER, limit=NUMBER, preset={"type": "string"}),
    logs={
        "type": "array",
        "minItems": 1,
        "items": objects(
            log={"type": "string"},
            requests=NUMBER,
            single=table_of(objects(p50_us=NUMBER, p99_us=NUMBER, p50_rounds=ROUNDS, p99_rounds=ROUNDS)),
            bulk=table_of(objects(per_second=NUMBER, rounds=ROUNDS)),
            trained=table_of(TRAINED),
            ratios={"type": "array", "items": objects(name={"type": "string"}, ratio=NUMBER, low=NUMBER, high=NUMBER)},
        ),
    },
)


@pytest.fixture
def folder(examples, tmp_path):
    data = tmp_path / "tiny"
    data.mkdir()
    for part in ("train", "test"):
        (data / f"{part}.jsonl").write_text("".join(e.to_json() + "\n" for e in examples))
    return data


def test_a_run_without_libpecos(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(speed, "find_spec", lambda name: None)
    out = tmp_path / "speed.json"
    options = ["--requests=7", "--rounds=3", "--trainings=2", f"--out={out}"]
    assert speed.main([f"--examples={folder}", *options]) == 0
    report = json.loads(out.read_text())
    jsonschema.validate(report, SCHEMA)
    (log,) = report["logs"]
    assert (log["log"], log["requests"]) == ("tiny", 7)
    assert log["trained"].keys() == {"qac"}
    assert len(log["trained"]["qac"]["runs"]) == 2
    assert {"qac", "qac, native call", "qac, beam 10", "qac --no-compose", "mfq"} <= log["single"].keys()
    assert all(len(way["p99_rounds"]) == 3 for way in log["single"].values())
    assert log["bulk"].keys() == {
        "qac, batch",
        *(f"qac, {way} {n}" for way in ("threads", "batches on threads") for n in (1, 2)),
    }
    by = {(row["part"], row["by"]) for row in log["parts"]}
    assert {("ranker of a node", "qac"), ("ranker of a node", "scikit-learn")} < by
    printed = capsys.readouterr()
    assert "left out: libpecos" in printed.err
    assert all(f"| tiny | {way} |" in printed.out for way in [*log["single"], *log["bulk"]])


def test_requests_are_those_with_a_session(examples):
    requests = speed_worker.requests_of(examples, 5)
    assert requests == [(e.prefix, e.prev_queries) for e in examples if e.prev_queries][:5]


def test_a_way_is_warmed_up_with_other_requests(monkeypatch):
    monkeypatch.setattr(speed_worker, "WARM_UP", 0)
    asked = []
    way = speed_worker.Single(lambda n: asked.append(n), [(1,), (2,)], [(3,), (4,), (5,)])
    way.warm_up()
    assert asked == [3, 4, 5]
    assert len(way()) == 2
    assert asked[3:] == [1, 2]


def test_a_log_without_sessions_cannot_be_asked(folder, examples, capfd, monkeypatch):
    monkeypatch.setattr(speed, "find_spec", lambda name: None)
    alone = [e for e in examples if not e.prev_queries]
    (folder / "test.jsonl").write_text("".join(e.to_json() + "\n" for e in alone))
    with pytest.raises(SystemExit, match="qac failed to measure"):
        speed.main([f"--examples={folder}", "--no-parts"])
    assert "no test request has a session" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("python", "reason"), [("/no/such/python", "No such file"), (sys.executable, "No module named 'pecos'")]
)
def test_a_python_without_libpecos_is_refused(python, reason):
    if python == sys.executable and importlib.util.find_spec("pecos"):
        pytest.skip("this one has it")
    with pytest.raises(SystemExit, match=f"cannot run libpecos beside qac: .*{reason}"):
        speed.main(["--libpecos", python])


@pytest.mark.parametrize("option", ["--rounds=0", "--requests=-1", "--limit=x", "--preset=none"])
def test_wrong_options_are_refused(option, capsys):
    with pytest.raises(SystemExit) as raised:
        speed.main([option])
    assert raised.value.code == 2
    assert option.partition("=")[0] in capsys.readouterr().err


def test_percentiles_are_of_the_requests_medians():
    quick, slow = [1000] * 50 + [9000] * 50, [2000] * 100
    got = speed._percentiles([quick, slow, [4000] * 100])  # medians: 2 of the first half, 4 of the others
    assert (got["p50_us"], got["p99_us"]) == (3, 4)
    assert got["p50_rounds"] == [5, 2, 4]
    assert got["p99_rounds"] == [9, 2, 4]


def test_throughput_is_requests_by_time():
    assert speed._throughput([10**9, 5 * 10**8, 10**8], 100) == {"per_second": 200, "rounds": [100, 200, 1000]}


def test_ratios_say_how_many_times_better():
    result = {
        "single": {
            "qac": {"p50_us": 20, "p99_us": 50, "p50_rounds": [10, 20, 40], "p99_rounds": [50, 50, 50]},
            "libpecos": {"p50_us": 1000, "p99_us": 2000, "p50_rounds": [1000] * 3, "p99_rounds": [2000, 1000, 1500]},
        },
        "bulk": {
            "qac, batch": {"per_second": 200, "rounds": [100, 300, 200]},
            "libpecos, batch": {"per_second": 10, "rounds": [10, 10, 10]},
        },
        "trained": {
            "qac": {"bytes": 50, "seconds": 4.5, "runs": [{"seconds": 4}, {"seconds": 5}]},
            "libpecos": {"bytes": 100, "seconds": 9, "runs": [{"seconds": 8}, {"seconds": 20}]},
        },
    }
    ratios = {r["name"]: (r["ratio"], r["low"], r["high"], r["aim"]) for r in speed_tables.ratios(result)}
    assert ratios == {
        "request, p50": (50, 25, 100, 50),
        "request, p99": (40, 20, 40, 30),
        "requests a second of a batch, one core": (20, 10, 30, 10),
        "training, s": (2, 2, 4, 1),
        "model, bytes": (2, 2, 2, 2),
    }


def test_ranges_of_labels_by_bisection():
    prefix_range = parts.prefix_range
    labels = ["a", "ab", "abc", "b", "ü", "😀", "😀x"]
    for prefix in ["", "a", "ab", "abd", "c", "😀", "😀y", "ÿ"]:
        lo, hi = prefix_range(labels, prefix)
        assert labels[lo:hi] == [label for label in labels if label.startswith(prefix)]


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "0.012"), (0.123, "0.12"), (12.34, "12.3"), (1234.5, "1,234"), (99.99, "100.0")]
)
def test_numbers_have_three_digits_that_count(value, text):
    assert speed_tables.number(value) == text
