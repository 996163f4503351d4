"""The guard of instructions: reading callgrind's profiles, and holding counts against a budget."""

import json
import shutil
from collections import Counter
from pathlib import Path

import callgrind
import instructions
import pytest

# qac_complete (complete.c) costs 10 itself and 5 more in code of core.h that was put into it. It calls `rank`
# (search.c), which costs 7 itself, 3 in code of labels.c that was put into it, and calls memcmp (20). It calls qsort,
# which costs 100, of which 30 are for calling `by_score` (complete.c) back, which costs 28 and calls `key` (search.c)
# for 2.
PROFILE = """\
version: 1
positions: line
events: Ir
summary: 145

ob=(1) /usr/bin/python3
fl=(1) ceval.c
fn=(1) eval
cob=(2) /x/qac/_native/_core.abi3.so
cfi=(2) /x/native/src/complete.c
cfn=(2) qac_complete
calls=1 5
300 145

ob=(2)
fl=(2)
fn=(2)
5 6
fi=(3) /x/native/src/core.h
9 5
fe=(2)
+1 4
cfi=(4) native/src/search.c
cfn=(3) rank.part.0
calls=1 20
6 30
cob=(3) libc.so.6
cfi=(5) msort.c
cfn=(4) qsort
calls=1 0
* 100

fl=(4)
fn=(3)
20 7
fi=(6) native/src/labels.c
44 3
fe=(4)
cob=(3)
cfi=(7) memcmp.S
cfn=(5) memcmp
calls=4 0
-1 20

fn=(7) key
30 2

fl=(2)
fn=(6) by_score
50 28
cfi=(4)
cfn=(7)
calls=1 30
51 2

ob=(3)
fl=(5)
fn=(4)
1 70
cob=(2)
cfi=(2)
cfn=(6)
calls=1 50
2 30

fl=(7)
fn=(5)
1 20

totals: 145
"""


def test_costs_count_where_they_are_caused():
    counts = callgrind.parse(PROFILE.splitlines())
    assert counts.total == sum(counts.by_file.values()) == 145
    # complete.c: 10 + 5 of the header + qsort with what it calls back 100, less the 30 of by_score, whose own 28 and
    # whose call of `key` stand for themselves; search.c: 7 + 20 of memcmp + 2.
    assert counts.by_file == {"complete.c": 10 + 5 + 100 - 30 + 28, "search.c": 7 + 20 + 2, "labels.c": 3}
    assert counts.by_function["complete.c", "qac_complete"] == 115
    assert counts.by_function["search.c", "rank"] == 27
    assert sum(counts.by_function.values()) == sum(counts.by_file.values())


def test_phases_are_files_or_groups_of_them():
    counts = callgrind.Counts(9, Counter({"compose.c": 1, "mixture.h": 2, "new.c": 4, "features.c": 2}))
    assert counts.by_phase() == {"new": 4, "composing": 3, "features": 2}


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_all_that_is_counted_is_some_files(model_path, examples, tmp_path):
    requests = tmp_path / "requests.jsonl"
    assert instructions.write_requests(examples[:5], requests) == 5
    counts = callgrind.count(model_path, requests)
    assert sum(counts.by_file.values()) == counts.total > 0
    assert {"features.c", "search.c", "complete.c"} <= counts.by_file.keys()


def test_counting_needs_valgrind(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="apt-get install valgrind"):
        callgrind.count(Path("model"), Path("requests"))


@pytest.mark.parametrize(
    ("budget", "counted", "verdict"),
    [
        (1000, 1100, "equal"),
        (1000, 1101, "over"),
        (1000, 900, "equal"),
        (1000, 899, "under"),
        (50, 149, "equal"),  # three times as much, yet less than a hundredth of all
        (50, 151, "over"),
        (0, 100, "equal"),
        (0, 101, "over"),
        (101, 0, "under"),
    ],
)
def test_a_part_is_over_or_under_by_a_tenth_of_its_budget(budget, counted, verdict):
    change = instructions.compare({"total": 10_000, "a": budget}, {"total": 10_000, "a": counted})[1]
    assert (change.part, change.verdict) == ("a", verdict)


BUDGET = {
    "measured_with": {"machine": "m1", "compiler": "gcc 1"},
    "requests": 3,
    "instructions_per_request": {"qac": {"total": 1000, "search": 600, "features": 400}},
}


@pytest.mark.parametrize(
    ("search", "code", "says"),
    [(600, 0, "equal"), (661, 1, "over budget"), (539, 0, "under budget; keep what was won")],
)
def test_over_budget_fails_and_under_asks_to_record(capsys, search, code, says):
    counted = {"qac": {"total": 400 + search, "search": search, "features": 400}}
    assert instructions.judge(BUDGET, counted, {"machine": "m1", "compiler": "gcc 2"}) == code
    out, err = capsys.readouterr()
    assert says in out + err
    assert ("compiler gcc 2, was gcc 1" in out) == (search != 600)


def test_budgets_of_other_machines_say_nothing(capsys, tmp_path):
    path = tmp_path / "budget.json"
    path.write_text(json.dumps(BUDGET))
    assert instructions.main(["--budget", str(path)]) == 0
    assert "not compared: the budget is for m1" in capsys.readouterr().out


def test_a_budget_that_is_none_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match=r"cannot read the budget .*--record makes one"):
        instructions.main(["--budget", str(tmp_path / "no.json")])


def test_the_recorded_budget_adds_up():
    recorded = json.loads(instructions.BUDGET.read_text())
    assert recorded["instructions_per_request"].keys() == instructions.VARIANTS.keys()
    for parts in recorded["instructions_per_request"].values():
        assert sum(parts.values()) == pytest.approx(2 * parts["total"], abs=len(parts))


def test_sample_requests_are_the_same_every_time():
    requests = instructions.sample_requests(20)
    assert len(requests) == 20
    assert requests == instructions.sample_requests(20)
    assert any(r.prev_queries for r in requests)
