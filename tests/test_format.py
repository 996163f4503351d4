"""docs/model-format.md, followed to the letter: a reader that has nothing of qac's, against what the core answers."""

import json
import random
import struct
import zlib
from collections import Counter
from itertools import islice

import numpy as np
import pytest

from plain.features import hashed
from qac.completer import Completer
from qac.completion import MAX_K
from qac.config import ComposerConfig, IndexConfig, RankerConfig, TrainingConfig
from qac.examples import Example
from qac.model import load_model
from qac.saving import save_model
from qac.training import train


def read_sections(content):
    """Return the sections of a model file, by name."""
    magic, version, n, size, crc, zero = struct.unpack_from("<8sIIQII", content)
    assert (magic, version, size, zero) == (b"\x93qac\r\n\x1a\n", 3, len(content), 0)
    assert zlib.crc32(content[32 : 32 + 56 * n]) == crc
    sections = {}
    for name, begin, length, crc, zero in struct.iter_unpack("<32sQQII", content[32 : 32 + 56 * n]):
        assert begin % 64 == zero == 0
        section = content[begin : begin + length]
        assert zlib.crc32(section) == crc
        sections[name.rstrip(b"\0").decode("ascii")] = section
    return sections


def read_labels(sections):
    """Return the labels' bytes, and of each block where it begins and its head."""
    text, n = sections["labels.text"], len(sections["labels.count"]) // 4
    at, labels, blocks = 0, [], []

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = text[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    for i in range(n):
        begin = at
        shared = 0 if i % 16 == 0 else varint()
        length = varint()
        labels.append((labels[-1][:shared] if shared else b"") + text[at : at + length])
        at += length
        if i % 16 == 0:
            blocks.append((begin, int.from_bytes(labels[-1][:8].ljust(8, b"\0"), "big")))
    assert at == len(text)
    return labels, blocks


class Ngrams:
    """An n-gram model's sections."""

    def __init__(self, sections, name, order):
        def array(what, dtype):
            return np.frombuffer(sections[f"{name}.{what}"], dtype)

        self.unigram = array("unigram", "<f4")
        self.words = len(self.unigram) - 1
        self.width = 1 if self.words <= 255 else 2 if self.words <= 65_535 else 3
        self.next = array("next", "<u1").reshape(-1, self.width) @ 256 ** np.arange(self.width)
        self.child_end, self.shorter = array("child_end", "<u4"), array("shorter", "<u4")
        self.value, self.probability = array("value", "<f4"), array("probability", "<u1")
        self.backoff_value, self.backoff = array("backoff_value", "<f4"), array("backoff", "<u1")
        self.order = order

    def child(self, node, symbol):
        if node >= len(self.child_end):
            return None
        begin, end = self.child_end[node - 1] if node else 0, self.child_end[node]
        at = begin + np.searchsorted(self.next[begin:end], symbol)
        return self.words + 2 + int(at) if at < end and self.next[at] == symbol else None

    def node(self, symbols):
        node = symbols[0]
        for symbol in symbols[1:]:
            node = self.child(node, symbol)
            if node is None:
                return None
        return node

    def p(self, symbol, before):
        """Return P(symbol | start, before)."""
        suffix, factor = [self.words + 1, *before][-(self.order - 1) :], 1.0
        for i in range(len(suffix)):
            node = self.node(suffix[i:])
            if node is None:
                continue
            child = self.child(node, symbol)
            if child is not None:
                return factor * float(self.value[self.probability[child - self.words - 2]])
            factor *= float(self.backoff_value[self.backoff[node]])
        return factor * float(self.unigram[symbol])

    def links(self):
        """Return each node that may have children and the one without its first symbol; symbols alone have none."""
        first = self.words + 2
        longer = first + int(self.child_end[self.words + 1])
        for node in range(first, len(self.child_end)):
            yield node, int(self.next[node - first]) if node < longer else int(self.shorter[node - longer])

    def grams(self):
        """Return the n-gram of each node that may have children."""
        grams = [(symbol,) for symbol in range(self.words + 2)]
        for node in range(len(self.child_end)):
            begin, end = self.child_end[node - 1] if node else 0, self.child_end[node]
            grams.extend((*grams[node], int(symbol)) for symbol in self.next[begin:end])
        return grams[: len(self.child_end)]

    def of_sequence(self, symbols, known=0):
        """Return P(symbols, end), the first ``known`` of them given."""
        p = self.p(self.words, symbols)
        for i in range(known, len(symbols)):
            p *= self.p(symbols[i], symbols[:i])
        return p


class Bits:
    """Bytes as a stream of bits, the lowest of each first."""

    def __init__(self, content):
        self.value, self.left = int.from_bytes(content, "little"), 8 * len(content)

    def take(self, n):
        assert n <= self.left
        taken = self.value & ((1 << n) - 1)
        self.value >>= n
        self.left -= n
        return taken


def read_rankers(sections):
    """Return of each node {feature: {child: weight}}."""
    weight_bits = json.loads(sections["meta"])["weight_bits"]
    most = (1 << weight_bits - 1) - 1
    stream = sections["ranker.rows"]
    assert stream[-8:] == bytes(8)
    firsts = np.frombuffer(sections["ranker.block_feature"], "<u4").tolist()
    begins = np.frombuffer(sections["ranker.block_begin"], "<u4").tolist()
    rankers, block = [], 0
    for node in struct.iter_unpack("<dIIIIIIfI", sections["tree.node"]):
        n_children, begin, n_blocks, scale = node[4:8]
        child_bits = max(n_children - 1, 0).bit_length()
        rows = {}
        assert begin == block
        for _ in range(n_blocks):
            bits = Bits(stream[begins[block] : begins[block + 1] if block + 1 < len(begins) else -8])
            unary, n, low, more = bits.take(64), bits.take(5) + 1, bits.take(5), bits.take(6)
            if more == 63:
                more = bits.take(32)
            places = [i for i in range(64) if unary >> i & 1]
            features = [firsts[block] + ((places[i] - i) << low) + bits.take(low) for i in range(n)]
            last = [bits.take(1) for _ in range(n + more)]
            entries = [(bits.take(child_bits), (bits.take(weight_bits) - most) * scale) for _ in range(n + more)]
            assert bits.left < 8
            assert bits.value == 0
            assert len(places) == sum(last) == n
            at = 0
            for feature in features:
                end = last.index(1, at) + 1
                rows[feature] = dict(entries[at:end])
                at = end
            block += 1
        assert list(rows) == sorted(rows)
        rankers.append(rows)
    assert block == len(begins)
    return rankers


def place_of(word, bucket_end, key):
    """Return where the key of a word stands."""
    bits = len(bucket_end).bit_length() - 1
    h = hashed(word, 1)
    bucket = h >> 64 - bits
    begin, end = bucket_end[bucket - 1] if bucket else 0, bucket_end[bucket]
    return key.index(h >> 32 - bits & 0xFFFFFFFF, begin, end)


@pytest.fixture(scope="module")
def examples():
    """Return a log of more than 255 words and 256 different probabilities."""
    rng = random.Random(0)
    words = sorted({"".join(rng.choices(["ka", "no", "mi", "ß", "é", "t"], k=rng.randint(2, 5))) for _ in range(450)})
    assert len(words) > 255
    likely = [1 / (1 + i % 50) for i in range(len(words))]
    queries = [" ".join(rng.choices(words, likely, k=rng.randint(1, 3))) for _ in range(600)] + words
    return [Example((), q[:1], q, float(rng.randint(1, 4))) for q in queries]


def composing(make_model, examples, spelling):
    composer = ComposerConfig(share=1.0, least=0.0, spelling=spelling)
    return make_model(examples, TrainingConfig(length_discount=0.0, composer=composer))


def test_labels_and_words(make_model, examples):
    path = composing(make_model, examples, 0.0)
    model, sections = load_model(path), read_sections(path.read_bytes())
    labels, blocks = read_labels(sections)
    assert [label.decode() for label in labels] == [model.native.label_text(i) for i in range(len(labels))]
    assert labels == sorted(labels)
    assert list(struct.iter_unpack("<QQ", sections["labels.block"])) == blocks
    ends = np.frombuffer(sections["composer.word_end"], "<u4").tolist()
    text = sections["composer.word_text"]
    words = [text[i:j] for i, j in zip([0, *ends], ends, strict=False)]
    assert words == sorted({w for label in labels for w in label.split(b" ")})
    bucket_end, key, ids = (
        np.frombuffer(sections[f"composer.{x}"], "<u4").tolist() for x in ("bucket_end", "key", "id")
    )
    for i, word in enumerate(words):
        assert ids[place_of(word, bucket_end, key)] == i


# Children of a trie's nodes: many, and different numbers.
@pytest.mark.parametrize(("kind", "bits"), [("hybrid", 6), ("trie", 8)])
def test_rankers(tmp_path, kind, bits):
    """Sessions of four words that say what word comes next, and one that all are made after."""
    rng = random.Random(1)
    words = [a + b for a in "abcdefghijklmnop" for b in "aeiou"]
    log = [Example(("all " + " ".join(rng.choices(words, k=4)),), q[:1], q) for q in rng.choices(words, k=900)]
    trained = train(
        log,
        TrainingConfig(index=IndexConfig(kind, max_leaf=8, branching=4), ranker=RankerConfig(weight_bits=bits)),
        threads=1,
        quiet=True,
    )
    save_model(trained, tmp_path / "rankers.qac")
    r, row, entry, expected = trained.rankers, 0, 0, []
    for n, scale in zip(r.node_rows, r.scale, strict=True):
        rows = {}
        for end in r.row_end[row : row + n]:
            weights = [float(w) * float(scale) for w in r.entry_weight[entry:end]]
            rows[int(r.row_feature[row])] = dict(zip(r.entry_child[entry:end].tolist(), weights, strict=True))
            row, entry = row + 1, int(end)
        expected.append(rows)
    assert max(len(weights) for rows in expected for weights in rows.values()) > 7
    assert max(len(rows) for rows in expected) > 64
    assert read_rankers(read_sections((tmp_path / "rankers.qac").read_bytes())) == expected


def test_words_n_grams(make_model, examples):
    """Without a session, and by words alone, scores are in proportion to what the n-grams give."""
    path = composing(make_model, examples, 0.0)
    sections = read_sections(path.read_bytes())
    model = Ngrams(sections, "word", json.loads(sections["meta"])["composer"]["word_order"])
    assert model.width == 2
    assert model.value[-1] > 0 in model.value  # steps of logarithms, some of them empty
    labels, _ = read_labels(sections)
    number = {w: i for i, w in enumerate(sorted({w.decode() for label in labels for w in label.split(b" ")}))}
    known = {label.decode() for label in labels}
    answers = [a for a in Completer.load(path, correct=False).complete("", k=MAX_K) if a.text in known]
    assert len(answers) > 20
    assert any(" " in a.text for a in answers)
    first = model.of_sequence([number[w] for w in answers[0].text.split(" ")]) / answers[0].score
    for a in answers:
        assert model.of_sequence([number[w] for w in a.text.split(" ")]) / a.score == pytest.approx(first, rel=1e-6)


@pytest.mark.parametrize("name", ["word", "char"])
def test_n_grams_link_to_the_shorter(make_model, examples, name):
    sections = read_sections(composing(make_model, examples, 0.0).read_bytes())
    composer = json.loads(sections["meta"])["composer"]
    model = Ngrams(sections, name, composer["word_order" if name == "word" else "character_order"])
    grams, links = model.grams(), dict(model.links())
    assert all(grams[link] == grams[node][1:] for node, link in links.items())
    assert len(links) == len(grams) - model.words - 2 > 400
    assert len(model.shorter) == sum(len(gram) > 2 for gram in grams)


def test_inverse_document_frequencies(make_model, examples):
    """Of each word in sessions: ln((1 + n) / (1 + df)) + 1, n being the same for all."""
    texts = sorted({e.next_query for e in examples})
    off = ComposerConfig(enabled=False)
    path = make_model([Example((t,), t[:1], t, 1.0) for t in texts], TrainingConfig(composer=off))
    sections = read_sections(path.read_bytes())
    bucket_end, key = (np.frombuffer(sections[f"session.{x}"], "<u4").tolist() for x in ("bucket_end", "key"))
    code, value = np.frombuffer(sections["session.idf"], "<u1"), np.frombuffer(sections["session.idf_value"], "<f4")
    df = Counter(w for t in texts for w in set(t.split(" ")))
    assert len(set(df.values())) > 10
    for word, n in df.items():
        at = place_of(word.encode(), bucket_end, key)
        assert value[code[at]] == pytest.approx(np.log((1 + len(texts)) / (1 + n)) + 1, rel=1e-6)


def test_characters_n_grams(make_model, examples):
    """By characters alone, words of which one character is typed score in proportion to what follows it."""
    path = composing(make_model, examples, 1.0)
    sections = read_sections(path.read_bytes())
    model = Ngrams(sections, "char", json.loads(sections["meta"])["composer"]["character_order"])
    assert model.width == 1
    alphabet = np.frombuffer(sections["composer.alphabet"], "<u4").tolist()
    known = {label.decode() for label in read_labels(sections)[0]}
    completer, compared = Completer.load(path, correct=False), 0
    for prefix in ("k", "n", "m", "ß", "é"):
        found = completer.complete(prefix, k=MAX_K)
        answers = list(islice((a for a in found if a.text in known and " " not in a.text), 20))
        p = [model.of_sequence([alphabet.index(ord(c)) for c in a.text], 1) for a in answers]
        assert [a.score * p[0] for a in answers] == pytest.approx([x * answers[0].score for x in p], rel=1e-6)
        compared += len(answers) - 1
    assert compared > 10
