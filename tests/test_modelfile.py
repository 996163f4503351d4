"""Every way in which a model file can be wrong is a ModelError that names the file and the cure, never a crash."""

import os
import random
import struct

import numpy as np
import pytest

from qac.completer import Completer
from qac.errors import ModelError, OutputError
from qac.model import load_model
from qac.modelfile import ALIGNMENT, MAGIC, VERSION, SectionFile, write_sections
from qac.verification import verify_model

HEADER, ENTRY = 32, 56
VERSION_AT, SIZE_AT = 8, 16
_FREE_LENGTH = ("meta", "labels.text", "tree.children", "composer.word_text", "composer.frequent")
CURE = r"qac train|train it anew|copy it anew|upgrade qac|give the model file|check path|check the path"


@pytest.fixture(scope="module")
def content(model_path):
    return model_path.read_bytes()


@pytest.fixture
def damaged(tmp_path):
    return tmp_path / "damaged.qac"


def assert_refused(path, check=None):
    with pytest.raises(ModelError, match=CURE) as e:
        load_model(path, check)
    message = str(e.value)
    assert message.count(str(path)) == 1
    assert "\n" not in message
    return message


# ---- sound files ----


def test_sections_come_back_as_they_went_in(tmp_path):
    path = tmp_path / "f"
    sections = {
        "empty": b"",
        "bytes": b"x" * 65,
        "numbers": np.arange(7, dtype="<u4"),
        "strided": np.arange(10, dtype="<f8")[::2],
        "none": np.empty(0, "<u8"),
    }
    write_sections(path, sections)
    file = SectionFile(path, check=True)
    assert list(file.sections) == list(sections)
    assert file.bytes("bytes") == b"x" * 65
    assert file.bytes("empty") == b""
    assert file.array("numbers", "<u4").tolist() == [*range(7)]
    assert file.array("strided", "<f8").tolist() == [0, 2, 4, 6, 8]
    assert len(file.array("none", "<u8")) == 0
    assert all(s.offset % ALIGNMENT == 0 for s in file.sections.values())
    assert path.stat().st_size % ALIGNMENT == 0
    assert not file.array("numbers", "<u4").flags.writeable
    with pytest.raises(ModelError, match='"bytes" is not a whole number'):
        file.array("bytes", "<u4")
    with pytest.raises(ModelError, match='no section "missing"'):
        file.array("missing", "<u4")


def test_the_header_is_as_documented(content, model_path):
    magic, version, sections, size, _, zero = struct.unpack_from("<8sIIQII", content)
    assert (magic, version, size, zero) == (MAGIC, VERSION, len(content), 0)
    assert sections == len(SectionFile(model_path).sections)


def test_a_trained_model_is_sound_and_equal_models_have_one_fingerprint(model_path, tmp_path, content):
    model = load_model(model_path, check=True)
    verify_model(model)
    copy = tmp_path / "copy.qac"
    copy.write_bytes(content)
    assert load_model(copy).file.fingerprint == model.file.fingerprint


def test_a_model_outlives_the_file_it_was_opened_from(tmp_path, content, completer):
    path = tmp_path / "m.qac"
    path.write_bytes(content)
    opened = Completer.load(path, compose=False)
    write_sections(path, {"meta": b"{}"})  # replaced, not overwritten: the map keeps the old content
    assert opened.complete("n", "running shoes") == completer.complete("n", "running shoes")
    path.unlink()
    assert opened.complete("n", "running shoes") == completer.complete("n", "running shoes")


# ---- what is not a model ----


@pytest.mark.parametrize(
    "foreign",
    [b"", b"\n", MAGIC, b'{"next_query": "a"}\n' * 9, b"\x93NUMPY" + bytes(200), b"PK\3\4" + bytes(200), bytes(4096)],
)
def test_foreign_files(damaged, foreign):
    damaged.write_bytes(foreign)
    assert "is not a qac model" in assert_refused(damaged)


def test_a_model_that_went_through_a_text_mode_transfer(damaged, content):
    damaged.write_bytes(content.replace(b"\r\n", b"\n"))
    assert "is not a qac model" in assert_refused(damaged)


def test_no_file_a_folder_and_a_path_through_a_file(tmp_path, model_path):
    assert "there is no model" in assert_refused(tmp_path / "missing.qac")
    assert "is a folder" in assert_refused(tmp_path)
    assert_refused(model_path / "m.qac")


def test_a_pipe_and_a_device_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ModelError, match="is not a regular file"):
            load_model(path)


def test_a_newer_version_is_refused_as_such(damaged, content):
    newer = bytearray(content)
    struct.pack_into("<I", newer, VERSION_AT, VERSION + 1)
    damaged.write_bytes(newer)
    message = assert_refused(damaged)
    assert f"version {VERSION + 1}" in message
    assert "upgrade" in message


def test_an_older_version_is_to_be_trained_anew(damaged, content):
    older = bytearray(content)
    struct.pack_into("<I", older, VERSION_AT, VERSION - 1)
    damaged.write_bytes(older)
    message = assert_refused(damaged)
    assert f"version {VERSION - 1}" in message
    assert "train it anew" in message


def test_a_version_number_that_never_was_is_damage(damaged, content):
    older = bytearray(content)
    struct.pack_into("<I", older, VERSION_AT, 0)
    damaged.write_bytes(older)
    assert "damaged" in assert_refused(damaged)


# ---- damage ----


def test_truncated_anywhere(damaged, content, model_path):
    boundaries = {s.offset for s in SectionFile(model_path).sections.values()}
    boundaries |= {s.offset + s.size for s in SectionFile(model_path).sections.values()}
    lengths = {*boundaries, 8, HEADER, HEADER + ENTRY, *random.Random(0).sample(range(len(content)), 200)}
    for length in lengths - {len(content)}:
        damaged.write_bytes(content[:length])
        for check in (False, True):
            assert_refused(damaged, check)


def test_longer_than_it_should_be(damaged, content):
    damaged.write_bytes(content + b"\0")
    assert_refused(damaged, check=False)


def test_every_byte_of_the_header_and_the_table(damaged, content, model_path):
    for at in range(HEADER + ENTRY * len(SectionFile(model_path).sections)):
        for flip in (0x01, 0x80):
            changed = bytearray(content)
            changed[at] ^= flip
            damaged.write_bytes(changed)
            assert_refused(damaged, check=False)


def test_random_bits_elsewhere(damaged, content, model_path):
    rng = random.Random(1)
    begin = HEADER + ENTRY * len(SectionFile(model_path).sections)
    for at in rng.sample(range(begin, len(content)), 300):
        changed = bytearray(content)
        changed[at] ^= 1 << rng.randrange(8)
        damaged.write_bytes(changed)
        assert_refused(damaged)  # a small file is checked without asking
        assert_refused(damaged, check=True)


def test_settings_are_compared_with_their_checksum_even_unasked(damaged, content, model_path):
    meta = SectionFile(model_path).sections["meta"]
    changed = bytearray(content)
    changed[meta.offset + meta.size // 2] ^= 1
    damaged.write_bytes(changed)
    assert '"meta"' in assert_refused(damaged, check=False)


@pytest.mark.parametrize(
    "meta",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"text": "default"}',
    ],
)
def test_settings_that_say_nothing_sensible(tamper, meta):
    assert_refused(tamper(meta=lambda _: meta))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"text": "default"', b'"text": "unheard"'),
        (b'"history": 2', b'"history": 0'),
        (b'"history": 2', b'"history": -1'),
        (b'"history": 2', b'"history": "2"'),
        (b'"age_decay": 0.5', b'"age_decay": NaN'),
        (b'"repeat_weight": 0.01', b'"repeat_weight": 7'),
        (b'"max_n": 1', b'"max_n": 65'),
        (b'"kinds": 7', b'"kinds": 7e99'),
        (b'"max_label_bytes": ', b'"max_label_bytes": "a", "x": '),
        (b'"word_order": 3', b'"word_order": 9'),
        (b'"word_order": 3', b'"word_order": -1'),
        (b'"character_order": 5', b'"character_order": 1'),
        (b'"character_order": 5', b'"character_order": Infinity'),
        (b'"copy_some": ', b'"copy_some": 7, "x": '),
        (b'"copy_start": ', b'"copy_start": NaN, "x": '),
        (b'"older": [', b'"older": [7, 0, 0, 0, 0, 0, 0], "x": ['),
        (b'"older": [', b'"older": [0], "x": ['),
        (b'"recall": [', b'"recall": [0], "x": ['),
        (b'"older": [', b'"older": [0, '),
        (b'"recall": [', b'"recall": [-1, 0, 0, 0, 0, 0, 0], "x": ['),
        (b'"recall": [', b'"recall": [0, '),
        (b'"spelling": ', b'"spelling": 2, "x": '),
        (b'"unknown": ', b'"unknown": "a", "x": '),
        (b'"settings": {', b'"settings": {"word_slots": 1e9, '),
    ],
)
def test_settings_out_of_range(tamper, old, new):
    def change(meta):
        assert old in meta
        return meta.replace(old, new)

    assert_refused(tamper(meta=change))


@pytest.mark.parametrize("name", ["meta", "labels.text", "tree.node", "tree.node_count", "ranker.rows", "prefix.idf"])
def test_a_missing_section(model_path, damaged, name):
    file = SectionFile(model_path)
    write_sections(damaged, {n: file.bytes(n) for n in file.sections if n != name})
    assert f'"{name}"' in assert_refused(damaged)


def test_sections_that_do_not_fit_each_other(model_path, tamper):
    for name, section in SectionFile(model_path).sections.items():
        if name not in _FREE_LENGTH and section.size:
            for fewer in (8, 1):
                path = tamper(**{name.replace(".", "__"): lambda b, fewer=fewer: b[:-fewer]})
                with pytest.raises(ModelError, match=CURE):
                    verify_model(load_model(path))


# ---- writing ----


def test_a_model_that_cannot_be_written_is_an_error_that_names_the_file(tmp_path):
    for path in (tmp_path / "missing" / "m.qac", tmp_path):
        with pytest.raises(OutputError, match="name a f") as e:
            write_sections(path, {"meta": b"{}"})
        assert str(path) in str(e.value)
    assert list(tmp_path.iterdir()) == []
