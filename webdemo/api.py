"""The HTTP API: what a request is answered with under ``/api/v1``."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from flask import Blueprint, Response, request

from qac.errors import OutputError
from qac.text import normalize
from qac.webdemo.limits import (
    CompletionRequest,
    FieldError,
    completion_request,
    parse_object,
    parse_query,
    refuse_unknown,
    session_name,
    text,
    whole_number,
)
from qac.webdemo.openapi import openapi_document
from qac.webdemo.services import services

logger = logging.getLogger(__name__)

_encode = json.JSONEncoder(separators=(",", ":")).encode

api = Blueprint("api", __name__, url_prefix="/api/v1")
probes = Blueprint("probes", __name__)


def json_response(value: Any, status: int = 200) -> Response:
    """Return a response of ``value`` as JSON."""
    return Response(_encode(value), status, mimetype="application/json")


def error_response(status: int, message: str, field: str | None = None) -> Response:
    """Return an error as the API gives it."""
    return json_response({"error": {"field": field, "message": message}}, status)


@api.get("/complete")
def complete() -> Response:
    """Complete one prefix; the answer may be kept by the browser and asked about with its ETag."""
    found = services()
    asked = completion_request(parse_query(request.args), found.config)
    snapshot = found.engine.current
    if request.if_none_match.contains_weak(snapshot.etag):
        response = Response(status=304)
    else:
        answer = snapshot.complete(asked)
        found.metrics.count_answers([answer])
        response = json_response(answer.to_json() | {"model": snapshot.model.version})
    response.headers["ETag"] = f'W/"{snapshot.etag}"'  # weak: the time that it took differs
    # To be asked about every time: a blocklist acts at once. Queries are private to who made them.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@api.post("/complete")
def complete_json() -> Response:
    """Complete one prefix, given as JSON."""
    asked = completion_request(_body(), services().config)
    snapshot = services().engine.current
    answer = snapshot.complete(asked)
    services().metrics.count_answers([answer])
    return json_response(answer.to_json() | {"model": snapshot.model.version})


@api.post("/complete/batch")
def complete_batch() -> Response:
    """Complete many prefixes, all from the same model."""
    started = time.perf_counter_ns()
    fields = _body()
    refuse_unknown(fields, ("requests",))
    requests = fields.get("requests")
    limits = services().config
    if not isinstance(requests, list) or len(requests) > limits.max_batch:
        raise FieldError("requests", f"expected a list of at most {limits.max_batch} requests")
    asked: list[CompletionRequest] = []
    for i, one in enumerate(requests):
        if not isinstance(one, dict):
            raise FieldError(f"requests[{i}]", 'expected an object with "prefix", "prev" and "k"')
        asked.append(completion_request(one, limits, where=f"requests[{i}]."))
    snapshot = services().engine.current
    answers = [snapshot.complete(one) for one in asked]
    services().metrics.count_answers(answers)
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
    limits = services().config
    asked = completion_request(fields, limits, also=("text",))
    if "text" not in fields:
        raise FieldError("text", "expected the completion to explain")
    wanted = text(fields["text"], "text", limits)
    snapshot = services().engine.current
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


@api.post("/accept")
def accept() -> Response:
    """Record that somebody searched, where that is wanted; say under which name the session's next one is to come."""
    recorder, limits = services().recorder, services().config
    if recorder is None:
        return error_response(404, "this server records nothing")
    fields = _body()
    refuse_unknown(fields, ("query", "prefix", "rank", "session"))
    if "query" not in fields:
        raise FieldError("query", "expected what was searched for")
    query = text(fields["query"], "query", limits)
    prefix = text(fields["prefix"], "prefix", limits) if fields.get("prefix") is not None else None
    rank = whole_number(fields["rank"], "rank", limits.max_k) if fields.get("rank") is not None else None
    session = session_name(fields.get("session"))
    snapshot = services().engine.current
    protocol = snapshot.model.completer.protocol
    query = normalize(query, protocol)
    if not query:
        raise FieldError("query", "expected a query, got only white space")
    if not snapshot.blocklist.blocks(query, protocol):
        try:
            recorder.record(session, query, prefix, rank)
        except OutputError as e:
            logger.error("%s", e)
            return error_response(503, "nothing can be recorded at the moment")
        services().metrics.count_recorded()
    return json_response({"session": session})


@probes.get("/metrics")
def metrics() -> Response:
    """Return what all worker processes counted, for Prometheus."""
    found = services()
    return Response(found.metrics.exposition(found.engine), content_type="text/plain; version=0.0.4; charset=utf-8")


@probes.get("/openapi.json")
def openapi() -> Response:
    """Return the description of this API."""
    return json_response(openapi_document(services().config))


@probes.get("/healthz")
def healthz() -> Response:
    """Say that the process answers."""
    return json_response({"status": "ok"})


@probes.get("/readyz")
def readyz() -> Response:
    """Say that there is a model to answer from."""
    model = services().engine.current.model
    return json_response({"status": "ready", "model": model.version, "queries": len(model.completer)})


def _body() -> dict[str, Any]:
    # Other types can be sent by any page without being asked first: no way in for foreign sites.
    if not request.is_json:
        raise FieldError(None, "expected the content type application/json")
    return parse_object(request.get_data(cache=False))
