"""The page as the server renders it: a plain form, for who has no JavaScript."""

import re
from html import unescape
from pathlib import Path

import pytest

from qac.config import ServerConfig
from qac.webdemo.app import create_app
from qac.webdemo.page import MAX_SESSION, pieces

STATIC = Path(create_app.__code__.co_filename).parent / "static"


@pytest.fixture(scope="module")
def client(model_path):
    return create_app(ServerConfig(model=model_path)).test_client()


def suggestions(html):
    found = re.findall(r'<a class="qac-text" href="([^"]*)"><bdi>(.*?)</bdi></a>', html, re.DOTALL)
    return [(unescape(href), unescape(re.sub(r"</?b>|\s*\n\s*", "", text))) for href, text in found]


def test_the_form_lists_what_the_api_answers(client):
    answer = client.get("/api/v1/complete", query_string={"prefix": "n", "prev": "digital camera", "k": 8}).get_json()
    html = client.get("/", query_string={"q": "n", "prev": "digital camera"}).text
    assert [text for _, text in suggestions(html)] == [c["text"] for c in answer["completions"]]
    assert "n<b>ikon d70</b>" in html


def test_following_a_suggestion_makes_it_the_newest_query(client):
    html = client.get("/", query_string={"q": "n", "prev": ["travel", "digital camera"]}).text
    href, text = suggestions(html)[0]
    followed = client.get(href).text
    assert re.findall(r'name="prev" value="([^"]*)"', followed) == ["travel", "digital camera", text]


def test_the_search_button_makes_the_text_the_newest_query(client):
    html = client.get("/", query_string={"q": " nikon d70 ", "prev": "digital camera", "search": "1"}).text
    assert re.findall(r'name="prev" value="([^"]*)"', html) == ["digital camera", "nikon d70"]
    assert 'name="q" type="search" dir="auto" value=""' in html


def test_a_query_can_be_taken_out_of_the_session(client):
    html = client.get("/", query_string={"q": "n", "prev": ["travel", "digital camera"]}).text
    href = unescape(re.search(r'<a href="([^"]*)" aria-label="Remove “travel”"', html)[1])
    assert re.findall(r'name="prev" value="([^"]*)"', client.get(href).text) == ["digital camera"]


def test_the_same_prefix_without_session_beside_it(client):
    asked = {"q": "n", "prev": "digital camera"}
    alone = [text for _, text in suggestions(client.get("/", query_string=asked).text)]
    both = [text for _, text in suggestions(client.get("/", query_string=asked | {"compare": "1"}).text)]
    plain = [text for _, text in suggestions(client.get("/", query_string={"q": "n"}).text)]
    assert both == alone + plain
    assert alone[0] == "nikon d70" != plain[0]


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onfocus='x", "a\0b\r\nc"]
)
def test_nothing_that_was_sent_becomes_markup(client, hostile):
    response = client.get("/", query_string={"q": hostile, "prev": hostile, "compare": hostile})
    assert response.status_code == 200
    assert "<script>alert" not in response.text
    assert "<img" not in response.text
    assert "onfocus='x" not in response.text


def test_what_is_too_long_is_refused_and_kept(client):
    response = client.get("/", query_string={"q": "n" * 600})
    assert response.status_code == 400
    assert "What was typed: expected at most 512 characters, got 600." in response.text
    assert f'value="{"n" * 600}"' in response.text
    response = client.get("/", query_string={"q": "n", "prev": "d" * 600})
    assert response.status_code == 400
    assert "The session: expected at most 512 characters" in response.text


def test_of_a_long_session_the_newest_queries_count(client):
    html = client.get("/", query_string={"prev": [f"query {i}" for i in range(50)] + ["  "]}).text
    kept = re.findall(r'name="prev" value="([^"]*)"', html)
    assert kept == [f"query {i}" for i in range(50 - MAX_SESSION, 50)]


def test_only_this_server_may_be_asked_or_run(client):
    response = client.get("/")
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert set(policy.values()) == {"'none'", "'self'"}
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", response.text)
    assert not re.search(r'(?:src|href|action)="(?!/)', response.text)


def test_the_page_says_whether_searches_are_recorded(client, model_path, tmp_path):
    assert "It records nothing." in client.get("/").text
    recording = create_app(ServerConfig(model=model_path, record=tmp_path / "log")).test_client()
    assert "It records searches" in recording.get("/").text


@pytest.mark.parametrize("name", sorted(path.name for path in STATIC.iterdir()))
def test_static_files_are_served_in_their_types(client, name):
    types = {".js": "text/javascript application/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    with client.get(f"/static/{name}") as response:
        assert response.mimetype in types[Path(name).suffix].split()
        addresses = re.findall(r"https?://[^\s\"'`)]+", response.text)
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}


def test_the_accessibility_list_names_tests_that_exist():
    root = Path(__file__).parents[2]
    named = re.findall(r"`(test_\w+)`", (root / "docs" / "accessibility.md").read_text(encoding="utf-8"))
    files = (Path(__file__), Path(__file__).with_name("test_page.py"))
    there = re.findall(r"def (test_\w+)", "".join(file.read_text(encoding="utf-8") for file in files))
    assert named
    assert set(named) - set(there) == set()


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([], [("néw", False)]),
        ([(1, 3)], [("n", False), ("éw", True)]),
        ([(0, 1), (2, 3)], [("n", True), ("é", False), ("w", True)]),
    ],
)
def test_pieces_alternate_between_typed_and_not(ranges, expected):
    assert pieces("néw", ranges) == expected
