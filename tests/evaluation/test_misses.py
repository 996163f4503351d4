from collections import Counter

import pytest

from qac.completion import Completion
from qac.evaluation import Miss, evaluate, sample_misses
from qac.examples import Example

ANSWERS = {"a": ["ab"], "b": ["bd", "be", "bf", "bc"], "c": []}


class Table:
    name = "table"

    def complete(self, prefix, prev=(), k=10):
        return [Completion(text, 0.5) for text in ANSWERS[prefix]]

    def count(self, text):
        return 3.0 if text == "bc" else 0.0


def misses(examples, n, seed=0):
    report = evaluate(Table(), examples, known=Table())
    return sample_misses(Table(), report, examples, [e.prefix for e in examples], n, seed)


def test_misses_by_hand():
    examples = [Example(("y", "x"), "a", "ab"), Example(("x",), "b", "bc"), Example((), "c", "cd")]
    found = misses(examples, 10)
    assert len(found) == 2  # "ab" was right
    by_right = {miss.right: miss for miss in found}
    first = tuple(Completion(text, 0.5) for text in ("bd", "be", "bf"))
    assert by_right["bc"] == Miss(("x",), "b", "bc", 4, 3.0, first)
    assert by_right["cd"].to_json() == {
        "prev_queries": [],
        "typed": "c",
        "right": "cd",
        "rank": None,
        "count": 0.0,
        "answers": [],
    }


def test_a_sample_is_seeded():
    examples = [Example((str(i),), "c", "cd") for i in range(200)]
    assert len(misses(examples, 5)) == 5
    assert misses(examples, 5) == misses(examples, 5) != misses(examples, 5, seed=1)


def test_what_tells_more_is_drawn_more_often():
    # one of two letters typed, against one of nine; both missing: shares of 2/3 and 2/10
    examples = [Example((), "c", "cd"), Example((), "c", "c" * 9)]
    first = Counter(misses(examples, 1, seed)[0].right for seed in range(1000))
    assert first["cd"] / 1000 == pytest.approx((2 / 3) / (2 / 3 + 2 / 10), abs=0.05)
