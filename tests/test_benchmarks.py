"""The table of systems of benchmarks/; what they are worth is measured there, not here."""

import json
import sys
from xml.etree import ElementTree

import pytest
import scale
import sharing
import systems

from qac.config import TrainingConfig
from qac.examples import normalize_examples, read_examples


def test_every_ablation_changes_something():
    configs = [TrainingConfig(), *(change(TrainingConfig()) for change in systems.ABLATIONS.values())]
    assert all(a != b for i, a in enumerate(configs) for b in configs[:i])


def test_names_are_of_one_system_each():
    names = [name for group in systems.groups().values() for name in group]
    assert len(set(names)) == len(names)
    assert {"mfq", "cooc", "qac", "qac --no-compose"} < set(names)


def test_a_log_of_any_size_is_the_same_every_time_and_has_that_many_queries(tmp_path):
    for name in ("one", "two"):
        scale.write_log(2000, tmp_path / name, quiet=True)
    train = (tmp_path / "one" / "train.jsonl").read_bytes()
    assert train == (tmp_path / "two" / "train.jsonl").read_bytes()
    examples = list(read_examples(tmp_path / "one" / "train.jsonl"))
    assert list(normalize_examples(examples)) == examples
    assert sum(bool(e.prev_queries) for e in examples) >= 3 * 2000
    assert 1500 < len({q for e in examples for q in (*e.prev_queries, e.next_query)}) < 2500
    assert all(e.next_query.startswith(e.prefix) and e.prefix for e in examples)
    assert all(e.prev_queries[-1] != e.next_query for e in examples if e.prev_queries)


def test_a_size_is_measured_and_drawn(tmp_path):
    result = json.loads(json.dumps(scale.measure(500, tmp_path, 0, 100)))
    assert result["ask"]["session"]["n"] == 100
    assert result["ask"]["session"]["mrr@10"] > result["ask"]["none"]["mrr@10"]
    assert len(scale.table([result]).splitlines()) == 3
    picture = ElementTree.fromstring(scale.picture([result]))
    assert sum("title" in e.get("class", "") for e in picture.iter("{http://www.w3.org/2000/svg}text")) == 7


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_what_processes_share_counts_once(model_path, example_file):
    one, three = (sharing.measure(model_path, example_file, n, 20) for n in (1, 3))
    assert one["proportional_mb"] <= one["resident_mb"]
    assert three["resident_mb"] > 2 * one["resident_mb"]
    assert three["proportional_mb"] < three["resident_mb"]
