"""What an application's routes work with."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app

from qac.config import ServerConfig
from qac.webdemo.metrics import Metrics
from qac.webdemo.models import Engine
from qac.webdemo.recording import Recorder


@dataclass(frozen=True, slots=True)
class Services:
    """One application's settings and what it answers from, counts in and records with."""

    config: ServerConfig
    engine: Engine
    metrics: Metrics
    recorder: Recorder | None


def services() -> Services:
    """Return those of the application that answers the current request."""
    found: Services = current_app.extensions["qac"]
    return found
