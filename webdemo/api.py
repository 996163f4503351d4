"""The HTTP API: what a request is answered with under ``/api/v1``."""

from __future__ import annotations

import json
import time
from typing import Any

from flask import Blueprint, Response, current_app, request

from qac.config import ServerConfig
from qac.webdemo.limits import (
    CompletionRequest,
    FieldError,
    completion_request,
    parse_object,
    parse_query,
    refuse_unknown,
    text,
)
from qac.webdemo.models import Answer, Engine

api = Blueprint("api", __name__, url_prefix="/api/v1")
probes = Blueprint("probes", __name__)


def engine() -> Engine:
    """Return what the application answers from."""
    found: Engine = current_app.extensions["qac"]
    return found


def config() -> ServerConfig:
    """Return the application's settings."""
    found: ServerConfig = current_app.config["QAC"]
    return found


def json_response(value: Any, status: int = 200) -> Response:
    """Return a response of ``value`` as JSON."""
    return Response(json.dumps(value, separators=(",", ":")), status, mimetype="application/json")


def error_response(status: int, message: str, field: str | None = None) -> Response:
    """Return an error as the API gives it."""
    return json_response({"error": {"field": field, "message": message}}, status)


@api.get("/complete")
def complete() -> Response:
    """Complete one prefix; the answer may be kept by the browser and asked about with its ETag."""
    asked = completion_request(parse_query(request.args), config())
    snapshot = engine().current
    if request.if_none_match.contains_weak(snapshot.etag):
        response = Response(status=304)
    else:
        answer = snapshot.complete(asked)
        response = json_response(answer.to_json() | {"model": snapshot.model.version})
    response.set_etag(snapshot.etag, weak=True)  # weak: the time that it took differs
    # To be asked about every time: a blocklist acts at once. Queries are private to who made them.
    response.cache_control.private = True
    response.cache_control.no_cache = True
    return response


@api.post("/complete")
def complete_json() -> Response:
    """Complete one prefix, given as JSON."""
    asked = completion_request(_body(), config())
    snapshot = engine().current
    return json_response(snapshot.complete(asked).to_json() | {"model": snapshot.model.version})


@api.post("/complete/batch")
def complete_batch() -> Response:
    """Complete many prefixes, all from the same model."""
    started = time.perf_counter_ns()
    fields = _body()
    refuse_unknown(fields, ("requests",))
    requests = fields.get("requests")
    limits = config()
    if not isinstance(requests, list) or len(requests) > limits.max_batch:
        raise FieldError("requests", f"expected a list of at most {limits.max_batch} requests")
    asked: list[CompletionRequest] = []
    for i, one in enumerate(requests):
        if not isinstance(one, dict):
            raise FieldError(f"requests[{i}]", 'expected an object with "prefix", "prev" and "k"')
        asked.append(completion_request(one, limits, where=f"requests[{i}]."))
    snapshot = engine().current
    answers = [snapshot.complete(one) for one in asked]
    return json_response(
        {
            "results": [answer.to_json() for answer in answers],
            "model": snapshot.model.version,
            "took_us": (time.perf_counter_ns() - started) // 1000,
        }
    )


@api.get("/explain")
def explain() -> Response:
    """Say why a completion is scored as it is."""
    fields = parse_query(request.args, also=("text",))
    limits = config()
    asked = completion_request(fields, limits, also=("text",))
    if "text" not in fields:
        raise FieldError("text", "expected the completion to explain")
    wanted = text(fields["text"], "text", limits)
    snapshot = engine().current
    explanation = snapshot.explain(asked, wanted)
    if explanation is None:
        return error_response(404, "this is no answer to the request", "text")
    return json_response(
        {
            "text": explanation.text,
            "score": explanation.score,
            "explanation": explanation.to_json(),
            "model": snapshot.model.version,
        }
    )


@probes.get("/healthz")
def healthz() -> Response:
    """Say that the process answers."""
    return json_response({"status": "ok"})


@probes.get("/readyz")
def readyz() -> Response:
    """Say that there is a model to answer from."""
    model = engine().current.model
    return json_response({"status": "ready", "model": model.version, "queries": len(model.completer)})


def _body() -> dict[str, Any]:
    # Other types can be sent by any page without being asked first: no way in for foreign sites.
    if not request.is_json:
        raise FieldError(None, "expected the content type application/json")
    return parse_object(request.get_data(cache=False))
