"""What is screened out of a log before anything is learned from it, worked out by hand."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qac.config import UNSCREENED, ScreeningConfig
from qac.data_prep import PrepOptions, ReaderOptions, prepare
from qac.errors import InputError

Log = Callable[..., str]
Prep = Callable[..., Any]

EVERYTHING = {"split": "1/0/0", "first_queries": "all"}


def by_three(rows: str) -> str:
    """Return rows, in which ``%`` stands for a user, as three users made them."""
    return "".join(rows.replace("%", user) for user in ("u", "v", "w"))


def queries(parts: Any, part: str = "train") -> set[str]:
    return {e["next_query"] for e in parts[part]}


def texts(parts: Any, part: str = "train") -> set[str]:
    """Return all queries that examples name, on either side."""
    return queries(parts, part) | {q for e in parts[part] for q in [*e.get("prev_queries", ()), e["prev_query"]] if q}


# ---- users ----


def test_a_query_of_too_few_users_is_neither_learned_nor_remembered(log: Log, prep: Prep) -> None:
    rows = by_three("%\t10\tshoes\n%\t30\tboots\n") + "u\t20\tmy secret\nu\t40\tmy secret\nu\t50\thats\nv\t50\thats\n"
    stats, parts = prep(log(rows), screening=ScreeningConfig(), **EVERYTHING)
    assert texts(parts) == {"shoes", "boots"}
    assert (
        sorted((e["prev_query"], e["next_query"]) for e in parts["train"])
        == [("", "shoes")] * 3 + [("shoes", "boots")] * 3
    )
    assert stats["dropped"] == {"made by too few users": 4}
    assert stats["rare_share"] == 0.4
    assert stats["screening"]["min_users"] == 3
    assert texts(prep(log(rows), screening=ScreeningConfig(min_users=2), **EVERYTHING)[1]) == {"shoes", "boots", "hats"}


def test_users_are_counted_in_the_training_part_and_only_that_is_screened_by_it(log: Log, prep: Prep) -> None:
    rows = [f"{u}\t1970-01-0{d}T10:00:0{i}\t{q}\n" for d in (1, 2, 3) for u in "uvw" for i, q in enumerate(("a", "b"))]
    rows += ["u\t1970-01-01T10:00:05\trare\n", *(f"{u}\t1970-01-03T10:00:05\trare\n" for u in "uvw")]
    _, parts = prep(log("".join(rows)), screening=ScreeningConfig(), split_dates="1970-01-02,1970-01-03")
    assert texts(parts) == {"a", "b"}
    assert texts(parts, "test") == {"a", "b", "rare"}


def test_one_user_counts_so_often(log: Log, prep: Prep) -> None:
    rows = [f"{user}\t{9000 * i}\tshoes\n{user}\t{9000 * i + 60}\tboots {user}\n" for user in "uvw" for i in range(5)]
    screening = ScreeningConfig(min_users=1, per_user=2)
    stats, parts = prep(log("".join(rows)), screening=screening, **EVERYTHING)
    assert [e["next_query"] for e in parts["train"]].count("shoes") == 6
    assert [e["prev_query"] for e in parts["train"]].count("shoes") == 6
    assert stats["dropped"] == {"made more often by one user than counts": 18}


def test_sessions_of_one_user_are_no_users(log: Log, prep: Prep) -> None:
    rows = "user\tsession\ttime\tquery\n" + "".join(
        f"jane\t{i}\t{i}\tsecret\njane\t{i}\t{9 + i}\tb\n" for i in range(9)
    )
    rows += "".join(f"{u}\t1\t0\tshoes\n" for u in "uvw")
    assert texts(prep(log(rows), screening=ScreeningConfig(), **EVERYTHING)[1]) == {"shoes"}
    records = [
        dict(zip(("user", "session", "time", "query"), r.split("\t"), strict=True)) for r in rows.splitlines()[1:]
    ]
    jsonl = log("\n".join(map(json.dumps, records)), "log.jsonl")
    assert texts(prep(jsonl, screening=ScreeningConfig(), **EVERYTHING)[1]) == {"shoes"}
    # Where nothing but the session is named, it stands for the user.
    columns = ReaderOptions({"user": "none"})
    assert texts(prep(log(rows), reader=columns, screening=ScreeningConfig(), **EVERYTHING)[1]) == {"secret", "b"}


def test_a_row_without_a_user_is_of_no_user(log: Log, prep: Prep) -> None:
    stats, parts = prep(
        log(by_three("%\t0\ta\n%\t9\tb\n") + "\t5\thats\n" * 9), screening=ScreeningConfig(), **EVERYTHING
    )
    assert texts(parts) == {"a", "b"}
    assert stats["dropped"] == {"no user or session id": 9}


def test_logs_without_users_are_screened_by_count_alone(log: Log, prep: Prep) -> None:
    path = log("shoes\nshoes\nrare\nboots\nboots\njane@example.com\n", "queries.txt")
    stats, parts = prep(path, screening=ScreeningConfig(), split="1/0/0")
    assert texts(parts) == {"shoes", "rare", "boots"}
    assert (stats["has_users"], stats["screening"]["min_users"]) == (False, 1)
    assert texts(prep(path, screening=ScreeningConfig(min_count=2), split="1/0/0")[1]) == {"shoes", "boots"}
    with pytest.raises(InputError, match="no users or sessions for --min-users"):
        prep(path, screening=ScreeningConfig(min_users=2))


def test_counted_pairs_have_no_users_and_cannot_be_counted_again(log: Log, prep: Prep) -> None:
    path = log("a\tb\t9\nmail\tjane@example.com\t9\njane@example.com\tlogin\t9\n", "pairs.tsv")
    stats, parts = prep(path, format="pairs", screening=ScreeningConfig(), **EVERYTHING)
    assert [(e["prev_query"], e["next_query"]) for e in parts["train"]] == [("a", "b"), ("", "login")]
    assert stats["dropped"] == {"personal: e-mail address": 1}
    with pytest.raises(InputError, match="qac train --min-count"):
        prep(path, format="pairs", screening=ScreeningConfig(min_count=2))


def test_when_nothing_is_left_the_cure_is_named(log: Log, prep: Prep, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 rows \(made by too few users: 2\); lower --min-users"):
        prep(log("u\t0\ta\nu\t9\tb\n"), screening=ScreeningConfig())
    assert not (tmp_path / "out").exists()


# ---- personal data ----


def test_personal_data_leaves_every_part_and_is_counted_by_kind(log: Log, prep: Prep) -> None:
    rows = by_three("%\t0\tshoes\n%\t60\tJane.Doe@example.com\n%\t120\tboots\n%\t180\t+49 30 901820\n")
    for text in ("default", "alnum"):
        stats, parts = prep(log(rows), text=text, screening=ScreeningConfig(), **EVERYTHING)
        assert texts(parts) == {"shoes", "boots"}
        assert stats["dropped"] == {"personal: e-mail address": 3, "personal: phone number": 3}
    kept = ScreeningConfig(keep_personal=("email",))
    assert texts(prep(log(rows), screening=kept, **EVERYTHING)[1]) == {"shoes", "boots", "jane.doe@example.com"}
    assert queries(prep(log(rows), screening=ScreeningConfig(), split="0/0/1", first_queries="all")[1], "test") == {
        "shoes",
        "boots",
    }


def test_the_beginnings_of_personal_data_go_with_it(log: Log, prep: Prep) -> None:
    rows = by_three("%\t1\tjane.doe\n%\t2\tjane.doe@exa\n%\t3\tjane.doe@example.com\n%\t60\ta\n%\t90\tb\n")
    stats, parts = prep(log(rows), screening=ScreeningConfig(), **EVERYTHING)
    assert texts(parts) == {"a", "b"}
    assert stats["dropped"] == {"half typed": 6, "personal: e-mail address": 3}


# ---- half-typed queries ----


def test_half_typed_queries_are_one_with_what_they_became(log: Log, prep: Prep) -> None:
    typed = [("1", "d"), ("2", "dig"), ("4", "digital cam"), ("7", "digital camera"), ("11", "digital camera nikon")]
    path = log(by_three("".join(f"%\t{time}\t{query}\n" for time, query in typed)))
    _, parts = prep(path, screening=ScreeningConfig(), **EVERYTHING)
    assert {(e["prev_query"], e["next_query"]) for e in parts["train"]} == {
        ("", "digital camera"),
        ("digital camera", "digital camera nikon"),
    }
    assert len(texts(prep(path, screening=UNSCREENED, **EVERYTHING)[1])) == 5
    assert len(texts(prep(path, screening=ScreeningConfig(half_typed=1), **EVERYTHING)[1])) == 4


def test_a_space_typed_on_the_way_changes_nothing(log: Log, prep: Prep) -> None:
    rows = by_three("".join(f"%\t{1 + i}\t{'red shoes'[: i + 1]}\n" for i in range(9)) + "%\t60\tboots\n")
    stats, parts = prep(log(rows), screening=ScreeningConfig(), **EVERYTHING)
    assert texts(parts) == {"red shoes", "boots"}
    assert stats["dropped"] == {"half typed": 21, "same as the query before": 3}


@pytest.mark.parametrize(
    "rows",
    [
        "u\t5\tshoe\nv\t6\tshoes\n",  # somebody else
        "u\t5\tshoes\nu\t6\tshoe\n",  # shorter
        "u\t5\tshoe\nu\t6\tred shoes\n",  # no longer the beginning
        "u\t20260101\tshoe\nu\t20260101\tshoes\n",  # days alone: nothing is known of pauses
    ],
)
def test_what_is_not_half_typed(log: Log, prep: Prep, rows: str) -> None:
    stats, _ = prep(log(rows + "u\t90\tx\n"), screening=ScreeningConfig(min_users=1), **EVERYTHING)
    assert stats["dropped"] == {}


# ---- programs ----


def program(name: str, seconds: float, n: int, query: Callable[[int], str]) -> str:
    return "".join(f"{name}\t{1 + i * seconds:.3f}\t{query(i)}\n" for i in range(n))


@pytest.mark.parametrize(
    ("rows", "is_program"),
    [
        (program("bot", 1.9, 31, lambda i: f"q{i}"), True),  # 31 within 57 seconds
        (program("bot", 2.0, 31, lambda i: f"q{i}"), False),  # in exactly a minute
        (program("bot", 1, 60, lambda i: "spam"), True),  # again and again
        (program("bot", 400, 201, lambda i: f"q{i}"), True),  # 201 within 22.3 hours of one day
        (program("bot", 800, 201, lambda i: f"q{i}"), False),  # over two days
        (program("bot", 9000, 101, lambda i: "spam" if i % 2 == 0 else f"q{i}"), True),  # 51 of 101
        (program("bot", 9000, 101, lambda i: "spam" if i % 2 else f"q{i}"), False),  # 50 of 101
        (program("bot", 9000, 100, lambda i: "spam"), False),
        (program("bot", 1, 400, lambda i: "a" * (1 + i % 40)), False),  # 10 queries, key by key
        ("".join(f"bot\t20260101\tq{i}\n" for i in range(40)), False),  # days alone say nothing of minutes
        ("".join(f"bot\t20260101\tq{i}\n" for i in range(201)), True),
    ],
)
def test_users_like_programs_are_left_out(log: Log, prep: Prep, rows: str, is_program: bool) -> None:
    screening = ScreeningConfig(min_users=1)
    people = [program(name, 60, 5, lambda i: f"shoes {i}") for name in ("ann", "zoe")]
    stats, parts = prep(log(people[0] + rows + people[1]), screening=screening, **EVERYTHING)
    assert stats["dropped"].get("user taken for a program", 0) == (rows.count("\n") if is_program else 0)
    assert texts(parts) >= {f"shoes {i}" for i in range(5)}
    assert not (is_program and texts(parts) - {f"shoes {i}" for i in range(5)})
    off = ScreeningConfig(min_users=1, max_per_minute=None, max_per_day=None, max_repeats=None)
    assert "user taken for a program" not in prep(log(people[0] + rows), screening=off, **EVERYTHING)[0]["dropped"]


def test_a_program_is_known_by_all_of_its_sessions(log: Log, prep: Prep) -> None:
    rows = "user,session,time,query\n" + "".join(f"bot,{i % 7},{1 + i * 60},q{i}\n" for i in range(300))
    rows += "ann,1,1,shoes\nann,1,60,boots\n"
    stats, parts = prep(log(rows, "log.csv"), screening=ScreeningConfig(min_users=1), **EVERYTHING)
    assert texts(parts) == {"shoes", "boots"}
    assert stats["dropped"] == {"user taken for a program": 300}


# ---- all together ----


def busy_log(people: int = 40) -> list[tuple[str, int, str]]:
    """Return rows of people who ask for much the same things."""
    dice = random.Random(0)
    words = ["shoes", "boots", "red shoes", "hats", "red hats", "winter coats", "socks", "wool socks"]
    rows = []
    for person in range(people):
        for session in range(6):
            start = 100_000 * session + 1000 * person
            rows += [(f"p{person}", start + 60 * i, q) for i, q in enumerate(dice.sample(words, 3))]
    return rows


def planted(rows: list[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    """Return what must leave no trace: secrets, numbers, programs, keystrokes; some of it in sessions of people."""
    user, start, _ = rows[0]
    return [
        *((f"rare{i}", 50 + 60 * k, "zqxv wkpj") for i in range(2) for k in range(5)),
        *(
            (f"ann{i}", 50 + 60 * k, q)
            for i in range(9)
            for k, q in enumerate(("jane@zq.example", "call 212-555-0199"))
        ),
        *((f"bot{i}", 50 + k, f"zqbot {k}") for i in range(9) for k in range(60)),
        *((f"keys{i}", 50 + k, "zqsecret"[: k + 1]) for i in range(2) for k in range(8)),
        (user, start + 30, "zq my own diagnosis"),
    ]


def test_what_is_screened_out_leaves_no_trace(tmp_path: Path) -> None:
    def learned(name: str, rows: list[tuple[str, int, str]]) -> bytes:
        path = tmp_path / f"{name}.tsv"
        path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
        prepare([path], tmp_path / name, PrepOptions(split="1/0/0"))
        return (tmp_path / name / "train.jsonl").read_bytes()

    rows = busy_log()
    clean = learned("clean", rows)
    assert learned("planted", rows + planted(rows)) == clean
    assert b"zq" not in clean
    assert clean.count(b"\n") > 0.9 * len(rows)


def test_identifiers_of_any_size(log: Log, prep: Prep) -> None:
    rows = "".join(f"{user * 100_000}\t{i * 60}\t{q}\n" for user in "äbc" for i, q in enumerate(("shoes", "boots")))
    assert texts(prep(log(rows), format="tsv", screening=ScreeningConfig(), **EVERYTHING)[1]) == {"shoes", "boots"}
