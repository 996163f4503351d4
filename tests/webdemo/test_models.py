import logging
import os
import shutil

import pytest

from qac.config import ServerConfig
from qac.errors import InputError, ModelError
from qac.webdemo.limits import CompletionRequest
from qac.webdemo.models import Engine, Watched, Watcher


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


@pytest.fixture
def engine(model):
    """Return an engine that answers from it."""
    return Engine(ServerConfig(model))


ASK = CompletionRequest("n", ("digital camera",), 5)


def test_what_has_not_changed_is_not_loaded_again(model):
    loads = []
    watched = Watched(model, loads.append)
    assert not watched.refresh()
    assert len(loads) == 1
    assert watched.refresh(always=True)
    os.utime(model, ns=(1, 1))
    assert watched.refresh()
    assert not watched.refresh()
    assert len(loads) == 3


def test_a_new_model_is_taken_up_and_running_requests_keep_theirs(engine, model, other_model, caplog):
    caplog.set_level("INFO")
    old = engine.current
    put(other_model, model)
    engine.refresh()
    assert engine.current.model.version != old.model.version
    assert engine.current.etag != old.etag
    assert old.complete(ASK).completions == engine.current.complete(ASK).completions  # its file is no longer there
    assert f"loaded {model}" in caplog.text


@pytest.mark.parametrize("content", [b"", b"not a model", None, "truncated", "damaged"])
def test_a_model_that_cannot_be_used_is_refused_in_one_line_and_the_old_one_stays(engine, model, content, caplog):
    old = engine.current
    if content is None:
        model.unlink()
    elif isinstance(content, bytes):
        model.with_suffix(".new").write_bytes(content)
        os.replace(model.with_suffix(".new"), model)
    else:
        data = bytearray(model.read_bytes())
        if content == "truncated":
            del data[-1000:]
        else:
            data[len(data) // 2] ^= 0xFF
        model.with_suffix(".new").write_bytes(data)
        os.replace(model.with_suffix(".new"), model)
    engine.refresh()
    engine.refresh()  # and says so once
    assert engine.current is old
    assert engine.model.refused
    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    assert "the previous one stays" in caplog.text
    assert old.complete(ASK).completions


def test_a_refusal_is_mended_by_the_next_good_file(engine, model, other_model):
    put(__file__, model)
    engine.refresh()
    put(other_model, model)
    engine.refresh()
    assert not engine.model.refused


def test_what_the_watcher_meets_does_not_end_it(model, caplog):
    def load(path):
        if path.read_bytes().startswith(b"bad"):
            raise MemoryError
        return path.read_bytes()[:1]

    watched = Watched(model, load)
    model.write_bytes(b"bad")
    assert not watched.refresh()
    assert "MemoryError" in caplog.text


def test_a_blocklist_is_reread_and_a_bad_one_is_refused(model, tmp_path, caplog):
    path = tmp_path / "block.txt"
    path.write_text("nikon d70\n")
    engine = Engine(ServerConfig(model, blocklist=path))

    def texts():
        return [c.text for c in engine.current.complete(ASK).completions]

    assert "nikon d70" not in texts()
    path.write_text("")
    engine.refresh()
    assert "nikon d70" in texts()
    path.write_text("nikon d70\nre: (\n")
    engine.refresh()
    assert "nikon d70" in texts()
    assert f"{path}:2: not an expression" in caplog.text
    assert engine.blocklist.refused


def test_what_cannot_be_used_at_the_start_is_an_error(model, tmp_path):
    with pytest.raises(ModelError, match="there is no model"):
        Engine(ServerConfig(tmp_path / "missing"))
    with pytest.raises(InputError, match="cannot read the blocklist"):
        Engine(ServerConfig(model, blocklist=tmp_path / "missing"))


def test_a_watcher_reloads_what_changed_and_what_is_asked_for(engine, model, other_model, wait_until, caplog):
    caplog.set_level("INFO")
    asked = [0]
    old = engine.current
    watcher = Watcher(engine, lambda: asked[0])
    watcher.start()
    try:
        put(other_model, model)
        wait_until(lambda: engine.current is not old)
        assert len(caplog.records) == 1
        asked[0] = 1
        wait_until(lambda: len(caplog.records) == 2)
    finally:
        watcher.stop()
    assert not watcher.is_alive()
