"""The page: a search box to try a model with. It works as a plain form too, without JavaScript."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, make_response, render_template, request

from qac.webdemo.highlight import Ranges
from qac.webdemo.limits import CompletionRequest, FieldError, completion_request
from qac.webdemo.models import Answer, Snapshot
from qac.webdemo.services import services

MAX_SESSION: Final = 10
"""Earlier queries that the page keeps; more would only be of small weight."""
SHOWN: Final = 8
"""Suggestions that the page shows."""
EXAMPLES: Final = 6
"""Popular queries that it proposes to begin a session with."""

# Nothing but what this server itself sends: no script or style within the page, no other host, no frame around it.
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

page = Blueprint("page", __name__)


@page.get("/")
def index() -> Response:
    """Show the page: with what was asked for, for who has no JavaScript, and ready to be typed into for all others.

    Its parameters: ``q``, what is typed; ``prev``, repeated, the session's queries, oldest first; ``compare=1``, to see
    the answers without the session too; ``search=1``, to make ``q`` the session's newest query.
    """
    args = request.args
    typed, session, problem = args.get("q", ""), args.getlist("prev"), None
    if args.get("search") and typed.strip():
        typed, session = "", [*session, typed.strip()]
    session = [q for q in session if q.strip()][-MAX_SESSION:]
    current = services().engine.current
    answer = without = None
    try:
        answer = _answer(current, typed, session)
        without = _answer(current, typed, [])
    except FieldError as e:
        problem = f"{'What was typed' if e.field == 'prefix' else 'The session'}: {e}."
    response = make_response(
        render_template(
            "index.html",
            typed=typed,
            session=session,
            compare=bool(args.get("compare")),
            max_session=MAX_SESSION,
            shown=SHOWN,
            answer=answer,
            without=without,
            asked="q" in args,
            problem=problem,
            examples=[c.text for c in current.complete(CompletionRequest("", (), EXAMPLES)).completions],
            model=current.model.version,
            queries=len(current.model.completer),
            recording=services().recorder is not None,
            pieces=pieces,
        ),
        400 if problem else 200,
    )
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _answer(current: Snapshot, typed: str, session: list[str]) -> Answer:
    return current.complete(completion_request({"prefix": typed, "prev": session, "k": SHOWN}, services().config))


def pieces(text: str, untyped: Ranges) -> list[tuple[str, bool]]:
    """Return ``text`` in pieces, each with whether it is one of the ranges ``untyped``."""
    cut, done = [], 0
    for begin, end in untyped:
        cut += [(text[done:begin], False), (text[begin:end], True)]
        done = end
    return [(piece, new) for piece, new in [*cut, (text[done:], False)] if piece]
