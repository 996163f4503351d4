"""Every format, as its users have it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac.data_prep.readers import READERS, ReaderOptions, detect
from qac.data_prep.records import Event, Scope, Transition
from qac.data_prep.source import open_source
from qac.data_prep.tally import Bad, Drop, Tally
from qac.errors import InputError

Log = Callable[..., str]
MINUTE = 60_000


def read(path: str, format: str = "auto", tally: Tally | None = None, **options: Any) -> list[Event | Transition]:  # noqa: A002
    choices = ReaderOptions(**options)
    with open_source(path) as source:
        name = detect(source, choices) if format == "auto" else format
        return list(READERS[name](choices).read(source, tally or Tally()))


def guess(path: str, **options: Any) -> str:
    with open_source(path) as source:
        return detect(source, ReaderOptions(**options))


def user(name: str, minute: int, query: str) -> Event:
    return Event(Scope.USER, name, minute * MINUTE, query)


# Plain logs


def test_tsv_without_header(log: Log) -> None:
    assert read(log('ann\t0\tred shoes\nbob\t60\t"quoted\n')) == [
        user("ann", 0, "red shoes"),
        user("bob", 1, '"quoted'),
    ]


def test_tsv_header_in_any_order(log: Log) -> None:
    path = log("Query\tUser ID\tnoise\ttimestamp\nred shoes\tann\tx\t60\r\n")
    assert read(path) == [user("ann", 1, "red shoes")]


def test_byte_order_mark_is_no_part_of_the_header(log: Log) -> None:
    assert read(log("\ufeffuser\ttime\tquery\nann\t0\tshoes\n")) == [user("ann", 0, "shoes")]


def test_columns_by_number_and_by_name(log: Log) -> None:
    by_number = {"user": "3", "time": "2", "query": "1"}
    assert read(log("shoes\t0\tann\textra\n"), columns=by_number) == [user("ann", 0, "shoes")]
    by_name = {"user": "who", "time": "when", "query": "what"}
    assert read(log("what\twhen\twho\nshoes\t0\tann\n"), columns=by_name) == [user("ann", 0, "shoes")]


def test_session_column(log: Log) -> None:
    columns = {"session": "1", "time": "2", "query": "3"}
    assert read(log("s1\t0\tshoes\n"), columns=columns) == [Event(Scope.SESSION, "s1", 0, "shoes")]


def test_user_and_session_identify_together(log: Log) -> None:
    events = read(log("user\tsession\tquery\na\t1\tx\nb\t1\ty\n"))
    assert [e.scope for e in events] == [Scope.SESSION] * 2
    assert events[0].identifier != events[1].identifier


def test_no_user_and_no_time(log: Log) -> None:
    path = log("ann\t0\tshoes\n")
    assert read(path, columns={"user": "none"}) == [Event(Scope.ALONE, "", 0, "shoes")]
    assert read(path, columns={"time": "none"}) == [Event(Scope.USER, "ann", None, "shoes")]


def test_csv_quotes_delimiters_and_line_breaks(log: Log) -> None:
    text = 'user,time,query\nann,0,"red, ""big"" shoes"\nbob,60,"two\nlines"\ncid,120,5" pipe\n'
    assert read(log(text, "log.csv")) == [
        user("ann", 0, 'red, "big" shoes'),
        user("bob", 1, "two\nlines"),
        user("cid", 2, '5" pipe'),
    ]
    assert read(log("user;time;query\nann;0;shoes\n", "log.csv")) == [user("ann", 0, "shoes")]


def test_a_stray_quote_costs_one_row(log: Log) -> None:
    rows = [f"u{i},{i * 60},query {i}" for i in range(1000)]
    rows[10] = 'u10,600,"query 10'
    tally = Tally()
    events = read(log("\n".join(rows), "log.csv"), tally=tally)
    assert tally.bad == {Bad.QUOTE: 1}
    assert [e.identifier for e in events] == [f"u{i}" for i in range(1000) if i != 10]


@given(st.lists(st.text(alphabet='a",\n', max_size=6), max_size=30))
def test_any_csv_is_read_to_its_end(tmp_path_factory: pytest.TempPathFactory, rows: list[str]) -> None:
    path = tmp_path_factory.mktemp("csv") / "log.csv"
    path.write_text("user,time,query\n" + "\n".join(rows) + "\n" * 9 + "last,0,row\n")
    assert user("last", 0, "row") in read(str(path))


def test_jsonl(log: Log) -> None:
    text = (
        '{"q": "red\\nshoes", "uid": 7, "ts": 0, "more": [1]}\n'
        '{"q": "\\ud800", "uid": "7", "ts": "1970-01-01T00:01:00Z"}\n'
        '{"q": "shoes", "uid": null, "ts": 0}\n'
        "[1]\nnot json\n" + "[" * 100_000 + "\n"
        '{"uid": 1, "ts": 0}\n{"q": ["list"], "uid": 1, "ts": 0}\n{"q": true, "uid": 1, "ts": 0}\n'
        '{"q": "x", "uid": 1, "ts": "?"}\n'
    )
    tally = Tally()
    events = read(log(text, "log.jsonl"), tally=tally)
    assert events == [user('["7"]', 0, "red\nshoes"), user('["7"]', 1, "\ud800")]
    assert tally.bad == {Bad.JSON: 3, Bad.FIELD: 3, Bad.TIME: 1}
    assert tally.dropped == {Drop.NOBODY: 1}


def test_jsonl_fields_by_name(log: Log) -> None:
    path = log('{"what": "shoes", "who": "ann", "user": "x"}\n', "log.json.gz.txt")
    assert read(path, "jsonl", columns={"query": "what", "user": "who"}) == [
        Event(Scope.USER, '["ann"]', None, "shoes")
    ]
    with pytest.raises(InputError, match="name it with --query"):
        read(path, "jsonl")


def test_bare_queries(log: Log) -> None:
    path = log('red shoes\n// odd, "line"\n\nred shoes\n', "queries.txt")
    tally = Tally()
    expected = [Event(Scope.ALONE, "", None, q) for q in ("red shoes", '// odd, "line"', "red shoes")]
    assert read(path, tally=tally) == expected
    assert tally.dropped == {Drop.BLANK: 1}


def test_bad_lines_are_counted_and_do_not_stop_the_reading(log: Log) -> None:
    content = b"a\t0\tx\nb\t0\nc\t0\ty\tz\nd\tsoon\tx\ne\t0\t\xff\n\t0\tx\n" + b"z" * (1 << 20) + b"zz\nf\t0\tlast"
    tally = Tally()
    assert read(log(content), tally=tally) == [user("a", 0, "x"), user("f", 0, "last")]
    assert tally.bad == {Bad.WIDTH: 2, Bad.TIME: 1, Bad.CODE: 1, Bad.LINE: 1}
    assert tally.dropped == {Drop.NOBODY: 1}
    assert all(len(sample) < 400 for sample in tally.samples)
    assert tally.samples[0].endswith("log.tsv:2: wrong number of columns: b\t0")


# Known formats


def test_aol(log: Log) -> None:
    text = (
        "AnonID\tQuery\tQueryTime\tItemRank\tClickURL\n"
        "142\tred shoes\t1970-01-01 00:01:00\t1\thttp://example.com\n"
        "142\t-\t1970-01-01 00:02:00\t\t\n"
        "217\tshoes\t1970-01-01 00:03:00\n"
    )
    expected = [user("142", 1, "red shoes"), user("142", 2, ""), user("217", 3, "shoes")]
    path = log(text, "user-ct-test-collection-01.txt")
    assert guess(path) == "aol"
    assert read(path) == expected
    assert read(log(text.partition("\n")[2]), "aol") == expected


def test_pairs(log: Log) -> None:
    tally = Tally()
    text = "shoes\tred shoes\t3\n\tshoes\t10\nshoes\tboots\t0\nshoes\tboots\tmany\nshoes\tboots\tnan\n"
    assert read(log(text), "pairs", tally) == [Transition(("shoes",), "red shoes", 3), Transition((), "shoes", 10)]
    assert tally.bad == {Bad.COUNT: 3}
    header = log('next_query,prev_query\nred shoes,"shoes, cheap"\n', "x.csv")
    assert guess(header) == "pairs"
    assert read(header) == [Transition(("shoes, cheap",), "red shoes", 1)]


def test_pairs_without_previous_queries(log: Log) -> None:
    columns = {"prev": "none", "next": "1", "count": "2"}
    assert read(log("shoes\t7\n"), "pairs", columns=columns) == [Transition(None, "shoes", 7)]


def test_clickstream(log: Log) -> None:
    dump = log("other-search\tRed_Shoes\texternal\t70\nRed_Shoes\tBoots\tlink\t12\n")
    expected = [Transition((), "Red Shoes", 70), Transition(("Red Shoes",), "Boots", 12)]
    assert read(dump, "clickstream") == expected
    sample = log(',prev,curr,type,n\n0,other-search,Red_Shoes,external,70\n1,Red_Shoes,"Boots",link,12\n', "x.csv")
    assert guess(sample) == "clickstream"
    assert read(sample) == expected


TREC = """<?xml version="1.0" encoding="UTF-8"?>
<sessiontrack2013><session num="4" starttime="10:00:00">
 <topic num="1"><title>t</title><query>not this</query></topic>
 <interaction num="1" starttime="1.5"><query>red &amp; shoes</query>
  <results><result rank="1"><query>nor this</query></result></results></interaction>
 <interaction num="2" type="page"><query>boots</query></interaction>
 <currentquery starttime="9"><query>red boots</query></currentquery></session>
<session num="5"><currentquery><query/></currentquery></session></sessiontrack2013>
"""


def test_trec(log: Log) -> None:
    path = log(TREC, "sessiontrack2013.xml")
    assert guess(path) == "trec"
    assert read(path) == [
        Event(Scope.SESSION, "sessiontrack2013/4", None, q) for q in ("red & shoes", "boots", "red boots")
    ] + [Event(Scope.SESSION, "sessiontrack2013/5", None, "")]


def test_trec_refuses_entities_and_damage(log: Log) -> None:
    bomb = '<!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><s><session><query>&b;</query></session></s>'
    with pytest.raises(InputError, match="remove the DOCTYPE"):
        read(log(bomb, "x.xml"), "trec")
    with pytest.raises(InputError, match=r"well-formed.*; fetch it again or name another --format$"):
        read(log(TREC[:300], "x.xml"))
    with pytest.raises(InputError, match="no <session>"):
        read(log("<html/>", "x.xml"))


def test_amazonqac_train(tmp_path_factory: pytest.TempPathFactory, log: Log) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = log("", "part-0.snappy.parquet")
    table = {
        "query_id": [1, 2, 3, 4],
        "session_id": ["s", "s", None, "t"],
        "prefixes": [["r", "re"], ["b"], ["x"], ["y"]],
        "final_search_term": ["red shoes", "boots", "x", None],
        "search_time": [datetime(1970, 1, 1, 0, 1), datetime(1970, 1, 1, 0, 2), None, None],
        "popularity": [9, 9, 9, 9],
    }
    parquet.write_table(pa.table(table), path)
    tally = Tally()
    assert guess(path) == "amazonqac"
    assert read(path, tally=tally) == [
        Event(Scope.SESSION, "s", MINUTE, "red shoes"),
        Event(Scope.SESSION, "s", 2 * MINUTE, "boots"),
    ]
    assert tally.bad == {Bad.FIELD: 1}
    assert tally.dropped == {Drop.NOBODY: 1}


def test_amazonqac_test(log: Log) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = log("", "test.parquet")
    table = {
        "session_id": ["s", "s", "s"],
        "past_search_terms": [[["shoes", "2023-10-07 13:03:54"], ["boots", "2023-10-08 13:03:54"]], None, []],
        "prefix": ["re", "b", None],
        "final_search_term": ["red boots", "boots", "x"],
        "search_time": ["2023-10-11 16:42:34"] * 3,
    }
    parquet.write_table(pa.table(table), path)
    assert read(path) == [
        Transition(("shoes", "boots"), "red boots", 1, "re", "test"),
        Transition((), "boots", 1, "b", "test"),
    ]


def test_other_parquet_is_refused(log: Log) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = log("", "x.parquet")
    parquet.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(InputError, match="expected the columns session_id"):
        read(path)
    with pytest.raises(InputError, match=r"not a whole parquet file.*; fetch it again or name another --format$"):
        read(log(b"PAR1 and then nonsense", "x.parquet"))


# Choices that cannot work


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a\tb\tc\td\n", {}, r"expected a header or 3 \(user, time, query\) columns, the first line has 4"),
        ("user\ttime\nann\t0\n", {}, "no column is the query"),
        ("a\tb\tc\n", {"columns": {"user": "1"}}, "no column is the query"),
        ("a\tb\tc\n", {"columns": {"query": "4"}}, "has 3 columns"),
        ("a\tb\tc\n", {"columns": {"query": "0"}}, "counted from 1"),
        ("a\tb\tc\n", {"columns": {"query": "words"}}, "no column 'words'"),
        ("a\tb\tc\n", {"columns": {"prev": "1"}}, "no column --prev"),
    ],
)
def test_impossible_columns_are_named(log: Log, text: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(log(text), "tsv", **options)


def test_formats_of_fixed_columns_refuse_others(log: Log) -> None:
    for name in ("queries", "trec", "amazonqac"):
        with pytest.raises(InputError, match="leave out the column options"):
            read(log("x\n"), name, columns={"query": "1"})


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("x.log", "u\t0\tq\n", "tsv"),
        ("x", "one, two\nthree\n", "queries"),
        ("x.txt", "user,time,query\nu,0,q\n", "csv"),
        ("x.csv", "u,0,q\n", "csv"),
        ("x.csv.gz", "u,0,q\n", "csv"),
        ("x.log", '{"query": "q"}\n', "jsonl"),
        ("x.log", "<b>\nbold\n", "queries"),
        ("x", "", "queries"),
    ],
)
def test_guessing(log: Log, name: str, text: str, expected: str) -> None:
    assert guess(log(text, name)) == expected


def test_columns_were_named_so_it_is_no_list_of_queries(log: Log) -> None:
    assert guess(log("shoes\n"), columns={"query": "1"}) == "tsv"
    assert guess(log("shoes\n"), columns={"user": "none"}) == "queries"
