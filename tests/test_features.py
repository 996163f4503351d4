import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer

from qac import _native
from qac.features import base
from qac.features.prefix import PrefixTfidfVectorizer
from qac.features.session import SessionVectorizer

IDF_1_OF_2 = math.log(3 / 2) + 1  # in one of two documents
IDF_2_OF_2 = 1.0
IDF_1_OF_3 = math.log(4 / 2) + 1
IDF_2_OF_3 = math.log(4 / 3) + 1


def row(vectorizer, document, columns):
    """Return a document's vector as a dict from names of terms; every value must have a name."""
    x = vectorizer.transform([document])
    names = {column: name for name, column in columns.items()}
    return {names[i]: v for i, v in zip(x.indices.tolist(), x.data.tolist(), strict=True)}


def unit(weights):
    length = math.sqrt(sum(w * w for w in weights.values()))
    return {term: pytest.approx(w / length, rel=1e-6) for term, w in weights.items()}


def column(vectorizer, document):
    """Return the only column that a document fills."""
    (only,) = vectorizer.transform([document]).indices.tolist()
    return only


def prefix_columns(vectorizer, terms):
    """Return the columns of n-grams: of "abc", the one that neither "ab" nor "bc" has."""
    out = {}
    for term in sorted(terms, key=len):
        found = set(vectorizer.transform([term]).indices.tolist()) - set(out.values())
        (out[term],) = found
    return out


def session_columns(vectorizer, words=(), pairs=(), queries=()):
    def only(**weights):
        v = clone(vectorizer).set_params(
            **{"word_weight": 0, "bigram_weight": 0, "query_weight": 0, "history": 1, **weights}
        )
        v.vocabulary_, v.n_features_ = vectorizer.vocabulary_, vectorizer.n_features_
        return v

    return (
        {w: column(only(word_weight=1), [w]) for w in words}
        | {p: column(only(bigram_weight=1), [p]) for p in pairs}
        | {f"[{q}]": column(only(query_weight=1), [q]) for q in queries}
    )


# ---- prefix ----


def test_prefix_golden_values():
    # Terms of "ab": a at 0 counts 1, ab at 0 counts 1, b at 1 counts 1/2. Terms of "b": b at 0 counts 1.
    v = PrefixTfidfVectorizer(1, 2).fit(["ab", "b"])
    columns = prefix_columns(v, ["a", "b", "ab"])
    assert v.n_features_ == 3
    assert row(v, "ab", columns) == unit({"a": IDF_1_OF_2, "ab": IDF_1_OF_2, "b": IDF_2_OF_2 / 2})
    assert row(v, "b", columns) == {"b": 1.0}
    # aba: a at 0 and 2 counts 1 + 1/3, b at 1 counts 1/2, ab at 0 counts 1; ba was never seen.
    assert row(v, "aba", columns) == unit({"a": 4 / 3 * IDF_1_OF_2, "b": IDF_2_OF_2 / 2, "ab": IDF_1_OF_2})
    # The same as plain numbers: (1.405465, 1.405465, .5) has length 2.049552.
    assert row(v, "ab", columns) == pytest.approx({"a": 0.685743, "ab": 0.685743, "b": 0.243956}, abs=2e-6)


@pytest.mark.parametrize(("decay", "weight"), [(0.0, 1.0), (0.5, 3**-0.5), (1.0, 1 / 3), (2.0, 1 / 9)])
def test_position_decay_is_a_power_of_the_position(decay, weight):
    v = PrefixTfidfVectorizer(1, 1, position_decay=decay).fit(["abc"])
    x = row(v, "abc", prefix_columns(v, "abc"))
    assert x["c"] / x["a"] == pytest.approx(weight, rel=1e-5)


@pytest.mark.parametrize("before", ["é", "日", "😀", "\u0301"])
def test_positions_and_ngrams_are_counted_in_code_points(before):
    v = PrefixTfidfVectorizer(1, 2).fit([before + "a"])
    columns = prefix_columns(v, [before, "a", before + "a"])
    assert v.n_features_ == 3
    assert row(v, before + "a", columns) == unit({before: 1, before + "a": 1, "a": 1 / 2})


def test_letters_that_share_bytes_are_different_terms():
    v = PrefixTfidfVectorizer(1, 1).fit(["é", "è", "日", "旤", "😀", "😁"])
    assert v.n_features_ == 6
    assert v.transform(["ê", "😂"]).nnz == 0


words = st.text(st.sampled_from("abé日😀"), min_size=1, max_size=4)
texts = st.lists(words, min_size=1, max_size=4).map(" ".join)


def assert_same_up_to_columns(ours, theirs):
    ours, theirs = ours.toarray(), theirs.toarray()
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-5)
    np.testing.assert_allclose(np.sort(ours, axis=1), np.sort(theirs, axis=1), atol=1e-5)


@given(st.lists(texts, min_size=1, max_size=8), st.integers(1, 3), st.integers(0, 2))
def test_without_decay_it_is_scikit_learns_character_tfidf(documents, min_n, more):
    oracle = TfidfVectorizer(analyzer="char", ngram_range=(min_n, min_n + more), lowercase=False)
    if all(len(d) < min_n for d in documents):
        assert PrefixTfidfVectorizer(min_n, min_n + more, position_decay=0).fit(documents).n_features_ == 0
        return
    ours = PrefixTfidfVectorizer(min_n, min_n + more, position_decay=0).fit_transform(documents)
    assert_same_up_to_columns(ours, oracle.fit_transform(documents))


@given(st.lists(texts, min_size=1, max_size=8))
def test_with_words_only_it_is_scikit_learns_word_tfidf(documents):
    ours = SessionVectorizer(bigram_weight=0, query_weight=0).fit_transform([[d] for d in documents])
    oracle = TfidfVectorizer(token_pattern=r"[^ ]+", lowercase=False)
    assert_same_up_to_columns(ours, oracle.fit_transform(documents))


def test_rare_terms_are_left_out():
    assert PrefixTfidfVectorizer(1, 1, min_df=2).fit(["ab", "ac"]).n_features_ == 1


# ---- session ----


def test_session_golden_values():
    # Document frequencies of three sessions: a 2, c 2; b, a b, b c and the query a b c 1.
    v = SessionVectorizer(history=2, age_decay=0.5).fit([["a b c"], ["a"], ["c"]])
    columns = session_columns(v, "abc", ["a b", "b c"], ["a b c"])
    assert v.n_features_ == 6
    # One query: each of its terms counts 1.
    rare, common = IDF_1_OF_3, IDF_2_OF_3
    once = {"a": common, "b": rare, "c": common, "a b": rare, "b c": rare, "[a b c]": rare}
    assert row(v, ["a b c"], columns) == unit(once)
    # "a b c" one query back counts 1/2 everywhere; "c" is also the last query and counts 1 + 1/2.
    twice = {"a": common / 2, "b": rare / 2, "c": common * 1.5, "a b": rare / 2, "b c": rare / 2, "[a b c]": rare / 2}
    assert row(v, ["a b c", "c"], columns) == unit(twice)
    # The same as plain numbers: ln(4/2)+1 = 1.693147, ln(4/3)+1 = 1.287682, so (.643841, .846574, 1.931523, .846574,
    # .846574, .846574), of length sqrt(.414531 + 4 * .716687 + 3.730781) = 2.648029.
    plain = {"a": 0.243140, "b": 0.319700, "c": 0.729419, "a b": 0.319700, "b c": 0.319700, "[a b c]": 0.319700}
    assert row(v, ["a b c", "c"], columns) == pytest.approx(plain, abs=2e-6)


def test_kinds_of_terms_have_their_weights():
    v = SessionVectorizer(word_weight=0.5, bigram_weight=2, query_weight=3).fit([["a b c"]])
    columns = session_columns(v, "abc", ["a b", "b c"], ["a b c"])
    assert row(v, ["a b c"], columns) == unit({"a": 0.5, "b": 0.5, "c": 0.5, "a b": 2, "b c": 2, "[a b c]": 3})


@pytest.mark.parametrize(
    ("words", "pairs", "terms_of"),
    [
        (1, 1, {"a": 1, "a b": 3, "a b c": 6}),  # one or two words: the query is the word or the pair
        (1, 0, {"a": 1, "a b": 3, "a b c": 4}),
        (0, 1, {"a": 1, "a b": 1, "a b c": 3}),
        (0, 0, {"a": 1, "a b": 1, "a b c": 1}),
    ],
)
def test_a_whole_query_is_a_term_where_nothing_else_is_the_same(words, pairs, terms_of):
    for query, n in terms_of.items():
        v = SessionVectorizer(word_weight=words, bigram_weight=pairs).fit([[query]])
        assert v.n_features_ == n, query


@pytest.mark.parametrize("age", [0, 1, 2])
def test_age_decays_by_a_power_and_ends_with_the_history(age):
    v = SessionVectorizer(history=2, age_decay=0.25).fit([["x"], ["y"]])
    session = ["x", *["y"] * age]
    x = row(v, session, session_columns(v, "xy"))
    expected = unit({"x": 0.25**age, "y": 1}) if age else {"x": 1}
    # Two steps back is beyond a history of two; y then counts 1 + 1/4 and is alone.
    assert x == (expected if age < 2 else {"y": 1})


def test_pairs_keep_their_order_and_do_not_cross_queries():
    v = SessionVectorizer(history=2, word_weight=0, query_weight=0).fit([["a b"], ["b a"], ["a", "b"]])
    assert v.n_features_ == 2
    assert v.transform([["a", "b"], ["ab"], []]).nnz == 0


# ---- one code for all paths ----


sessions = st.lists(st.lists(texts, max_size=3), min_size=1, max_size=6)


@given(sessions, st.integers(1, 3), st.sampled_from([0.0, 0.5, 1.0]))
def test_rows_do_not_depend_on_their_neighbours_nor_on_the_call(documents, history, age_decay):
    v = SessionVectorizer(history=history, age_decay=age_decay)
    together = v.fit_transform(documents)
    assert (together != v.transform(documents)).nnz == 0
    for i, document in enumerate(documents):
        alone = v.transform([document])
        assert (alone != together[i]).nnz == 0
        assert (np.diff(alone.indices) > 0).all()
        length = np.linalg.norm(alone.data)
        assert length == pytest.approx(1, abs=1e-6) or alone.nnz == 0


@given(st.lists(texts, max_size=4), st.text(st.sampled_from("new y"), max_size=3))
def test_serving_sees_what_training_saw(completer, session, prefix):
    config = completer._model.arrays.session
    vocabulary = completer._model.arrays.session_vocabulary
    known = ["new york", "digital camera", "travel"]
    session = [known[len(q) % 3] if i % 2 else q for i, q in enumerate(session)]
    document = "\n".join(session)
    label = completer._native.prefix_range(b"")[0]
    features, _ = completer._native.explain(b"", document.encode(), label)
    _, ids, values = _native.vectorize(config, vocabulary, [document])
    assert [(f.id, f.value) for f in features] == list(zip(ids.tolist(), values.tolist(), strict=True))


def test_features_name_their_newest_place_in_the_session(completer):
    session = b"new york\ndigital new york"
    label = completer._native.find_label(b"new york hotels")
    features, _ = completer._native.explain(b"", session, label)
    found = {session[f.begin : f.end]: f.begin for f in features}
    assert found[b"new york"] == session.rindex(b"new york")
    assert found[b"digital"] == session.index(b"digital")


def test_of_a_document_with_too_many_terms_the_newest_are_kept():
    long = " ".join(f"w{i}" for i in range(3 * _native.MAX_TERMS))
    v = SessionVectorizer(history=2).fit([["new"], ["old"], [long]])
    newest = session_columns(v, ["new"])["new"]
    x = v.transform([[long, "new"]])
    assert newest in x.indices.tolist()
    assert x.nnz == _native.MAX_TERMS
    assert v.transform([["old", long]]).nnz == _native.MAX_TERMS


def test_terms_that_a_vocabulary_cannot_tell_apart_are_one_feature():
    """Of these hashes the first 33 bits count: one for the bucket, 32 for the key."""
    hashes = np.array([3 << 31, (3 << 31) + 1, 4 << 31, 1 << 63], np.uint64)
    idf_value = np.arange(256, dtype=np.float32)
    v = _native.build_vocabulary(hashes, np.array([1, 2, 3, 4], np.uint8), idf_value)
    assert len(v) == 3
    assert v.bucket_end.tolist() == [2, 3]
    assert v.key.tolist() == [3, 4, 0]
    assert v.idf.tolist() == [1, 3, 4]
    assert v.idf_value is idf_value


def test_documents_without_known_terms_are_empty_rows():
    v = SessionVectorizer().fit([["a"]])
    x = v.transform([["b"], [], [""], ["a"]])
    assert x.shape == (4, 1)
    assert np.diff(x.indptr).tolist() == [0, 0, 0, 1]
    assert SessionVectorizer().fit([]).transform([["a"]]).shape == (1, 0)


def test_estimators_follow_scikit_learn():
    v = SessionVectorizer(history=3, age_decay=0.2)
    assert clone(v).get_params() == v.get_params()
    with pytest.raises(Exception, match="not fitted"):
        v.transform([["a"]])
    with pytest.raises(_native.NativeError, match="EINVAL"):
        PrefixTfidfVectorizer(0, 1).fit(["a"])
    with pytest.raises(_native.NativeError, match="EINVAL"):
        PrefixTfidfVectorizer(2, 1).fit(["a"])


def test_many_documents_are_read_some_at_a_time(monkeypatch):
    texts = [f"{i % 7} {i} {i % 3}" for i in range(50)]
    at_once = PrefixTfidfVectorizer(min_df=2)
    expected = at_once.fit_transform(texts)
    monkeypatch.setattr(base, "_BATCH", 8)
    some = PrefixTfidfVectorizer(min_df=2)
    assert (some.fit_transform(texts) != expected).nnz == 0
    assert some.vocabulary_.idf.tolist() == at_once.vocabulary_.idf.tolist()
    assert some.vocabulary_.idf_value.tolist() == at_once.vocabulary_.idf_value.tolist()
