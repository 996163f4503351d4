"""The Flask application."""

from __future__ import annotations

import logging

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from qac.config import ServerConfig
from qac.webdemo.api import api, error_response, probes
from qac.webdemo.limits import FieldError
from qac.webdemo.models import Engine

logger = logging.getLogger(__name__)


def create_app(config: ServerConfig) -> Flask:
    """Return the application that answers as ``config`` says.

    ``app.extensions["qac"]`` is its :class:`~qac.webdemo.models.Engine`, ``app.config["QAC"]`` is ``config``.

    Raises
    ------
    QacError
        The model or the blocklist cannot be used.
    """
    app = Flask("qac.webdemo")
    app.config.update(QAC=config, MAX_CONTENT_LENGTH=config.max_body)
    app.extensions["qac"] = Engine(config)
    app.register_blueprint(api)
    app.register_blueprint(probes)
    app.register_error_handler(FieldError, _refuse)
    app.register_error_handler(HTTPException, _fail)
    app.register_error_handler(Exception, _break)
    app.after_request(_protect)
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
    logger.error("failed: %s %s", request.method, request.path, exc_info=error)
    return error_response(500, "the server failed; its log says why")


def _protect(response: Response) -> Response:
    """Tell browsers not to guess types, not to hand on queries in addresses, and that this is nothing to frame."""
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    headers.setdefault("Cache-Control", "no-store")
    return response
