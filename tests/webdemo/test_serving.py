"""Servers in processes of their own: starting, stopping, reloading, dying."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.client import IncompleteRead
from urllib.parse import quote

import pytest

from qac.completer import Completer
from qac.errors import InputError
from qac.webdemo.models import POLL_SECONDS
from qac.webdemo.serving import listen

SERVERS = ["gunicorn", "waitress"]


def put(source, target):
    """Put a copy of ``source`` in place of ``target``, as `mv` does."""
    shutil.copy(source, target.with_suffix(".new"))
    os.replace(target.with_suffix(".new"), target)


@pytest.fixture
def model(model_path, tmp_path):
    """Return a copy of the model that may be replaced."""
    path = tmp_path / "m.qac"
    shutil.copy(model_path, path)
    return path


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_and_stops_cleanly(run_server, kind, number):
    server = run_server("--server", kind, "--workers", 1)
    assert server.get("readyz")["status"] == "ready"
    assert server.texts("n")
    assert server.stop(number) == 0
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("kind", SERVERS)
def test_files_are_taken_up_while_it_runs(run_server, model, other_model, tmp_path, kind, wait_until):
    blocklist = tmp_path / "block.txt"
    blocklist.write_text("")
    workers = 2 if kind == "gunicorn" else 1
    server = run_server("--server", kind, "--workers", workers, "--blocklist", blocklist, model=model)
    first, *rest = server.texts("n")
    wait_until(lambda: len(server.children()) == (2 if kind == "gunicorn" else 0))
    children = server.children()

    blocklist.write_text(f"{first}\n")
    wait_until(lambda: all(server.texts("n")[0] == rest[0] for _ in range(10)), 5)

    version = server.get("readyz")["model"]
    put(other_model, model)
    wait_until(lambda: server.get("readyz")["model"] != version)
    time.sleep(3 * POLL_SECONDS)  # for the other processes

    version = server.get("readyz")["model"]
    put(__file__, model)
    wait_until(lambda: 'qac_file_refused{file="model"} 1' in server.get("metrics"))
    wait_until(lambda: "refused" in server.log())
    assert all(server.get("readyz")["model"] == version for _ in range(10))
    assert server.log().count("refused") == 1  # not once per process

    loaded = server.log().count("loaded")
    put(other_model, model)
    wait_until(lambda: server.log().count("loaded") == loaded + 1)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.log().count("loaded") >= loaded + 2)
    assert server.children() == children
    assert server.stop() == 0


def test_reloads_and_a_killed_worker_lose_no_request(run_server, model, model_path, other_model, wait_until):
    server = run_server("--workers", 2, model=model)
    url = f"{server.url}api/v1/complete?prefix=n&k=5"
    stopped, answers, errors = threading.Event(), [], []
    versions = [Completer.load(path).info()["fingerprint"][:12] for path in (other_model, model_path)]

    def ask():
        while not stopped.is_set():
            for attempt in range(2):  # as browsers do when a connection breaks
                try:
                    with urllib.request.urlopen(url, timeout=20) as response:
                        answers.append(json.load(response)["model"])
                    break
                except (ConnectionError, IncompleteRead, urllib.error.URLError) as e:
                    if attempt or isinstance(e, urllib.error.HTTPError):
                        errors.append(e)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for t in threads:
        t.start()
    try:
        for i in range(6):
            n = len(answers)
            put(model_path if i % 2 else other_model, model)
            server.process.send_signal(signal.SIGHUP)
            if i == 3:
                os.kill(server.children()[0], signal.SIGKILL)
            wait_until(lambda n=n, i=i: answers[n:].count(versions[i % 2]) > 8)
    finally:
        stopped.set()
        for t in threads:
            t.join()
    assert errors == []
    wait_until(lambda: len(server.children()) == 2)
    assert server.stop() == 0
    assert "Traceback" not in server.log()


def test_metrics_are_those_of_all_workers_and_outlive_them(run_server, wait_until):
    server = run_server("--workers", 2)
    line = 'qac_requests_total{endpoint="complete",status="200"} '
    for _ in range(30):
        server.texts("n")
    assert all(f"{line}30\n" in server.get("metrics") for _ in range(10))
    for pid in server.children():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(server.children()) == 2)
    server.texts("n")
    assert f"{line}31\n" in server.get("metrics")


def test_a_worker_that_starts_later_has_the_newest_model(run_server, model, other_model, wait_until):
    server = run_server("--workers", 1, model=model)
    version = server.get("readyz")["model"]
    put(other_model, model)
    wait_until(lambda: server.get("readyz")["model"] != version)
    wait_until(lambda: "loaded" in server.log())
    newest = server.get("readyz")["model"]
    model.unlink()
    (worker,) = server.children()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: server.children() not in ([], [worker]))
    assert server.get("readyz")["model"] == newest


def test_workers_do_not_stay_with_different_models(run_server, model, other_model, wait_until):
    server = run_server("--workers", 2, model=model)
    wait_until(lambda: len(server.children()) == 2)
    asleep = server.children()[0]
    os.kill(asleep, signal.SIGSTOP)
    try:
        put(other_model, model)
        wait_until(lambda: "loaded" in server.log())
        put(__file__, model)
        wait_until(lambda: "refused" in server.log())
    finally:
        os.kill(asleep, signal.SIGCONT)
    wait_until(lambda: asleep not in server.children() and len(server.children()) == 2)
    newest = Completer.load(other_model).info()["fingerprint"][:12]
    assert {server.get("readyz")["model"] for _ in range(20)} == {newest}


@pytest.mark.parametrize("kind", SERVERS)
def test_the_longest_texts_fit_into_an_address(run_server, kind):
    server = run_server("--server", kind, "--workers", 1)
    assert server.texts(quote(512 * "数")) == []
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.get(f"api/v1/complete?prefix={quote(513 * '数')}")
    assert json.load(refused.value)["error"]["field"] == "prefix"


@pytest.mark.parametrize("kind", SERVERS)
def test_a_body_that_is_too_large_is_refused_in_json(run_server, kind):
    server = run_server("--server", kind, "--workers", 1)
    body = b'{"prefix": "' + b"a" * 300_000 + b'"}'
    request = urllib.request.Request(f"{server.url}api/v1/complete", body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert refused.value.code == 413
    assert json.load(refused.value)["error"]["message"]


def test_a_request_that_has_begun_is_answered_before_it_stops(run_server):
    server = run_server("--workers", 1)
    with socket.create_connection(server.address) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        server.get("healthz")  # by now the first one's beginning was accepted
        server.process.send_signal(signal.SIGTERM)
        connection.sendall(b"Host: a\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(4096), b""))
    assert received.startswith(b"HTTP/1.1 200")
    assert server.process.wait(30) == 0


HARDLY_HTTP = [
    b"GET /api/v1/complete?prefix=" + b"secret" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"secret <script> garbage\r\n\r\n",
    b"GET /nowhere?secret HTTP/9.9\r\n\r\n",
    b"POST /api/v1/complete HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n",
    b"POST /api/v1/complete HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"GET /nowhere HTTP/1.1\r\nsecret: a\x00b\r\n\r\n",
]


@pytest.mark.parametrize("kind", SERVERS)
def test_what_is_hardly_http_breaks_nothing(run_server, kind):
    server = run_server("--server", kind, "--workers", 1)
    for sent in HARDLY_HTTP:
        with socket.create_connection(server.address, timeout=20) as connection:
            try:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                received = connection.recv(65536)
            except ConnectionError:
                received = b""
        assert received == b"" or received.split(b" ")[1][:1] in (b"4", b"5"), sent[:40]
        assert b"<script" not in received
        assert b"Traceback" not in received
        assert server.get("healthz") == {"status": "ok"}
    server.stop()
    assert "secret" not in server.log()


@pytest.mark.parametrize("kind", SERVERS)
def test_clients_that_stop_in_the_middle_or_never_begin_do_not_keep_others_waiting_for_ever(run_server, kind):
    server = run_server("--server", kind, "--workers", 1, "--threads", 1)
    with contextlib.ExitStack() as stack:
        for sent in (b"", b"GET / HTTP/1.1\r\nHos", b"POST /api/v1/complete HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"):
            connection = stack.enter_context(socket.create_connection(server.address))
            connection.sendall(sent)
        assert server.get("healthz") == {"status": "ok"}  # within the 20 s that it waits
    server.stop()
    assert "Traceback" not in server.log()


def test_logs_can_be_json(run_server):
    server = run_server("--log-json", "--access-log", "--workers", 1)
    server.texts("secret")
    server.stop()
    lines = [json.loads(line) for line in server.log().splitlines()]
    assert all({"time", "level", "logger", "process", "message"} <= line.keys() for line in lines)
    (access,) = (line for line in lines if line["logger"] == "qac.access")
    assert (access["path"], access["status"]) == ("/api/v1/complete", 200)
    assert "secret" not in server.log()


def test_an_address_that_is_taken_is_one_line(run_qac, model_path):
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        done = run_qac("serve", "--model", model_path, "--port", port)
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert "cannot listen at 127.0.0.1" in done.err
    with pytest.raises(InputError, match=r"cannot listen at no\.such\.host\.invalid"):
        listen("no.such.host.invalid", 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "missing.qac"), "there is no model"),
        (("--blocklist", "missing.txt"), "cannot read the blocklist"),
        (("--record", __file__), "cannot record into"),
    ],
)
@pytest.mark.parametrize("kind", SERVERS)
def test_what_cannot_be_used_is_one_line_at_the_start(run_qac, model_path, kind, arguments, message):
    done = run_qac("serve", "--server", kind, "--model", model_path, "--port", 0, *arguments)
    assert (done.status, done.err.count("\n")) == (1, 1), done.err
    assert message in done.err


def test_waitress_refuses_more_than_its_one_process(call_qac, model_path):
    done = call_qac("serve", "--server", "waitress", "--workers", 2, "--model", model_path, "--port", 0)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "--workers" in done.err


def test_waitress_serves_where_gunicorn_is_not_installed(model_path):
    code = "import sys; sys.modules['gunicorn'] = None; from qac.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "serve", "--model", str(model_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().split()[-1]
            with urllib.request.urlopen(f"{url}readyz", timeout=20) as response:
                assert json.load(response)["status"] == "ready"
                assert response.headers["Server"] == "qac"
        finally:
            process.terminate()
    assert process.returncode == 0


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/", "https://*", "null", "https://a b"])
def test_origins_are_checked(call_qac, origin):
    done = call_qac("serve", "--cors", origin)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "--cors" in done.err


def test_serving_loads_nothing_that_learns_and_completing_no_server(model_path):
    code = f"""
import sys
from pathlib import Path
from qac.cli import main
main(["complete", "--model", {str(model_path)!r}, "--prefix", "n"])
assert not {{"flask", "gunicorn", "waitress"}} & set(sys.modules)
from qac.config import ServerConfig
from qac.webdemo.app import create_app
import qac.webdemo.prefork
create_app(ServerConfig(Path({str(model_path)!r}))).test_client().get("/api/v1/complete?prefix=n")
learning = ("scipy", "sklearn", "tqdm", "marisa_trie", "qac.training", "qac.features", "qac.data_prep")
print([m for m in sys.modules if m.startswith(learning)], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == "[]\n"


def test_systemd_is_told_when_it_is_ready(run_server, monkeypatch, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        run_server("--workers", 1)
        assert b"READY=1" in notified.recv(4096)
