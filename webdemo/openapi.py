"""The description of the API (OpenAPI 3.1): paths, parameters, bounds and what answers look like."""

from __future__ import annotations

from typing import Any

from qac._version import __version__
from qac.config import ServerConfig

Json = dict[str, Any]


def openapi_document(config: ServerConfig) -> Json:
    """Return the description of a server with these settings."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "qac", "version": __version__, "summary": "Session-aware query autocompletion"},
        "paths": {
            "/api/v1/complete": {
                "get": _operation(
                    "complete",
                    "Complete a prefix",
                    _ref("CompletionResponse"),
                    parameters=_request_parameters(config),
                    also={"304": {"description": "As it was when the ETag was given"}},
                ),
                "post": _operation(
                    "completeJson",
                    "Complete a prefix, given as JSON",
                    _ref("CompletionResponse"),
                    body=_ref("CompletionRequest"),
                ),
            },
            "/api/v1/complete/batch": {
                "post": _operation(
                    "completeBatch",
                    "Complete many prefixes from the same model",
                    _ref("BatchResponse"),
                    body=_ref("BatchRequest"),
                ),
            },
            "/api/v1/explain": {
                "get": _operation(
                    "explain",
                    "Say why a completion is scored as it is",
                    _ref("ExplanationResponse"),
                    parameters=[
                        *_request_parameters(config),
                        {"name": "text", "in": "query", "required": True, "schema": _text(config)},
                    ],
                    also={"404": _error("It is no answer to the request")},
                ),
            },
            "/api/v1/accept": {
                "post": _operation(
                    "accept",
                    "Record a search",
                    _object({"session": _session()}),
                    body=_ref("AcceptRequest"),
                    also={"404": _error("Nothing is recorded here"), "503": _error("Nothing can be recorded now")},
                ),
            },
            "/healthz": {"get": _probe("healthz", "Whether the process answers", {"status": {"const": "ok"}})},
            "/readyz": {
                "get": _probe(
                    "readyz",
                    "Whether there is a model to answer from",
                    {"status": {"const": "ready"}, "model": _model(), "queries": _count()},
                )
            },
            "/metrics": {
                "get": {
                    "operationId": "metrics",
                    "summary": "Counters of all worker processes, for Prometheus",
                    "responses": {"200": {"description": "Metrics", "content": {"text/plain": {"schema": _STRING}}}},
                }
            },
            "/openapi.json": {
                "get": {
                    "operationId": "openapi",
                    "summary": "This description",
                    "responses": {"200": _json("The description", {"type": "object"})},
                }
            },
        },
        "components": {"schemas": _schemas(config)},
    }


def _schemas(config: ServerConfig) -> Json:
    request = {
        "prefix": {**_text(config), "default": ""},
        "prev": {"type": "array", "items": _text(config), "maxItems": config.max_prev, "default": []},
        "k": {"type": "integer", "minimum": 1, "maximum": config.max_k, "default": config.default_k},
        "session": {"type": "boolean", "default": True},
    }
    result = {
        "prefix": _STRING,
        "prev": _list(_STRING),
        "completions": _list(_ref("Completion")),
        "took_us": _count(),
    }
    return {
        "CompletionRequest": _object(request, required=[]),
        "BatchRequest": _object(
            {"requests": {"type": "array", "items": _ref("CompletionRequest"), "maxItems": config.max_batch}}
        ),
        "AcceptRequest": _object(
            {
                "query": _text(config),
                "prefix": {**_text(config), "type": ["string", "null"]},
                "rank": {"type": ["integer", "null"], "minimum": 1, "maximum": config.max_k},
                "session": {**_session(), "type": ["string", "null"]},
            },
            required=["query"],
        ),
        "Completion": _object(
            {
                "text": _STRING,
                "score": {"type": "number", "minimum": 0},
                "source": {"enum": ["index", "session", "composed", "corrected"]},
                "highlight": {
                    "description": "Ranges [begin, end) of code points that the user did not type",
                    **_list({"type": "array", "items": _count(), "minItems": 2, "maxItems": 2}),
                },
            }
        ),
        "CompletionResponse": _object({**result, "model": _model()}),
        "BatchResponse": _object({"results": _list(_object(result)), "model": _model(), "took_us": _count()}),
        "ExplanationResponse": _object(
            {"text": _STRING, "score": _NUMBER, "explanation": _ref("Explanation"), "model": _model()}
        ),
        "Explanation": _object(
            {
                "text": _STRING,
                "score": _NUMBER,
                "meant": {"type": ["string", "null"]},
                "composed": _NUMBER,
                "recalled": _NUMBER,
                "count": _NUMBER,
                "prior": _NUMBER,
                "probability": _NUMBER,
                "repeats": {"type": "boolean"},
                "steps": _list(_ref("Step")),
            }
        ),
        "Step": _object(
            {
                "what": _STRING,
                "kind": {"enum": ["letters", "cluster", "query"]},
                "alternatives": _count(),
                "prior": _NUMBER,
                "probability": _NUMBER,
                "pushes": _list(_object({"text": _STRING, "kind": _STRING, "weight": _NUMBER})),
            }
        ),
        "Error": _object({"error": _object({"field": {"type": ["string", "null"]}, "message": _STRING})}),
    }


_STRING: Json = {"type": "string"}
_NUMBER: Json = {"type": "number"}


def _count() -> Json:
    return {"type": "integer", "minimum": 0}


def _text(config: ServerConfig) -> Json:
    return {"type": "string", "maxLength": config.max_chars}


def _session() -> Json:
    return {"type": "string", "pattern": "^[A-Za-z0-9_-]{16,64}$"}


def _model() -> Json:
    return {"type": "string", "pattern": "^[0-9a-f]{12}$"}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _object(properties: Json, required: list[str] | None = None) -> Json:
    """Return the schema of an object with these properties and no others, ``required`` (None: all) always there."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _error(description: str) -> Json:
    return _json(description, _ref("Error"))


def _request_parameters(config: ServerConfig) -> list[Json]:
    properties = _schemas(config)["CompletionRequest"]["properties"]
    schemas = {**properties, "session": {"enum": ["0", "1"], "default": "1"}}
    return [
        {
            "name": name,
            "in": "query",
            "schema": schema,
            **({"description": "Repeated, oldest first", "style": "form", "explode": True} if name == "prev" else {}),
        }
        for name, schema in schemas.items()
    ]


def _operation(
    name: str,
    summary: str,
    answer: Json,
    *,
    parameters: list[Json] | None = None,
    body: Json | None = None,
    also: Json | None = None,
) -> Json:
    """Return an operation; those with a body refuse other types than JSON, and bodies that are too large."""
    operation: Json = {"operationId": name, "summary": summary}
    if parameters:
        operation["parameters"] = parameters
    responses = {"200": _json("Done", answer), "400": _error("A field is not what it must be")}
    if body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
        responses["413"] = _error("The body is too large")
    operation["responses"] = responses | (also or {})
    return operation


def _probe(name: str, summary: str, properties: Json) -> Json:
    return {"operationId": name, "summary": summary, "responses": {"200": _json("Yes", _object(properties))}}
