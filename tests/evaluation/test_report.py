import math
from collections import Counter

import numpy as np
import pytest

from qac.completion import Completion
from qac.errors import InputError
from qac.evaluation import WARM_UP, evaluate
from qac.examples import Example
from qac.metrics import sentence_bleu

METRICS = {
    "n",
    "mrr@10",
    "success@1",
    "success@5",
    "success@10",
    "bleu_rr",
    "coverage",
    "composed",
    "composed_precision@1",
    "composed_precision",
    "keystrokes_saved",
}


class Known(Counter):
    """Queries and how often they were made."""

    def count(self, text):
        return self[text]


class Scripted:
    """Answers from a table, in which an asterisk marks what is composed, and remembers what it was asked."""

    name = "scripted"

    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    def complete(self, prefix, prev=(), k=10):
        self.asked.append((prefix, tuple(prev), k))
        answers = self.answers.get(prefix, [])[:k]
        return [Completion(a.strip("*"), 1.0, "composed" if a.startswith("*") else "index") for a in answers]


def requests(*rows):
    return [Example(("before",), prefix, truth, count) for prefix, truth, count in rows]


def test_a_report_by_hand():
    suggester = Scripted({"n": ["nike", "nikon"], "new ": ["new york times"], "xylophones": []})
    examples = requests(("n", "nikon", 1), ("new ", "new york times", 1), ("xylophones", "xylophones for sale", 2))
    report = evaluate(suggester, examples, known=Known(["nikon", "new york times"]), model={"labels": 7})
    result = report.to_json()

    assert suggester.asked == [("n", ("before",), 10), ("new ", ("before",), 10), ("xylophones", ("before",), 10)]
    assert set(result) == METRICS | {
        "seen",
        "unseen",
        "by_prefix_length",
        "by_previous_query",
        "by_frequency",
        "latency_us",
        "model",
    }
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
    nothing_composed = {"composed_precision@1": None, "composed_precision": None}
    assert result["unseen"] == dict.fromkeys(METRICS, 0) | nothing_composed | {"n": 1}
    assert result["model"] == {"labels": 7}


def test_groups_by_prefix_length():
    lengths = [1, 2, 3, 4, 5, 6, 8, 9, 30]
    examples = requests(*(("é" * n, "x", 1) for n in lengths))
    groups = evaluate(Scripted({}), examples, known=Known()).to_json()["by_prefix_length"]
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
    result = evaluate(Scripted({}), requests(("a", "ab", 1)), known=Known(["ab"])).to_json()
    nothing = dict.fromkeys(METRICS) | {"n": 0}
    assert result["unseen"] == nothing
    assert result["by_prefix_length"]["9+"] == nothing


def test_the_empty_prefix_is_a_group_only_where_it_was_asked():
    with_it = evaluate(Scripted({}), requests(("", "ab", 1), ("a", "ab", 1)), known=Known()).to_json()
    without = evaluate(Scripted({}), requests(("a", "ab", 1)), known=Known()).to_json()
    assert with_it["by_prefix_length"]["0"]["n"] == 1
    assert "0" not in without["by_prefix_length"]


def test_outcomes_stay_in_the_order_of_the_examples():
    report = evaluate(Scripted({"a": ["x", "ab"]}), requests(("a", "ab", 3), ("b", "ba", 1)), known=Known(["ba"]))
    assert report.name == "scripted"
    outcomes = report.outcomes
    assert len(outcomes) == 2
    assert outcomes.rank.tolist() == [2, 0]
    assert outcomes.answers.tolist() == [2, 0]
    assert outcomes.seen.tolist() == [False, True]
    assert outcomes.weight.tolist() == [3, 1]
    assert outcomes.metrics(outcomes.seen)["mrr@10"] == 0


def test_keystrokes_saved_by_hand():
    suggester = Scripted({"n": ["nike", "nikon"], "ni": ["nil", "nip", "nikon"], "nik": [], "nike": ["nike"]})
    examples = requests(("n", "nikon", 1), ("ni", "nikon", 1), ("nik", "nikon", 1), ("nike", "nike", 5))
    result = evaluate(suggester, examples, known=Known()).to_json()
    # Left to type: 4, 3, 2, 0. Picked at rank 2: saves 2. At rank 3: saves nothing. Missing; nothing left.
    assert result["keystrokes_saved"] == pytest.approx(2 / 9)
    assert result["by_prefix_length"]["1"]["keystrokes_saved"] == pytest.approx(2 / 4)
    assert result["by_prefix_length"]["4-5"]["keystrokes_saved"] is None


def test_composed_answers_by_hand():
    suggester = Scripted({"a": ["*ab", "ac"], "b": ["bc", "*bd", "*be"], "c": ["*cd", "*ce"], "d": ["de"]})
    examples = requests(("a", "ab", 1), ("b", "be", 1), ("c", "cx", 2), ("d", "de", 1))
    result = evaluate(suggester, examples, known=Known()).to_json()
    assert result["composed"] == pytest.approx((1 + 2 + 2 * 2 + 0) / 5)
    # at rank 1 three composed answers (one of weight 2), of which "ab" is right; of seven in all, "ab" and "be"
    assert result["composed_precision@1"] == pytest.approx(1 / 3)
    assert result["composed_precision"] == pytest.approx(2 / 7)
    assert result["by_prefix_length"]["1"]["composed_precision"] == pytest.approx(2 / 7)


def test_groups_by_previous_query_and_frequency():
    counts = {"once": 1, "half": 0.5, "twice": 2, "nine": 9, "ten": 10, "ninety": 99, "hundred": 100}
    examples = [Example(("never", "once"), "x", right) for right in counts]
    examples += [Example(("once", "never"), "x", "new"), Example((), "x", "new"), Example((), "x", "once")]
    result = evaluate(Scripted({}), examples, known=Known(counts)).to_json()
    sizes = {kind: {name: g["n"] for name, g in result[kind].items()} for kind in ("by_previous_query", "by_frequency")}
    assert sizes["by_previous_query"] == {"known": 7, "unknown": 1, "none": 2}
    assert sizes["by_frequency"] == {"0": 2, "1": 3, "2-9": 2, "10-99": 2, "100+": 1}
    assert all(set(group) == METRICS for kind in sizes for group in result[kind].values())
    assert result["seen"]["n"] == 8


def test_mistyped_prefixes_are_reported_apart():
    suggester = Scripted({"nk": ["nikon"], "ni": ["nike"]})
    examples = requests(("ni", "nikon", 1), ("ni", "nike", 1))
    result = evaluate(suggester, examples, known=Known(), typed=["nk", "ni"]).to_json()
    assert [prefix for prefix, *_ in suggester.asked] == ["nk", "ni"]
    assert {name: (g["n"], g["mrr@10"]) for name, g in result["by_typing"].items()} == {
        "mistyped": (1, 1),
        "clean": (1, 1),
    }
    assert result["by_prefix_length"]["2"]["n"] == 2  # of the prefix that was meant
    assert "by_typing" not in evaluate(suggester, examples, known=Known()).to_json()


def test_sessions_are_numbered_and_an_example_without_one_stands_alone():
    sessions = [7, None, 7, 3, None, 3]
    examples = [Example((), "a", "ab", session=session) for session in sessions]
    report = evaluate(Scripted({}), examples, known=Known())
    assert report.outcomes.session.tolist() == [0, 1, 0, 2, 3, 2]
    assert report.to_json(100)["bootstrap"] == {"sessions": 4, "resamples": 100, "seed": 0}


def test_intervals_stand_beside_every_metric():
    suggester = Scripted({"a": ["ab"], "b": ["x", "bc"]})
    examples = requests(*[("a", "ab", 1)] * 20, *[("b", "bc", 1)] * 20)
    report = evaluate(suggester, examples, known=Known(["ab"]))
    result = report.to_json(500)
    low, high = result["ci95"]["mrr@10"]
    assert 0.6 < low < result["mrr@10"] == 0.75 < high < 0.9
    assert result["seen"]["ci95"]["mrr@10"] == (1, 1)
    assert result["unseen"]["ci95"]["mrr@10"] == (0.5, 0.5)
    assert result["by_prefix_length"]["9+"]["ci95"] == dict.fromkeys(METRICS - {"n"})
    assert report.to_json(500) == result
    assert report.to_json(500, seed=1)["ci95"] != result["ci95"]


def test_the_fingerprint_is_that_of_the_requests():
    def fingerprint(*examples, typed=None):
        return evaluate(Scripted({}), examples, known=Known(), typed=typed).fingerprint

    example, other = requests(("a", "ab", 1), ("b", "bc", 1))
    assert fingerprint(example, other) == fingerprint(example, other)
    assert len({fingerprint(example, other), fingerprint(other, example), fingerprint(example)}) == 3
    assert fingerprint(example) != fingerprint(example, typed=["b"])


def test_answers_past_the_tenth_do_not_count():
    answers = [f"a{i}" for i in range(20)]
    result = evaluate(Scripted({"a": answers}), requests(("a", "a10", 1)), known=Known(), k=20).to_json()
    assert result["mrr@10"] == result["success@10"] == 0


@pytest.mark.parametrize(("n", "warm_up"), [(1, 0), (2, 1), (WARM_UP, WARM_UP // 2), (3 * WARM_UP, WARM_UP)])
def test_the_warm_up_is_evaluated_but_not_timed(n, warm_up):
    report = evaluate(Scripted({"a": ["ab"]}), requests(*[("a", "ab", 1)] * n), known=Known())
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
        evaluate(Scripted({}), [], known=Known())


def test_k_is_checked_before_anything_is_asked():
    suggester = Scripted({})
    with pytest.raises(InputError, match="k must be"):
        evaluate(suggester, requests(("a", "ab", 1)), known=Known(), k=0)
    assert suggester.asked == []
