import math

import numpy as np
import pytest

from qac.completion import Completion
from qac.errors import InputError
from qac.evaluation import WARM_UP, evaluate
from qac.examples import Example
from qac.metrics import sentence_bleu

METRICS = {"n", "mrr@10", "success@1", "success@5", "success@10", "bleu_rr", "coverage"}


class Scripted:
    """Answers from a table, and remembers what it was asked."""

    name = "scripted"

    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    def complete(self, prefix, prev=(), k=10):
        self.asked.append((prefix, tuple(prev), k))
        return [Completion(text, 1.0) for text in self.answers.get(prefix, [])[:k]]


def requests(*rows):
    return [Example(("before",), prefix, truth, count) for prefix, truth, count in rows]


def test_a_report_by_hand():
    suggester = Scripted({"n": ["nike", "nikon"], "new ": ["new york times"], "xylophones": []})
    examples = requests(("n", "nikon", 1), ("new ", "new york times", 1), ("xylophones", "xylophones for sale", 2))
    report = evaluate(suggester, examples, known={"nikon", "new york times"}, model={"labels": 7})
    result = report.to_json()

    assert suggester.asked == [("n", ("before",), 10), ("new ", ("before",), 10), ("xylophones", ("before",), 10)]
    assert set(result) == METRICS | {"seen", "unseen", "by_prefix_length", "latency_us", "model"}
    assert result["n"] == 3
    # the third example weighs two
    assert result["mrr@10"] == pytest.approx((0.5 + 1 + 0 + 0) / 4)
    assert result["success@1"] == pytest.approx(1 / 4)
    assert result["success@5"] == result["success@10"] == pytest.approx(2 / 4)
    assert result["coverage"] == pytest.approx(2 / 4)
    second = sentence_bleu("nikon", "nikon") / 2 / (1 + 1 / 2)
    assert result["bleu_rr"] == pytest.approx((second + sentence_bleu("new york times", "new york times")) / 4)
    assert result["seen"]["n"] == 2
    assert result["seen"]["mrr@10"] == pytest.approx(0.75)
    assert result["unseen"] == dict.fromkeys(METRICS, 0) | {"n": 1}
    assert result["model"] == {"labels": 7}


def test_groups_by_prefix_length():
    lengths = [1, 2, 3, 4, 5, 6, 8, 9, 30]
    examples = requests(*(("é" * n, "x", 1) for n in lengths))
    groups = evaluate(Scripted({}), examples, known=()).to_json()["by_prefix_length"]
    assert {name: group["n"] for name, group in groups.items()} == {
        "1": 1,
        "2": 1,
        "3": 1,
        "4-5": 2,
        "6-8": 2,
        "9+": 2,
    }
    assert all(set(group) == METRICS for group in groups.values())


def test_a_group_without_requests_has_no_metrics():
    result = evaluate(Scripted({}), requests(("a", "ab", 1)), known={"ab"}).to_json()
    nothing = dict.fromkeys(METRICS) | {"n": 0}
    assert result["unseen"] == nothing
    assert result["by_prefix_length"]["9+"] == nothing


def test_the_empty_prefix_is_a_group_only_where_it_was_asked():
    with_it = evaluate(Scripted({}), requests(("", "ab", 1), ("a", "ab", 1)), known=()).to_json()
    without = evaluate(Scripted({}), requests(("a", "ab", 1)), known=()).to_json()
    assert with_it["by_prefix_length"]["0"]["n"] == 1
    assert "0" not in without["by_prefix_length"]


def test_outcomes_stay_in_the_order_of_the_examples():
    report = evaluate(Scripted({"a": ["x", "ab"]}), requests(("a", "ab", 3), ("b", "ba", 1)), known={"ba"})
    assert report.name == "scripted"
    outcomes = report.outcomes
    assert len(outcomes) == 2
    assert outcomes.rank.tolist() == [2, 0]
    assert outcomes.answers.tolist() == [2, 0]
    assert outcomes.seen.tolist() == [False, True]
    assert outcomes.weight.tolist() == [3, 1]
    assert outcomes.metrics(outcomes.seen)["mrr@10"] == 0


def test_answers_past_the_tenth_do_not_count():
    answers = [f"a{i}" for i in range(20)]
    result = evaluate(Scripted({"a": answers}), requests(("a", "a10", 1)), known=(), k=20).to_json()
    assert result["mrr@10"] == result["success@10"] == 0


@pytest.mark.parametrize(("n", "warm_up"), [(1, 0), (2, 1), (WARM_UP, WARM_UP // 2), (3 * WARM_UP, WARM_UP)])
def test_the_warm_up_is_evaluated_but_not_timed(n, warm_up):
    report = evaluate(Scripted({"a": ["ab"]}), requests(*[("a", "ab", 1)] * n), known=())
    assert report.warm_up == warm_up
    assert report.outcomes.metrics()["mrr@10"] == 1
    assert (report.outcomes.latency_ns > 0).all()
    report.outcomes.latency_ns[:warm_up] = 10**12
    report.outcomes.latency_ns[warm_up:] = np.arange(n - warm_up)
    latency = report.latency_us()
    assert list(latency) == ["p50", "p95", "p99"]
    assert latency["p50"] == pytest.approx((n - warm_up - 1) / 2 / 1000)
    assert latency["p50"] <= latency["p95"] <= latency["p99"] < math.inf


def test_nothing_to_evaluate_is_refused():
    with pytest.raises(InputError, match="no examples to ask"):
        evaluate(Scripted({}), [], known=())


def test_k_is_checked_before_anything_is_asked():
    suggester = Scripted({})
    with pytest.raises(InputError, match="k must be"):
        evaluate(suggester, requests(("a", "ab", 1)), known=(), k=0)
    assert suggester.asked == []
