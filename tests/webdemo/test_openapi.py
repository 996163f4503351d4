import json
import re

import jsonschema
import pytest

from qac.config import ServerConfig
from qac.webdemo.app import create_app
from qac.webdemo.limits import FieldError, completion_request


@pytest.fixture
def document(client):
    """Return what the server says of itself."""
    return client.get("/openapi.json").get_json()


@pytest.fixture
def validate(document):
    """Check a value against a schema of the document."""

    def check(value, schema):
        jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(value)

    return check


def test_it_describes_the_routes_that_there_are_and_no_others(client, document):
    described = {(path, method) for path, item in document["paths"].items() for method in item}
    routed = {
        (rule.rule, method.lower())
        for rule in client.application.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.endpoint.startswith(("api.", "probes."))
    }
    assert described == routed


def test_its_schemas_are_schemas(document):
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert names == set(document["components"]["schemas"])
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))


REQUESTS = [
    ("get", "/api/v1/complete", "prefix=n&prev=digital+camera&k=3", None, 200),
    ("get", "/api/v1/complete", "prefix=nkion", None, 200),
    ("get", "/api/v1/complete", "k=0", None, 400),
    ("post", "/api/v1/complete", "", {"prefix": "日", "prev": [], "k": 1}, 200),
    ("post", "/api/v1/complete", "", {"prefix": "a" * 300_000}, 413),
    ("post", "/api/v1/complete/batch", "", {"requests": [{"prefix": "n"}, {"session": False}]}, 200),
    ("post", "/api/v1/complete/batch", "", {}, 400),
    ("get", "/api/v1/explain", "prefix=n&prev=digital+camera&text=nikon+d70", None, 200),
    ("get", "/api/v1/explain", "prefix=n&text=zebra", None, 404),
    ("post", "/api/v1/accept", "", {"query": "a", "rank": 1, "prefix": None}, 200),
    ("post", "/api/v1/accept", "", {"query": ""}, 400),
    ("get", "/healthz", "", None, 200),
    ("get", "/readyz", "", None, 200),
    ("get", "/openapi.json", "", None, 200),
]


@pytest.mark.parametrize(("method", "path", "query", "body", "status"), REQUESTS)
def test_real_answers_are_as_it_says(make_client, tmp_path, document, validate, method, path, query, body, status):
    client = make_client(record=tmp_path / "r")
    response = client.open(path, method=method, query_string=query, json=body)
    assert response.status_code == status
    content = document["paths"][path][method]["responses"][str(status)]["content"]
    validate(response.get_json(), content[response.mimetype]["schema"])


def test_a_cached_answer_and_one_that_is_not_recorded_are_described(client, document):
    etag = client.get("/api/v1/complete").headers["ETag"]
    status = client.get("/api/v1/complete", headers={"If-None-Match": etag}).status_code
    assert str(status) in document["paths"]["/api/v1/complete"]["get"]["responses"]
    status = client.post("/api/v1/accept", json={"query": "a"}).status_code
    assert str(status) in document["paths"]["/api/v1/accept"]["post"]["responses"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"prefix": "a" * 512, "prev": ["b"] * 20, "k": 100},
        {"prefix": "a" * 513},
        {"prev": ["b"] * 21},
        {"prev": ["b" * 513]},
        {"prev": "a"},
        {"k": 0},
        {"k": 101},
        {"k": "1"},
        {"session": 0},
        {"x": 1},
        {"prefix": None},
    ],
)
def test_its_bounds_are_those_of_the_server(fields, validate, document):
    try:
        completion_request(fields, ServerConfig(model=None))
        allowed = True
    except FieldError:
        allowed = False
    try:
        validate(fields, document["components"]["schemas"]["CompletionRequest"])
        described = True
    except jsonschema.ValidationError:
        described = False
    assert described == allowed


def test_its_parameters_are_those_that_the_server_knows(client, document):
    for path in ("/api/v1/complete", "/api/v1/explain"):
        parameters = {p["name"] for p in document["paths"][path]["get"]["parameters"]}
        values = {"prefix": "n", "prev": "a", "k": "1", "session": "0", "text": "nike"}
        for name in parameters:
            response = client.get(
                path, query_string={"text": "nike", name: values[name]} if "explain" in path else {name: values[name]}
            )
            assert response.status_code in (200, 404)
        assert client.get(path, query_string={"other": "1"}).status_code == 400


def test_other_settings_make_another_description(model_path):
    client = create_app(ServerConfig(model_path, max_k=7)).test_client()
    schema = client.get("/openapi.json").get_json()["components"]["schemas"]["CompletionRequest"]
    assert schema["properties"]["k"]["maximum"] == 7
