import json

import pytest

from qac.completion import Completion
from qac.errors import InputError
from qac.evaluation import compare, evaluate, load_report, save_report
from qac.examples import Example


class Table:
    """Answers from a table; knows "ab", made once, and "bc", made twice."""

    def __init__(self, name, answers):
        self.name = name
        self.answers = answers

    def complete(self, prefix, prev=(), k=10):
        return [Completion(text, 1.0) for text in self.answers.get(prefix, [])]

    def count(self, text):
        return {"ab": 1.0, "bc": 2.0}.get(text, 0.0)


@pytest.fixture
def examples():
    """Return thirty requests of ten sessions, for "ab", "bc" and "cd" in turn."""
    return [Example(("x",), "abc"[i % 3], ("ab", "bc", "cd")[i % 3], session=i // 3) for i in range(30)]


@pytest.fixture
def reports(examples):
    """Return two reports on ``examples``: the second system also knows "cd"."""
    worse = Table("worse", {"a": ["ab"], "b": ["bd", "bc"]})
    better = Table("better", {"a": ["ab"], "b": ["bd", "bc"], "c": ["cd"]})
    return [evaluate(table, examples, known=table, model={"labels": 3}) for table in (worse, better)]


@pytest.fixture
def edit(tmp_path):
    """Return a function that changes a JSON file: ``edit(path, change)`` gives the changed file's path."""

    def change_file(path, change):
        record = json.loads(path.read_text(encoding="utf-8"))
        change(record)
        changed = tmp_path / "changed.json"
        changed.write_text(json.dumps(record), encoding="utf-8")
        return changed

    return change_file


def test_a_comparison_by_hand(reports):
    result = compare(*reports, resamples=500)
    assert (result["a"]["name"], result["b"]["name"]) == ("worse", "better")
    assert (result["sessions"], result["resamples"], result["seed"], result["n"]) == (10, 500, 0, 30)
    mrr = result["mrr@10"]
    assert (mrr["a"], mrr["b"]) == (pytest.approx(0.5), pytest.approx((1 + 1 / 2 + 1) / 3))
    assert mrr["difference"] == pytest.approx(1 / 3)
    # every session gains the same: no doubt about how much; exchanged all or none: 2 of 1024
    assert mrr["ci95"] == pytest.approx((1 / 3, 1 / 3))
    assert mrr["p"] < 0.02
    assert result["seen"]["mrr@10"]["difference"] == 0
    assert result["seen"]["mrr@10"]["p"] == 1
    assert result["unseen"]["mrr@10"]["difference"] == 1
    assert result["by_frequency"]["2-9"]["n"] == 10
    nothing = {"a": None, "b": None, "difference": None, "ci95": None, "p": None}
    assert result["by_prefix_length"]["9+"]["mrr@10"] == nothing
    json.dumps(result, allow_nan=False)


def test_a_comparison_the_other_way_round(reports):
    there, back = compare(*reports, resamples=200), compare(*reversed(reports), resamples=200)
    assert back["mrr@10"]["difference"] == -there["mrr@10"]["difference"]
    assert back["mrr@10"]["p"] == there["mrr@10"]["p"]


def test_different_requests_are_refused(examples, reports):
    silent = Table("silent", {})
    for other, what in (
        (evaluate(silent, examples[1:], known=silent), "different examples"),
        (evaluate(silent, examples, known=silent, typed=["z"] * 30), "different examples"),
        (evaluate(silent, examples, known=silent, k=5), "k = 10 and k = 5"),
    ):
        with pytest.raises(InputError, match=f"worse and silent were asked {what} and do not compare; evaluate both"):
            compare(reports[0], other)


def test_a_saved_report_is_read_back_as_it_was(tmp_path, reports):
    path = tmp_path / "a.json"
    save_report(reports[0], path)
    loaded = load_report(path)
    assert loaded.to_json(100) == reports[0].to_json(100)
    assert compare(loaded, reports[1], 100) == compare(*reports, 100)


def test_a_saved_report_holds_no_texts(tmp_path, reports):
    save_report(reports[1], tmp_path / "a.json")
    content = (tmp_path / "a.json").read_text()
    assert not any(f'"{text}"' in content for text in ("ab", "bc", "cd", "x"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("format"), "no saved report of this version"),
        (lambda r: r.update(format="qac report 2"), "no saved report of this version"),
        (lambda r: r.pop("name"), "is damaged .*'name'"),
        (lambda r: r.update(k="ten"), "is damaged .*expected int, got 'ten'"),
        (lambda r: r["outcomes"].pop("rank"), "is damaged .*'rank'"),
        (lambda r: r["outcomes"]["rank"].pop(), "is damaged .*differ in length"),
        (lambda r: r["outcomes"].update(rank=["one"] * 30), "is damaged"),
        (lambda r: r["outcomes"].update(rank=[1 << 40] * 30), "is damaged"),
        (lambda r: r["outcomes"].update(session=[-1] * 30), "is damaged .*not numbered"),
        (lambda r: r["outcomes"].update(session=[5] * 30), "is damaged .*not numbered"),
        (lambda r: r.update(outcomes=[]), "is damaged"),
        (lambda r: r.update(outcomes={name: [] for name in r["outcomes"]}), "is damaged"),
    ],
)
def test_a_damaged_report_is_refused(tmp_path, reports, edit, change, message):
    path = tmp_path / "a.json"
    save_report(reports[0], path)
    with pytest.raises(InputError, match=message) as e:
        load_report(edit(path, change))
    assert "qac eval --save" in str(e.value)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("content", ["", "[]", "nonsense", "[" * 100_000, "\x80"])
def test_what_is_no_report_is_refused(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match="qac eval --save"):
        load_report(path)
    with pytest.raises(InputError, match=r"cannot read .*missing"):
        load_report(tmp_path / "missing.json")
