import random

import numpy as np
import pytest

from qac import _native
from qac.modelfile import SectionFile


def test_a_sound_model(call_qac, model_path, completer):
    done = call_qac("verify", model_path)
    assert done.status == 0
    assert done.out.startswith(f"{model_path} is sound: ")
    d = call_qac("verify", model_path, "--json").json()
    assert (d["sound"], d["labels"], d["bytes"]) == (True, len(completer), model_path.stat().st_size)
    assert d["fingerprint"] == completer.info()["fingerprint"]


def test_a_flipped_bit(call_qac, model_path, tmp_path):
    content = bytearray(model_path.read_bytes())
    content[-100] ^= 1
    path = tmp_path / "flipped.qac"
    path.write_bytes(content)
    done = call_qac("verify", path)
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
    assert f"{path} is damaged" in done.err


def edit(dtype, change):
    """Return a change of a section's bytes that edits them as an array."""

    def apply(content):
        array = np.frombuffer(content, dtype).copy()
        change(array)
        return array.tobytes()

    return apply


def assign(index, value):
    def change(array):
        array[index] = value

    return change


def swap(i, j):
    def change(array):
        array[[i, j]] = array[[j, i]]

    return change


def field(name, index, value):
    return lambda rows: rows[name].__setitem__(index, value)


# Contradictions that checksums cannot see: what a defective writer would leave.
@pytest.mark.parametrize(
    ("section", "dtype", "change"),
    [
        ("labels.count", "<f4", assign(3, 0)),
        ("labels.count", "<f4", assign(3, np.nan)),
        ("labels.count", "<u4", assign(3, 0x7FA00000)),  # a signalling one
        ("labels.length_factor", "<f8", lambda factors: factors.__imul__(1e300)),
        ("labels.length", "<u1", assign(3, 200)),
        ("labels.length_factor", "<f8", lambda factors: factors.__imul__(2)),
        ("labels.count", "<f4", assign(3, 99)),
        ("tree.members", "<u4", swap(0, 1)),
        ("tree.members", "<u4", assign(0, 0)),
        ("tree.member_mass", "<f8", assign(-1, 77)),
        ("tree.member_count", "<f8", assign(-1, 77)),
        ("tree.node_count", "<f8", assign(1, 77)),
        ("tree.top_weight", "<f4", lambda tops: tops.__imul__(np.float32(0.99))),
        ("tree.top_weight", "<f4", assign(0, np.inf)),
        ("tree.top_count", "<f4", assign(-1, 0)),
        ("tree.top_count", "<f4", assign(0, np.nan)),
        ("tree.children", "<u4", swap(0, -1)),
        ("tree.node", _native.NODE, field("mass", 1, 77)),
        ("tree.node", _native.NODE, lambda nodes: nodes["block"].__iadd__(np.arange(len(nodes)) == 1)),
        ("tree.node", _native.NODE, lambda nodes: nodes["n_blocks"].__iadd__(nodes["n_blocks"] > 0)),
        ("tree.node", _native.NODE, field("scale", 0, np.inf)),
        ("tree.node", _native.NODE, field("lo", 1, 1)),
        ("ranker.rows", "<u1", assign(0, 0xFF)),
        ("ranker.rows", "<u1", assign(-2, 1)),
        ("ranker.block_feature", "<u4", assign(0, 1 << 30)),
        ("ranker.block_begin", "<u4", assign(0, 1)),
        ("ranker.block_begin", "<u4", assign(-1, 1 << 30)),
        ("session.idf", "<u1", assign(0, 255)),
        ("session.idf_value", "<f4", assign(0, np.nan)),
        ("session.key", "<u4", lambda keys: keys[::-1].sort()),
        ("session.bucket_end", "<u4", assign(0, 1 << 30)),
        ("labels.text", "<u1", assign(slice(1, 4), ord("~"))),
        ("labels.block", _native.LABEL_BLOCK, field("begin", 1, 0)),
        ("labels.block", _native.LABEL_BLOCK, field("begin", 1, 1 << 40)),
        ("labels.block", _native.LABEL_BLOCK, field("head", 0, 0)),
        ("labels.block", _native.LABEL_BLOCK, lambda blocks: blocks["head"].__iadd__(np.uint64(1))),
        ("composer.word_text", "<u1", assign(slice(1, 4), ord("~"))),
        ("composer.word_text", "<u1", assign(slice(1, 4), 0xFF)),
        ("composer.word_end", "<u4", assign(1, 0)),
        ("composer.word_end", "<u4", assign(-1, 1 << 30)),
        ("composer.word_end", "<u4", lambda ends: ends[-1:].__isub__(1)),
        ("composer.word_length", "<u1", assign(3, 77)),
        ("composer.bucket_end", "<u4", assign(0, 1 << 30)),
        ("composer.key", "<u4", swap(0, 1)),
        ("composer.key", "<u4", assign(0, 7)),
        ("composer.id", "<u4", lambda ids: ids.__setitem__(ids == 0, 1)),
        ("composer.id", "<u4", assign(0, 1 << 30)),
        ("composer.unigram_sum", "<f8", assign(3, 0.9)),
        ("composer.unigram_sum", "<f8", assign(-1, np.nan)),
        ("composer.frequent", "<u4", swap(0, -1)),
        ("composer.frequent", "<u4", lambda words: words.__setitem__(1, words[0])),
        ("composer.frequent", "<u4", assign(0, 1 << 30)),
        ("composer.alphabet", "<u4", swap(0, 1)),
        ("composer.assoc_end", "<u4", assign(-1, 0)),
        ("composer.assoc_end", "<u4", assign(0, 1 << 30)),
        ("composer.assoc_word", "<u4", lambda words: words.__setitem__(slice(None), 0)),
        ("composer.assoc_value", "<f4", lambda values: values.__imul__(20)),
        ("composer.assoc_value", "<f4", assign(0, np.nan)),
        ("word.unigram", "<f4", assign(0, -1)),
        ("word.unigram", "<f4", assign(0, np.nan)),
        ("word.child_end", "<u4", assign(0, 1 << 30)),
        ("word.child_end", "<u4", assign(-1, 0)),
        ("word.backoff", "<u1", lambda codes: codes.__setitem__(codes == codes.max(), 0)),
        ("word.backoff_value", "<f4", assign(0, np.inf)),
        ("word.backoff_value", "<f4", assign(0, 0)),
        ("word.backoff_value", "<f4", assign(1, 0.123)),
        ("word.next", "<u1", lambda symbols: symbols.__setitem__(slice(None), 0)),
        ("word.next", "<u1", assign(-1, 255)),
        ("word.probability", "<u1", swap(0, -1)),
        ("word.value", "<f4", assign(0, np.nan)),
        ("word.value", "<f4", assign(0, 0)),
        ("char.shorter", "<u4", assign(0, 1 << 30)),
        ("char.child_end", "<u4", assign(3, 0)),
        ("char.next", "<u1", lambda symbols: symbols.__setitem__(slice(None), 0)),
        ("char.probability", "<u1", lambda codes: codes.__setitem__(slice(None), codes[0])),
        ("char.value", "<f4", assign(0, 2)),
        ("char.value", "<f4", assign(0, 0.999)),
        ("char.backoff", "<u1", lambda codes: codes.__setitem__(slice(None), codes[0])),
        ("char.backoff_value", "<f4", lambda values: values.__imul__(0.9)),
    ],
)
def test_contradictions_behind_right_checksums(call_qac, tamper, section, dtype, change):
    path = tamper(**{section.replace(".", "__"): edit(dtype, change)})
    done = call_qac("verify", path)
    assert (done.status, done.err.count("\n")) == (1, 1), done
    assert f"{path} is damaged" in done.err


def test_an_n_gram_has_one_right_link(call_qac, model_path, tamper):
    file = SectionFile(model_path)
    links = file.array("char.shorter", "<u4")
    first = file.array("char.child_end", "<u4").size - len(links)
    rng = random.Random(0)
    # One that is too short (the link's own link: its last symbol is right), neighbours, and any other.
    wrong = [(i, links[at - first]) for i, at in enumerate(links.tolist()) if at >= first][-10:]
    wrong += [(i, links[i] + 1) for i in rng.sample(range(len(links)), 5)]
    wrong += [
        (i, rng.choice([x for x in range(first + len(links)) if x != links[i]])) for i in range(0, len(links), 97)
    ]
    for i, link in wrong:
        done = call_qac("verify", tamper(char__shorter=edit("<u4", assign(i, link))))
        assert done.status == 1
        assert "link" in done.err


def test_as_many_links_as_n_grams_that_need_one(call_qac, tamper):
    for change in (lambda links: links[:-4], lambda links: links + links[-4:], lambda links: links * 9):
        done = call_qac("verify", tamper(char__shorter=change))
        assert (done.status, done.err.count("\n")) == (1, 1), done
        assert "is damaged" in done.err
    assert call_qac("verify", tamper(word__shorter=lambda links: links + bytes(4))).status == 1


@pytest.mark.parametrize(
    ("old", "new"), [(b'"word_order": 3', b'"word_order": 4'), (b'"character_order": 5', b'"character_order": 4')]
)
def test_an_order_that_is_not_the_trie_s(call_qac, tamper, old, new):
    path = tamper(meta=lambda meta: meta.replace(old, new, 1))
    done = call_qac("verify", path)
    assert done.status == 1
    assert "contexts are not all" in done.err


def test_what_is_not_there(call_qac, tmp_path):
    done = call_qac("verify", tmp_path / "missing.qac")
    assert done.status == 1
    assert "there is no model" in done.err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"max_label_bytes": ', b'"max_label_bytes": 9, "x": '),
        (b'"weights": ', b'"weights": 9, "x": '),
        (b'"text": "default"', b'"text": "alnum"'),
        (b'"loss": "softmax"', b'"loss": "hinge"'),
        (b'"beam": 0', b'"beam": 5'),
        (b'"l2": ', b'"l2": -1, "x": '),
        (b'"kind": "hybrid"', b'"kind": "hybird"'),
    ],
)
def test_settings_that_contradict_the_content_or_each_other(call_qac, tamper, old, new):
    def change(meta):
        assert old in meta
        return meta.replace(old, new, 1)

    done = call_qac("verify", tamper(meta=change))
    assert (done.status, done.err.count("\n")) == (1, 1), done
