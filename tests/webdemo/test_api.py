import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qac.completer import Completer
from qac.errors import ModelError


def texts(response):
    return [c["text"] for c in response.get_json()["completions"]]


def error_of(response):
    return response.get_json()["error"]


def test_an_answer(client, model_path):
    response = client.get("/api/v1/complete?prefix=N&prev=digital+camera&k=3")
    wanted = Completer.load(model_path).complete("N", ["digital camera"], 3)
    assert response.status_code == 200
    got = response.get_json()
    assert (got["prefix"], got["prev"]) == ("N", ["digital camera"])
    assert [(c["text"], c["score"], c["source"]) for c in got["completions"]] == [tuple(c) for c in wanted]
    assert all(c["highlight"] == [[1, len(c["text"])]] for c in got["completions"])
    assert got["model"] == Completer.load(model_path).info()["fingerprint"][:12]
    assert got["took_us"] >= 0


def test_earlier_queries_come_oldest_first(client, model_path):
    completer = Completer.load(model_path)
    for prev in (["travel", "digital camera"], ["digital camera", "travel"]):
        got = client.get("/api/v1/complete", query_string={"prefix": "n", "prev": prev})
        assert texts(got) == [c.text for c in completer.complete("n", prev)]


def test_a_session_can_be_left_out(client):
    ask = "/api/v1/complete?prefix=n&prev=digital+camera"
    without = texts(client.get("/api/v1/complete?prefix=n"))
    assert texts(client.get(f"{ask}&session=0")) == without != texts(client.get(f"{ask}&session=1"))


def test_corrected_and_composed_completions_say_so_unless_they_are_not_wanted(make_client):
    asked = "/api/v1/complete?prefix=nkion&k=1"
    (corrected,) = make_client().get(asked).get_json()["completions"]
    assert corrected["source"] == "corrected"
    assert corrected["highlight"][0] == [1, 3]
    plain = make_client(compose=False, correct=False)
    assert texts(plain.get(asked)) == []


def test_json_gives_the_same(client):
    asked = {"prefix": "n", "prev": ["travel", "digital camera"], "k": 4}
    posted = client.post("/api/v1/complete", json=asked)
    assert posted.headers["Cache-Control"] == "no-store"
    assert texts(posted) == texts(client.get("/api/v1/complete", query_string=asked))
    batch = client.post("/api/v1/complete/batch", json={"requests": [asked, {}, {"prefix": "日"}]}).get_json()
    assert batch["model"] == posted.get_json()["model"]
    assert [c["text"] for c in batch["results"][0]["completions"]] == texts(posted)
    assert [r["prefix"] for r in batch["results"]] == ["n", "", "日"]
    assert client.post("/api/v1/complete/batch", json={"requests": []}).get_json()["results"] == []


def test_an_explanation(client, model_path):
    asked = {"prefix": "n", "prev": ["digital camera"], "text": "nikon d70"}
    got = client.get("/api/v1/explain", query_string=asked).get_json()
    wanted = Completer.load(model_path).explain("n", ["digital camera"], "nikon d70")
    assert got["explanation"] == json.loads(json.dumps(wanted.to_json()))
    assert (got["text"], got["score"]) == ("nikon d70", wanted.score)
    response = client.get("/api/v1/explain", query_string={**asked, "text": "zebra"})
    assert (response.status_code, error_of(response)["field"]) == (404, "text")
    response = client.get("/api/v1/explain?prefix=n")
    assert (response.status_code, error_of(response)["field"]) == (400, "text")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("k=0", "k"),
        ("k=101", "k"),
        ("prefix=" + "a" * 513, "prefix"),
        ("&".join(["prev=a"] * 21), "prev"),
        ("x=1", "x"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(client, query, field):
    for path in ("complete", "explain"):
        response = client.get(f"/api/v1/{path}?{query}")
        assert (response.status_code, error_of(response)["field"]) == (400, field)


def test_batches_are_bounded_and_their_errors_say_which_request(client):
    for requests in ([{}] * 101, {}, None, "a"):
        response = client.post("/api/v1/complete/batch", json={"requests": requests})
        assert (response.status_code, error_of(response)["field"]) == (400, "requests")
    for one, field in ((7, "requests[1]"), ({"k": 0}, "requests[1].k")):
        response = client.post("/api/v1/complete/batch", json={"requests": [{}, one]})
        assert (response.status_code, error_of(response)["field"]) == (400, field)


def test_bodies_are_bounded(client):
    response = client.post("/api/v1/complete", json={"prefix": "a" * (1 << 18)})
    assert response.status_code == 413
    assert error_of(response)["message"]


def test_bodies_must_say_that_they_are_json(client):
    response = client.post("/api/v1/complete", data='{"prefix": "n"}', content_type="text/plain")
    assert response.status_code == 400
    assert "application/json" in error_of(response)["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/complete/batch", 405),
        ("DELETE", "/api/v1/complete", 405),
        ("GET", "/api/v1/%3Cscript%3E", 404),
    ],
)
def test_other_errors_are_json_too(client, method, path, status):
    response = client.open(path, method=method)
    assert response.status_code == status
    assert response.mimetype == "application/json"
    assert "<" not in response.text
    assert (status == 405) == ("Allow" in response.headers)


HOSTILE = [
    "\0",
    "a\0b",
    "a\r\nSet-Cookie: b=1",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\ud800",
    "\u202e\u200d\ufeff",
    "ﷺ" * 512,  # each 18 characters in normal form
    "a" * 512,
    "'; DROP TABLE queries; --",
    "../../etc/passwd",
    "%s%n{0}{{7*7}}",
    "\u0130" * 512,
    "e\u0301\u0327" * 170,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_ordinary_ones(client, text):
    asked = {"prefix": text, "prev": [text] * 20, "k": 100}
    body = json.dumps(asked)  # with a lone surrogate escaped
    response = client.post("/api/v1/complete", data=body, content_type="application/json")
    assert response.status_code == 200
    assert response.get_json()["prefix"] == text
    assert response.mimetype == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert set(response.headers.keys()).isdisjoint({"Set-Cookie"})
    for c in response.get_json()["completions"]:
        assert "\0" not in c["text"]
    batch = client.post("/api/v1/complete/batch", data=f'{{"requests": [{body}]}}', content_type="application/json")
    assert batch.status_code == 200


@pytest.mark.parametrize(
    "query", ["prefix=%", "prefix=%zz", "prefix=%ff%fe", "prefix=%00", "&&==&", "prefix=%0d%0aA:b", "k"]
)
def test_malformed_addresses_break_nothing(client, query):
    assert client.get(f"/api/v1/complete?{query}").status_code in (200, 400)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=3), st.integers(1, 100))
def test_any_text_gets_an_answer_within_its_highlights(client, prefix, prev, k):
    response = client.post(
        "/api/v1/complete",
        data=json.dumps({"prefix": prefix, "prev": prev, "k": k}),
        content_type="application/json",
    )
    assert response.status_code == 200
    got = response.get_json()["completions"]
    assert len(got) <= k
    for c in got:
        assert all(0 <= b < e <= len(c["text"]) for b, e in c["highlight"])


# ---- caching ----


def test_an_answer_is_not_given_twice_to_who_has_it(client):
    first = client.get("/api/v1/complete?prefix=n")
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = client.get("/api/v1/complete?prefix=n", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    other = client.get("/api/v1/complete?prefix=n", headers={"If-None-Match": 'W/"other"'})
    assert other.status_code == 200


def test_what_is_wrong_is_wrong_though_the_model_is_known(client):
    tag = client.get("/api/v1/complete").headers["ETag"]
    assert client.get("/api/v1/complete?k=0", headers={"If-None-Match": tag}).status_code == 400


def test_the_tag_changes_with_all_that_changes_answers(make_client, other_model, tmp_path):
    blocklist = tmp_path / "block.txt"
    blocklist.write_text("nike\n")
    apps = [{}, {"model": other_model}, {"blocklist": blocklist}, {"compose": False}, {"correct": False}]
    tags = [make_client(**a).get("/api/v1/complete").headers["ETag"] for a in apps]
    assert len(set(tags)) == len(apps)
    assert make_client().get("/api/v1/complete").headers["ETag"] == tags[0]  # the same in every process


# ---- other sites ----


def test_other_sites_may_not_ask_unless_they_are_named(client, make_client):
    headers = {"Origin": "https://shop.example"}
    response = client.get("/api/v1/complete", headers=headers)
    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
    named = make_client(origins=("https://shop.example",))
    response = named.get("/api/v1/complete", headers=headers)
    assert response.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert "Origin" in response.headers["Vary"]
    response = named.get("/api/v1/complete", headers={"Origin": "https://shop.example.evil.example"})
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Origin" in response.headers["Vary"]
    assert "Access-Control-Allow-Origin" not in named.get("/metrics", headers=headers).headers


def test_browsers_may_ask_first(make_client):
    named = make_client(origins=("*",))
    response = named.options("/api/v1/complete", headers={"Origin": "https://a.example"})
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert {"GET", "POST"} <= set(response.headers["Access-Control-Allow-Methods"].split(", "))
    assert "Content-Type" in response.headers["Access-Control-Allow-Headers"]


# ---- the blocklist ----


def test_what_is_blocked_makes_room_for_others(make_client, client, tmp_path):
    before = texts(client.get("/api/v1/complete?prefix=n&k=12"))
    blocklist = tmp_path / "block.txt"
    blocklist.write_text(f"{before[0]}\nword: york\nre: ^nike\n")
    blocked = make_client(blocklist=blocklist)
    after = texts(blocked.get("/api/v1/complete?prefix=n&k=4"))
    assert len(after) == 4
    allowed = [t for t in before if t != before[0] and "york" not in t and not t.startswith("nike")]
    assert after == allowed[:4]
    assert blocked.get(f"/api/v1/explain?prefix=n&text={before[0]}").status_code == 404
    assert "qac_blocked_completions_total 0" not in blocked.get("/metrics").text


def test_everything_can_be_blocked(make_client, tmp_path):
    blocklist = tmp_path / "block.txt"
    blocklist.write_text("re: .\n")
    assert texts(make_client(blocklist=blocklist).get("/api/v1/complete")) == []


# ---- failing, and saying little ----


def test_a_failure_says_nothing_and_logs_no_query(client, caplog, monkeypatch):
    def fail(*_):
        raise ModelError("/secret/model.qac is damaged")

    monkeypatch.setattr(Completer, "complete", fail)
    response = client.get("/api/v1/complete?prefix=my+secret+query")
    assert response.status_code == 500
    assert error_of(response) == {"field": None, "message": "the server failed; its log says why"}
    assert "/secret/model.qac is damaged" in caplog.text
    assert "query" not in caplog.text


def test_the_access_log_has_paths_and_no_queries(make_client, caplog):
    caplog.set_level("INFO")
    client = make_client(access_log=True)
    client.get("/api/v1/complete?prefix=my+secret+query")
    client.get("/a%0d%0aforged line")
    paths = [r.fields["path"] for r in caplog.records]
    assert paths == ["/api/v1/complete", "/a%0D%0Aforged%20line"]
    assert "secret" not in caplog.text
    assert caplog.records[0].fields.keys() == {"method", "path", "status", "bytes", "took_us"}


def test_nothing_is_logged_unless_it_is_wanted(client, caplog):
    caplog.set_level("INFO")
    client.get("/api/v1/complete?prefix=n")
    assert caplog.text == ""


def test_probes(client):
    assert client.get("/healthz").get_json() == {"status": "ok"}
    ready = client.get("/readyz").get_json()
    assert ready["status"] == "ready"
    assert ready["model"] == client.get("/api/v1/complete").get_json()["model"]
    assert ready["queries"] > 0
