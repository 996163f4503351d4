import json
import os
import re
import threading

import pytest

from qac.errors import OutputError
from qac.webdemo.recording import Recorder


def entries(folder):
    """Return everything recorded in a folder."""
    return [json.loads(line) for path in sorted(folder.iterdir()) for line in path.read_text().splitlines()]


def test_searches_are_recorded_with_sessions_that_cannot_be_traced(make_client, tmp_path):
    client = make_client(record=tmp_path / "r")
    first = client.post("/api/v1/accept", json={"query": " Digital  CAMERA ", "prefix": "dig", "rank": 2})
    session = first.get_json()["session"]
    assert re.fullmatch("[0-9a-f]{32}", session)
    again = client.post("/api/v1/accept", json={"query": "nikon d70", "session": session})
    assert again.get_json()["session"] == session
    client.post("/api/v1/accept", json={"query": "travel"})
    a, b, c = entries(tmp_path / "r")
    assert (a["query"], a["prefix"], a["rank"]) == ("digital camera", "dig", 2)
    assert (b["query"], b["prefix"], b["rank"]) == ("nikon d70", None, None)
    assert a["session"] == b["session"] != c["session"]
    assert session not in json.dumps([a, b, c])
    assert "qac_recorded_searches_total 3" in client.get("/metrics").text
    (path,) = (tmp_path / "r").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_prep_reads_what_was_recorded(make_client, tmp_path, call_qac):
    client = make_client(record=tmp_path / "r")
    for _ in range(3):
        session = None
        for query in ("travel", "new york", "new york\thotels\n"):
            session = client.post("/api/v1/accept", json={"query": query, "session": session}).get_json()["session"]
    client.application.extensions["qac"].recorder.close()
    (path,) = (tmp_path / "r").iterdir()
    done = call_qac(
        "prep", path, "--out", tmp_path / "data", "--split", "100/0/0", "--half-typed", "0", "--json", "--quiet"
    )
    stats = done.json()
    assert (stats["rows"], stats["sessions"], stats["bad_lines"]) == (9, 3, {})
    examples = [json.loads(line) for line in (tmp_path / "data/train.jsonl").read_text().splitlines()]
    assert {e["next_query"] for e in examples if e["prev_query"] == "new york"} == {"new york hotels"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "query"),
        ({"query": " \n"}, "query"),
        ({"query": 1}, "query"),
        ({"query": "a" * 513}, "query"),
        ({"query": "a", "rank": 0}, "rank"),
        ({"query": "a", "rank": 101}, "rank"),
        ({"query": "a", "prefix": 1}, "prefix"),
        ({"query": "a", "session": "jane@example.com"}, "session"),
        ({"query": "a", "session": "short"}, "session"),
        ({"query": "a", "session": "a" * 65}, "session"),
        ({"query": "a", "user": "jane"}, "user"),
    ],
)
def test_what_is_not_as_it_must_be_is_not_recorded(make_client, tmp_path, fields, field):
    response = make_client(record=tmp_path).post("/api/v1/accept", json=fields)
    assert (response.status_code, response.get_json()["error"]["field"]) == (400, field)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_recorded_unless_it_is_wanted(client):
    assert client.post("/api/v1/accept", json={"query": "a"}).status_code == 404


def test_other_sites_cannot_make_browsers_record(make_client, tmp_path):
    client = make_client(record=tmp_path)
    response = client.post("/api/v1/accept", data='{"query": "a"}', content_type="text/plain")
    assert response.status_code == 400
    assert list(tmp_path.iterdir()) == []


def test_what_is_blocked_is_not_learned(make_client, tmp_path):
    (tmp_path / "block.txt").write_text("word: secret\n")
    client = make_client(record=tmp_path / "r", blocklist=tmp_path / "block.txt")
    assert client.post("/api/v1/accept", json={"query": "a secret"}).status_code == 200
    assert list((tmp_path / "r").iterdir()) == []


def test_full_files_are_followed_by_others(tmp_path):
    recorder = Recorder(tmp_path, 300)
    for i in range(10):
        recorder.record("s" * 16, f"query {i}", None, None)
    recorder.close()
    assert len(list(tmp_path.iterdir())) == 5
    assert all(path.stat().st_size <= 300 for path in tmp_path.iterdir())
    assert {e["query"] for e in entries(tmp_path)} == {f"query {i}" for i in range(10)}


def test_threads_and_processes_write_whole_lines_and_one_killed_loses_none(tmp_path):
    recorder = Recorder(tmp_path, 4000)
    children = []
    for process in range(2):
        child = os.fork()
        if child == 0:

            def work(n, process=process):
                for i in range(50):
                    recorder.record("s" * 16, f"{process} {n} {i} " + "x" * 40, None, None)

            threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            os.kill(os.getpid(), 9)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    got = entries(tmp_path)
    assert len(got) == len({e["query"] for e in got}) == 2 * 3 * 50
    assert len({e["session"] for e in got}) == 1  # the processes agree on names


def test_a_full_disk_leaves_no_part_of_a_line(tmp_path, monkeypatch, make_client):
    client = make_client(record=tmp_path)
    assert client.post("/api/v1/accept", json={"query": "first"}).status_code == 200
    write = os.write

    def write_some(fd, data):
        return write(fd, data[:5])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_some)
        response = client.post("/api/v1/accept", json={"query": "second"})
    assert response.status_code == 503
    assert client.post("/api/v1/accept", json={"query": "third"}).status_code == 200
    assert [e["query"] for e in entries(tmp_path)] == ["first", "third"]


def test_a_folder_that_cannot_be_used_is_an_error_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot record into"):
        Recorder(tmp_path / "file", 1000)
