"""Which requests gunicorn's waiting thread answers itself, and that those who are slow do not hold it up."""

import contextlib
import json
import socket

import pytest

from qac.webdemo.worker import is_prompt

HEAD = b"GET /api/v1/complete?prefix=n HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture
def ends():
    """Return the two ends of a connection: the client's and the server's."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(listener.getsockname()))
        server = stack.enter_context(listener.accept()[0])
        yield client, server


def send(client, server, content):
    client.sendall(content)
    while len(server.recv(len(content), socket.MSG_PEEK)) < len(content):
        pass


def test_a_whole_request_for_completions_is_prompt_and_stays_to_be_read(ends):
    request = HEAD + b"\r\n"
    send(*ends, request)
    assert is_prompt(ends[1])
    assert ends[1].recv(4096) == request


@pytest.mark.parametrize(
    "request_",
    [
        HEAD,
        b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /api/v1/complete?prefix=n HTTP/1.1\r\nHost: a\r\n\r\n",
        HEAD + b"Content-LENGTH: 9\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"\r\nGET /api/v1/complete?prefix=n HTTP/1.1\r\nHost:",
        HEAD + b"X: " + b"x" * 20_000 + b"\r\n\r\n",
    ],
    ids=["begun", "other", "post", "body", "chunks", "next-begun", "long"],
)
def test_what_may_have_to_be_waited_for_is_not_prompt(ends, request_):
    send(*ends, request_)
    assert not is_prompt(ends[1])


def test_nothing_is_not_prompt(ends):
    client, server = ends
    assert not is_prompt(server)  # and it does not wait
    client.close()
    server.recv(1, socket.MSG_PEEK)
    assert not is_prompt(server)


def test_who_does_not_take_answers_is_not_prompt(ends):
    client, server = ends
    server.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            server.send(bytes(1 << 16))
    server.setblocking(True)
    send(client, server, HEAD + b"\r\n")
    assert not is_prompt(server)


def test_completions_do_not_wait_for_a_slow_client_that_holds_the_only_thread(run_server):
    server = run_server("--workers", 1, "--threads", 1)
    with socket.create_connection(server.address) as slow, socket.create_connection(server.address) as quick:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHos")
        for _ in range(3):
            quick.sendall(HEAD + b"\r\n")
            received = b""
            while not received.endswith(b"}"):
                received += quick.recv(4096)
            assert json.loads(received.partition(b"\r\n\r\n")[2])["completions"]
        slow.sendall(b"t: a\r\nConnection: close\r\n\r\n")  # it was not given up meanwhile
        assert b"".join(iter(lambda: slow.recv(4096), b"")).startswith(b"HTTP/1.1 200")
    assert server.stop() == 0
