"""What a request may be: every field has a type and an upper bound, and what breaks one is named."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from qac.config import ServerConfig


class FieldError(Exception):
    """A request is not what it must be. ``field``: which part of it, None for the whole."""

    def __init__(self, field: str | None, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A prefix to complete; ``prev``: the session's earlier queries, oldest first."""

    prefix: str
    prev: tuple[str, ...]
    k: int


def completion_request(
    fields: Mapping[str, Any], config: ServerConfig, *, where: str = "", also: Iterable[str] = ()
) -> CompletionRequest:
    """Return the request that ``fields``, a JSON object, makes.

    ``where``: what the names of fields begin with in errors. ``also``: other fields that may be there.

    Raises
    ------
    FieldError
        A field is unknown, of a wrong type, or out of bounds.
    """
    refuse_unknown(fields, ("prefix", "prev", "k", "session", *also), where)
    prev = fields.get("prev", ())
    if isinstance(prev, str) or not isinstance(prev, Sequence):
        raise FieldError(f"{where}prev", f"expected a list of strings, got {_kind(prev)}")
    if len(prev) > config.max_prev:
        raise FieldError(f"{where}prev", f"expected at most {config.max_prev} queries, got {len(prev)}")
    session = fields.get("session", True)
    if not isinstance(session, bool):
        raise FieldError(f"{where}session", f"expected true or false, got {_kind(session)}")
    queries = tuple(text(q, f"{where}prev", config) for q in prev)
    return CompletionRequest(
        prefix=text(fields.get("prefix", ""), f"{where}prefix", config),
        prev=queries if session else (),
        k=whole_number(fields.get("k", config.default_k), f"{where}k", config.max_k),
    )


def parse_query(args: MultiDict[str, str], also: Iterable[str] = ()) -> dict[str, Any]:
    """Return the fields of a completion request in a URL, in the types that JSON would have them in.

    ``also``: other fields that may be there.

    Raises
    ------
    FieldError
        A field is unknown, or there twice, or not of its type.
    """
    refuse_unknown(args, ("prefix", "prev", "k", "session", *also))
    fields: dict[str, Any] = {"prev": args.getlist("prev")}
    for name in args:
        values = args.getlist(name)
        if name == "prev":
            continue
        if len(values) > 1:
            raise FieldError(name, f"expected once, got {len(values)} times")
        fields[name] = values[0]
    if "k" in fields:
        digits = fields["k"]
        if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
            raise FieldError("k", f"expected a whole number, got {_shown(digits)}")
        fields["k"] = int(digits)
    if "session" in fields:
        if fields["session"] not in ("0", "1"):
            raise FieldError("session", f"expected 0 or 1, got {_shown(fields['session'])}")
        fields["session"] = fields["session"] == "1"
    return fields


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a request's body.

    Raises
    ------
    FieldError
        It is something else.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as e:
        raise FieldError(None, "the body is not JSON in UTF-8") from e
    if not isinstance(value, dict):
        raise FieldError(None, f"expected a JSON object, got {_kind(value)}")
    return value


def refuse_unknown(fields: Iterable[str], known: Iterable[str], where: str = "") -> None:
    """Raise FieldError for the first of ``fields`` that is not ``known``."""
    allowed = tuple(known)
    for name in fields:
        if name not in allowed:
            raise FieldError(f"{where}{name:.60}", f"unknown field; there are {', '.join(allowed)}")


def text(value: Any, field: str, config: ServerConfig) -> str:
    """Return ``value``, a string of at most ``config.max_chars`` code points. Raises FieldError for anything else."""
    if not isinstance(value, str):
        raise FieldError(field, f"expected a string, got {_kind(value)}")
    if len(value) > config.max_chars:
        raise FieldError(field, f"expected at most {config.max_chars} characters, got {len(value)}")
    return value


def whole_number(value: Any, field: str, high: int) -> int:
    """Return ``value``, a whole number from 1 to ``high``. Raises FieldError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError(field, f"expected a whole number, got {_kind(value)}")
    if not 1 <= value <= high:
        raise FieldError(field, f"expected a whole number from 1 to {high}, got {_shown(value)}")
    return value


def session_name(value: Any) -> str:
    """Return the name of a session: ``value``, or a new one where it is None. Raises FieldError for what is no name."""
    if value is None:
        return secrets.token_hex(16)
    if not isinstance(value, str) or not _SESSION.fullmatch(value):
        raise FieldError("session", "expected 16 to 64 letters, digits, - and _, picked at random; or leave it out")
    return value


_SESSION = re.compile(r"[A-Za-z0-9_-]{16,64}")
_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}


def _kind(value: Any) -> str:
    return "null" if value is None else _KINDS.get(type(value), type(value).__name__)


def _shown(value: Any) -> str:
    return f"{value!r:.40}"
