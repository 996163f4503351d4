"""The Flask application."""

from __future__ import annotations

import logging
import time
from urllib.parse import quote

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from qac.config import ServerConfig
from qac.webdemo.api import api, error_response, probes
from qac.webdemo.limits import FieldError
from qac.webdemo.logs import log_access
from qac.webdemo.metrics import Metrics
from qac.webdemo.models import Engine
from qac.webdemo.page import page
from qac.webdemo.recording import Recorder
from qac.webdemo.services import Services, services

logger = logging.getLogger(__name__)

_COUNTED_AS = {
    "api.complete": "complete",
    "api.complete_json": "complete",
    "api.complete_batch": "batch",
    "api.explain": "explain",
    "api.accept": "accept",
    "page.index": "page",
}
"""Endpoints by what the metrics call them; the others are "other"."""

_PROTECTION = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Headers of every answer that has no other values of its own."""


def create_app(config: ServerConfig, metrics: Metrics | None = None) -> Flask:
    """Return the application that answers as ``config`` says.

    Parameters
    ----------
    config : ServerConfig
    metrics : Metrics or None
        What to count in, where processes share it.

    Raises
    ------
    QacError
        The model or the blocklist cannot be used, or nothing can be recorded where it is to be.
    """
    app = Flask("qac.webdemo")
    app.config["MAX_CONTENT_LENGTH"] = config.max_body
    recorder = Recorder(config.record, config.max_record_file) if config.record else None
    app.extensions["qac"] = Services(config, Engine(config), metrics or Metrics(), recorder)
    app.register_blueprint(api)
    app.register_blueprint(probes)
    app.register_blueprint(page)
    app.register_error_handler(FieldError, _refuse)
    app.register_error_handler(HTTPException, _fail)
    app.register_error_handler(Exception, _break)
    app.before_request(_begin)
    app.after_request(_share)
    app.after_request(_protect)
    app.after_request(_account)
    return app


def _refuse(error: FieldError) -> Response:
    return error_response(400, str(error), error.field)


def _fail(error: HTTPException) -> Response:
    response = error_response(error.code or 500, error.description or error.name)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _break(error: Exception) -> Response:
    # The path, not the URL: queries are nobody's business.
    logger.error("failed: %s %s", request.method, quote(request.path), exc_info=error)
    return error_response(500, "the server failed; its log says why")


def _begin() -> None:
    g.began = time.perf_counter_ns()


def _protect(response: Response) -> Response:
    """Tell browsers not to guess types, not to hand on queries in addresses, and that this is nothing to frame."""
    there = {name.lower() for name, _ in response.headers}
    for name, value in _PROTECTION.items():
        if name.lower() not in there:
            response.headers.add(name, value)
    return response


def _share(response: Response) -> Response:
    """Let pages of the origins that were named read answers of the API (CORS)."""
    origins = services().config.origins
    if not origins or request.blueprint != "api":
        return response
    headers = response.headers
    if "*" in origins:
        headers["Access-Control-Allow-Origin"] = "*"
    else:
        response.vary.add("Origin")
        origin = request.headers.get("Origin", "")
        if origin not in origins:
            return response
        headers["Access-Control-Allow-Origin"] = origin
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = headers.get("Allow", "")
        headers["Access-Control-Allow-Headers"] = "Content-Type, If-None-Match"
        headers["Access-Control-Max-Age"] = "3600"
    return response


def _account(response: Response) -> Response:
    """Count the request and, if that is wanted, log it."""
    nanoseconds = time.perf_counter_ns() - g.began
    found = services()
    found.metrics.count_request(_COUNTED_AS.get(request.endpoint or "", "other"), response.status_code, nanoseconds)
    if found.config.access_log:
        path, size = quote(request.path)[:200], response.calculate_content_length()
        log_access(request.method, path, response.status_code, size, nanoseconds // 1000)
    return response
