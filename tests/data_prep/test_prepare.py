"""Whole preparations, against examples worked out by hand."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qac.data_prep import PrepOptions, ReaderOptions, prepare
from qac.errors import InputError
from qac.examples import read_examples

Log = Callable[..., str]
Prep = Callable[..., Any]


def shown(examples: list[dict[str, Any]]) -> list[tuple[list[str], str]]:
    """Return history and next query of examples."""
    return [(e.get("prev_queries") or [e["prev_query"]][: bool(e["prev_query"])], e["next_query"]) for e in examples]


def test_by_hand(log: Log, prep: Prep) -> None:
    # One user per session start, ten sessions: eight train, one valid, one test. Rows are shuffled on purpose.
    rows = [
        "ann\t1970-01-01T00:10:00\tRed  SHOES",
        "ann\t1970-01-01T00:00:00\tshoes",
        "ann\t1970-01-01T00:05:00\tShoes ",  # same as before, once cleaned
        "ann\t1970-01-01T00:11:00\t \u00a0 ",  # empty, once cleaned
        "ann\t1970-01-01T00:12:00\tboots",
        "bob\t1970-01-01T00:01:00\tshoes",
        "bob\t1970-01-01T00:31:00\thats",  # exactly half an hour: the same session
        "bob\t1970-01-01T01:01:01\tcoats",  # a second more: another
        "bob\t1970-01-01T01:02:00\t" + "x" * 201,
        "bob\t1970-01-01T01:03:00\tred coats",
        *(f"u{i}\t1970-01-01T0{i}:00:00\tq{i}" for i in range(2, 8)),
        "zoe\t1970-01-02T00:00:00\tvalid first",
        "zoe\t1970-01-02T00:00:01\tvalid next",
    ]
    path = log("\n".join(rows))
    stats, parts = prep(path, split="8/1/1")
    train = {json.dumps(e) for e in shown(parts["train"])}
    assert train == {
        json.dumps(e)
        for e in [
            ([], "shoes"),
            (["shoes"], "red shoes"),
            (["shoes", "red shoes"], "boots"),
            (["shoes"], "hats"),
            ([], "coats"),
            (["coats"], "red coats"),
            *(([], f"q{i}") for i in range(2, 7)),
        ]
    }
    assert len(parts["train"]) == 12  # "shoes" began two sessions
    assert parts["valid"] == []  # the session of u7 has one query, and first queries go to train only
    assert shown(parts["test"]) == [(["valid first"], "valid next")]
    assert stats["dropped"] == {"same as the query before": 1, "empty after clean-up": 1, "longer than --max-chars": 1}
    assert stats["rows"] == len(rows)
    assert stats["queries"] == len(rows) - 3
    assert stats["sessions"] == 10
    assert stats["sessions_of_two_or_more"] == 4
    assert stats["first_queries_left_out"] == 2
    assert stats["text"] == "default"
    assert stats["split"] == {
        "by": "time",
        "ratios": "8/1/1",
        "valid_start": "1970-01-01T06:00:00Z",
        "test_start": "1970-01-01T07:00:00Z",
    }
    for part in parts.values():
        for e in part:
            assert e["prefix"]
            assert e["next_query"].startswith(e["prefix"])


def test_history_is_capped(log: Log, prep: Prep) -> None:
    path = log("".join(f"u\t{i}\tq{i}\n" for i in range(8)))
    assert shown(prep(path)[1]["train"])[-1] == (["q2", "q3", "q4", "q5", "q6"], "q7")
    assert shown(prep(path, history=1)[1]["train"])[-1] == (["q6"], "q7")
    assert shown(prep(path, history=None)[1]["train"])[-1] == ([f"q{i}" for i in range(7)], "q7")


def test_all_prefixes_and_some(log: Log, prep: Prep) -> None:
    path = log("u\t0\tab\nu\t1\tnew york\n")
    every = prep(path, prefixes=None)[1]["train"]
    assert [e["prefix"] for e in every] == ["a", "ab", *("new york"[:n] for n in range(1, 9))]
    three = prep(path, prefixes=3)[1]["train"]
    assert len(three) == 5
    assert {e["prefix"] for e in three} <= {e["prefix"] for e in every}
    assert len({e["prefix"] for e in three}) == 5


def totals(examples: list[dict[str, Any]]) -> Counter[str]:
    """Return how often each query was made."""
    counts: Counter[str] = Counter()
    for e in examples:
        counts[e["next_query"]] += e.get("count", 1)
    return counts


def test_popularity_does_not_depend_on_the_number_of_prefixes(log: Log, prep: Prep) -> None:
    # Lengths 1 to 60: many of them no divisor of anything. Sums are exact, so that a query made twice has count 2.
    path = log(
        "".join(f"u{i}\t{i * 9000 + k}\t{'abcdefg'[k] * (1 + (i * 7 + k) % 60)}\n" for i in range(90) for k in range(4))
    )
    one = prep(path)[1]["train"]
    assert all("count" not in e for e in one)
    assert max(totals(one).values()) > 1
    for prefixes in (3, 7, None):
        several = prep(path, prefixes=prefixes)[1]["train"]
        assert len(several) > 2 * len(one)
        assert totals(several) == totals(one)


def test_counted_pairs_share_their_count_among_prefixes(log: Log, prep: Prep) -> None:
    path = log("\tshoes\t9\n\tred\t12\n\tboots\t0.7\n\tnew york\t1e12\na\tb\t1\n")
    one = prep(path, format="pairs", split="1/0/0")[1]["train"]
    every = prep(path, format="pairs", split="1/0/0", prefixes=None)[1]["train"]
    assert len(every) == 5 + 3 + 5 + 8 + 1
    assert totals(every) == pytest.approx(totals(one), rel=1e-15)
    assert [e["count"] for e in every if e["next_query"] == "red"] == [4, 4, 4]
    for e in every:
        assert e.get("count", 1) == pytest.approx(totals(one)[e["next_query"]] / len(e["next_query"]), rel=1e-6)


def test_no_line_counts_less_than_an_example_may(log: Log, prep: Prep, tmp_path: Path) -> None:
    path = log("u\t0\t" + "x" * 1500 + "\nu\t1\tyes\n")
    _, parts = prep(path, prefixes=None, max_chars=2000)
    assert len(list(read_examples(tmp_path / "out" / "train.jsonl"))) == len(parts["train"]) == 999 + 3
    assert totals(parts["train"]) == {"x" * 1500: 1, "yes": 1}


def test_days_alone_keep_the_order_of_the_file(log: Log, prep: Prep, monkeypatch: pytest.MonkeyPatch) -> None:
    # Queries whose own order is not the file's; users take turns, so that none of their rows are neighbours.
    words = [f"{(i * 37) % 100:02} query" for i in range(100)]
    rows = [f"u{user}\t2026010{1 + i // 50}\t{word}\n" for i, word in enumerate(words) for user in range(2)]
    path = log("".join(rows))
    for run_rows in (500_000, 7):
        monkeypatch.setattr("qac.data_prep.sorter.RunSorter.__init__.__defaults__", (run_rows, 3))
        stats, parts = prep(path, split_dates="20260102,20260103")
        assert stats["split"]["valid_start"] == "2026-01-02T00:00:00Z"
        assert [stats["parts"][p]["sessions"] for p in ("train", "valid", "test")] == [2, 2, 0]
        assert [e["next_query"] for e in parts["train"]] == words[:50] * 2
        assert [e["next_query"] for e in parts["valid"]] == words[51:] * 2


def test_alnum_clean_up(log: Log, prep: Prep) -> None:
    stats, parts = prep(log("u\t0\tCafé-Bar!\nu\t1\t???\nu\t2\tc++\n"), text="alnum")
    assert shown(parts["train"]) == [([], "café bar"), (["café bar"], "c")]
    assert stats["text"] == "alnum"
    assert stats["dropped"] == {"empty after clean-up": 1}


@pytest.mark.parametrize(("choice", "counts"), [("train", (1, 0)), ("all", (1, 1)), ("none", (0, 0))])
def test_first_queries(log: Log, prep: Prep, choice: str, counts: tuple[int, int]) -> None:
    path = log("a\t0\tx\na\t1\ty\nb\t100\tx\nb\t101\ty\n")
    stats, _ = prep(path, first_queries=choice, split="1/0/1")
    assert (stats["parts"]["train"]["first_queries"], stats["parts"]["test"]["first_queries"]) == counts
    assert stats["first_queries_left_out"] == 2 - sum(counts)
    assert stats["parts"]["train"]["pairs"] == stats["parts"]["test"]["pairs"] == 1


def test_split_by_dates(log: Log, prep: Prep) -> None:
    path = log("".join(f"u{h}\t1970-01-01T{h:02}:00:00\tx\nu{h}\t1970-01-01T{h:02}:01:00\ty\n" for h in range(10)))
    stats, _ = prep(path, split_dates="1970-01-01T04:00,1970-01-01T07:00")
    assert [stats["parts"][p]["sessions"] for p in ("train", "valid", "test")] == [4, 3, 3]


def test_split_by_session_ignores_time_and_divides_no_session(log: Log, prep: Prep) -> None:
    path = log("".join(f"s{i}\t{i}\ta{i}\ns{i}\t{i}\tb{i}\n" for i in range(300)))
    columns = ReaderOptions({"session": "1", "time": "2", "query": "3"})
    stats, parts = prep(path, reader=columns, split_by="session", first_queries="all")
    assert stats["split"] == {"by": "session", "ratios": "80/10/10"}
    assert all(stats["parts"][p]["sessions"] == stats["parts"][p]["pairs"] > 10 for p in parts)
    for examples in parts.values():
        assert [e["next_query"][1:] for e in examples[::2]] == [e["next_query"][1:] for e in examples[1::2]]


def test_outside_train_examples_say_which_belong_to_one_session(log: Log, prep: Prep) -> None:
    path = log("".join(f"user{i}\t{i}\t{q}{i}\n" for i in range(100) for q in "abc"))
    _, parts = prep(path, split_by="session", prefixes=2)
    assert not any("session" in e for e in parts["train"])
    for part in ("valid", "test"):
        by_user = Counter((e["next_query"][1:], e["session"]) for e in parts[part])
        assert set(by_user.values()) == {4}  # two queries, two prefixes each
        assert len({session for _, session in by_user}) == len({user for user, _ in by_user}) == len(by_user) > 3


def test_counted_pairs_are_a_session_each(log: Log, prep: Prep) -> None:
    path = log("".join(f"a{i}\tb{i}\t9\n" for i in range(60)), "pairs.tsv")
    _, parts = prep(path, format="pairs", prefixes=2)
    sessions = Counter((e["next_query"], e["session"]) for e in parts["test"])
    assert len({session for _, session in sessions}) == len(sessions) > 3
    assert max(sessions.values()) == 2


def test_bare_queries_stand_alone_in_all_parts(log: Log, prep: Prep) -> None:
    stats, parts = prep(log("".join(f"query {i}\n" for i in range(300)), "queries.txt"))
    assert stats["has_sessions"] is False
    assert stats["sessions_of_two_or_more"] == 0
    assert sum(len(examples) for examples in parts.values()) == 300
    assert all(len(examples) > 10 and {e["prev_query"] for e in examples} == {""} for examples in parts.values())


def test_json_lines_without_ids_stand_alone(log: Log, prep: Prep) -> None:
    stats, _ = prep(log('{"query": "x"}\n' * 50, "log.jsonl"))
    assert stats["has_sessions"] is False
    assert stats["sessions"] == 50


def test_pairs_keep_their_counts_and_equal_pairs_share_a_part(log: Log, prep: Prep) -> None:
    rows = [f"prev {i % 100}\tnext {i % 100}\t{i + 2}\n" for i in range(200)] + ["\tshoes\t9\n", "x\tX\t1\n"]
    stats, parts = prep(log("".join(rows)), format="pairs")
    assert stats["dropped"] == {"same as the query before": 1}
    assert {"prev_query": "", "next_query": "shoes", "count": 9}.items() <= parts["train"][-1].items()
    where = {p: {e["prev_query"] for e in examples if e["prev_query"]} for p, examples in parts.items()}
    assert sum(map(len, where.values())) == 100
    assert sum(e["count"] for p in parts.values() for e in p) == sum(range(2, 202)) + 9


def test_given_prefixes_go_to_test(log: Log, prep: Prep) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = log("", "test.parquet")
    table = {
        "past_search_terms": [[["Shoes", "t"], ["SHOES", "t"]], [["a", "t"]]],
        "prefix": ["Red ", "zz"],
        "final_search_term": ["Red Boots", "boots"],
    }
    parquet.write_table(pa.table(table), path)
    stats, parts = prep(path)
    assert parts["test"] == [{"prev_query": "shoes", "prefix": "red ", "next_query": "red boots", "session": 0}]
    assert stats["dropped"] == {"prefix does not begin the query": 1}


def test_several_logs_are_one(log: Log, prep: Prep) -> None:
    first = log("u\t1\tb\n", "1.tsv")
    second = log("user,time,query\nu,0,a\n", "2.csv")
    stats, parts = prep(first, second)
    assert shown(parts["train"]) == [([], "a"), (["a"], "b")]
    assert [i["format"] for i in stats["inputs"]] == ["tsv", "csv"]


def test_same_input_same_bytes(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = log("".join(f"u{i % 7}\t{i * 60}\tquery {i % 11}\n" for i in range(500)))

    def result(name: str, seed: int = 0) -> list[bytes]:
        prepare([path], tmp_path / name, PrepOptions(seed=seed, gap=timedelta(minutes=20)))
        return [f.read_bytes() for f in sorted((tmp_path / name).iterdir())]

    first = result("a")
    monkeypatch.setattr("qac.data_prep.sorter.RunSorter.__init__.__defaults__", (13, 3))
    assert result("b") == first  # spilled to disk: the same
    assert result("c", seed=1) != first


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"\t")), max_size=20))
def test_any_bytes_are_all_accounted_for(tmp_path: Path, rows: list[bytes]) -> None:
    good = [
        b"%b\t%d\t%b" % (user, i, query) for user in (b"u", b"v", b"w") for i, query in enumerate((b"first", b"second"))
    ]
    path = tmp_path / "log.tsv"
    path.write_bytes(b"\n".join([*good, *rows]).replace(b"\0", b"0"))
    stats = prepare([path], tmp_path / "out", PrepOptions(format="tsv", max_bad_share=1))
    lines = path.read_bytes().split(b"\n")
    assert stats["rows"] == len(lines) - (lines[-1] == b"")
    assert stats["rows"] == stats["queries"] + sum(stats["dropped"].values()) + sum(stats["bad_lines"].values())
    written = sum(p["pairs"] + p["first_queries"] for p in stats["parts"].values())
    assert stats["queries"] == written + stats["first_queries_left_out"]


def test_bad_lines_are_reported(log: Log, prep: Prep, tmp_path: Path) -> None:
    path = log("u\t0\ta\nu\t1\tb\n" + "u\t2\tc\n" * 50 + "u\tnever\t" + "long " * 100 + "\n")
    stats, _ = prep(path)
    assert stats["bad_lines"] == {"unreadable time": 1}
    (report,) = (tmp_path / "out" / "bad_lines.txt").read_text().splitlines()
    assert report.startswith(f"{path}:53: unreadable time: u\tnever\tlong")
    assert len(report) < len(path) + 240
    prep(log("u\t0\ta\nu\t1\tb\n"))
    assert not (tmp_path / "out" / "bad_lines.txt").exists()


def test_too_many_bad_lines(log: Log, prep: Prep, tmp_path: Path) -> None:
    path = log("u\t0\ta\nu\t1\tb\nu\tnever\tc\n")
    with pytest.raises(InputError, match=r"1 of 3 lines could not be read, --max-bad-share allows 0.1 .*--time-format"):
        prep(path)
    assert not (tmp_path / "out").exists()
    prep(path, max_bad_share=0.34)


def test_a_hopeless_log_is_given_up_early(log: Log, prep: Prep) -> None:
    with pytest.raises(InputError, match="10,000 of 10,000 lines could not be read"):
        prep(log("a query\tu\t0\n" * 20_000))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "no rows; expected a search log"),
        ("user\ttime\tquery\n", {}, "no rows"),
        ("\n\n", {}, "no query is left of 2 rows .blank line: 2"),
        ("u\t0\t \n", {}, "no query is left of 1 rows .empty after clean-up: 1"),
        (
            "u\t0\tx\nu\t1\tX\n",
            {},
            r"no session has two different queries.*\(user=1 time=2 query=3\).*--gap.*--user none",
        ),
        ("u\t0\tx\nv\t0\ty\n", {}, "no session has two different queries"),
        ("\tx\t1\n", {"format": "pairs"}, "no session has two different queries"),
        ("x\n", {"format": "queries", "first_queries": "none"}, "leave out --first-queries none"),
        ("x\n", {"format": "queries", "split_by": "time"}, "has no times, which --split-by time needs"),
        ("a\tb\t1\n", {"format": "pairs", "split_dates": "2026-01-01,2026-02-01"}, "which --split-dates needs"),
        ("u\t0\tx\n", {"split_by": "session", "split_dates": "2026-01-01,2026-02-01"}, "leave out --split-by session"),
    ],
)
def test_logs_that_hold_nothing(log: Log, prep: Prep, tmp_path: Path, text: str, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prep(log(text), **options)
    assert not (tmp_path / "out").exists()


def test_the_last_log_is_looked_at_before_the_first_is_read(log: Log, prep: Prep, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        prep(log("u\tbad\tx\n" * 9), str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="read once only"):
        prep("-", "-")


# ---- times ----


def test_examples_carry_the_time_of_their_query_where_the_log_has_one(log: Log, prep: Prep) -> None:
    path = log("u\t1970-01-01T00:01:00\ta\nu\t1970-01-01T00:02:03.900\tb\nw\t1969-12-31T23:59:59.5\tc\n")
    _, parts = prep(path, split="100/0/0", prefixes=2)
    times = {e["next_query"]: e["time"] for e in parts["train"]}
    assert times == {"a": 60, "b": 123, "c": -1}


@pytest.mark.parametrize(
    ("content", "options"), [("a\nb\n", {"format": "queries"}), ("a\tb\t3\n", {"format": "pairs"})]
)
def test_examples_of_logs_without_times_have_none(log: Log, prep: Prep, content: str, options: dict[str, str]) -> None:
    _, parts = prep(log(content), split="100/0/0", **options)
    assert parts["train"]
    assert not any("time" in e for e in parts["train"])
