"""Running the application: in worker processes under gunicorn or in threads of one under waitress."""

from __future__ import annotations

import itertools
import signal
import socket
import struct
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final, Literal

from flask import Flask

from qac.config import ServerConfig
from qac.errors import InputError
from qac.webdemo.app import create_app
from qac.webdemo.models import Watcher
from qac.webdemo.services import Services

Server = Literal["gunicorn", "waitress"]
SERVERS: Final[tuple[Server, ...]] = ("gunicorn", "waitress")

_BACKLOG: Final = 1024
_PATIENCE_SECONDS: Final = 5
"""How long a client may pause within a request before it is given up, for it may hold a thread meanwhile."""


def default_server() -> Server:
    """Return gunicorn where it is installed and runs, else waitress."""
    return "gunicorn" if find_spec("gunicorn") and find_spec("fcntl") else "waitress"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0: a free one.

    Raises
    ------
    InputError
        The address is none of this machine's, or in use, or not to be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _be_impatient(listener)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as e:
        raise InputError(
            f"cannot listen at {host}, port {port}: {e.strerror}; give another --host or --port (0: a free one)"
        ) from e
    return listener


def _be_impatient(listener: socket.socket) -> None:
    """Bound how long connections, which inherit this, wait for slow clients."""
    patience = struct.pack("@ll", _PATIENCE_SECONDS, 0)  # struct timeval
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        listener.setsockopt(socket.SOL_SOCKET, option, patience)
    if hasattr(socket, "TCP_DEFER_ACCEPT"):  # browsers open connections that they may never use
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _PATIENCE_SECONDS)


def address_of(listener: socket.socket) -> str:
    """Return the URL of what is served from a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(
    config: ServerConfig,
    listener: socket.socket,
    *,
    server: Server,
    workers: int,
    threads: int,
    ready: Callable[[], None],
) -> None:
    """Answer requests that come to ``listener`` until told to stop; those that run then are answered to the end.

    That may take 30 s under gunicorn, which then ends the process, and 5 s under waitress. SIGHUP reloads the files,
    SIGTERM and SIGINT stop.

    Parameters
    ----------
    workers : int
        Processes. Waitress has one.
    threads : int
        Of each.
    ready : callable
        Called once, when requests are accepted.

    Raises
    ------
    QacError
        What ``config`` names cannot be used.
    """
    if server == "gunicorn":
        from qac.webdemo.prefork import run

        run(config, listener, workers, threads, ready)
    else:
        _run_waitress(create_app(config), listener, threads, ready)


def _run_waitress(app: Flask, listener: socket.socket, threads: int, ready: Callable[[], None]) -> None:
    from waitress.server import create_server

    services: Services = app.extensions["qac"]
    reloads = itertools.count(1)
    asked = 0

    def ask(*_: object) -> None:
        nonlocal asked
        asked = next(reloads)

    def stop(*_: object) -> None:
        raise SystemExit

    server = create_server(
        app,
        sockets=[listener],
        threads=threads,
        ident="qac",
        max_request_body_size=4 * services.config.max_body,  # up to there the application says in JSON what is wrong
        clear_untrusted_proxy_headers=True,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, ask)
    watcher = Watcher(services.engine, lambda: asked)
    watcher.start()
    try:
        ready()
        server.run()
    except SystemExit:  # before it ran
        pass
    finally:
        watcher.stop()
        server.close()
        if services.recorder:
            services.recorder.close()
