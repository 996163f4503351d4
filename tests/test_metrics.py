import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction
from nltk.translate.bleu_score import sentence_bleu as nltk_bleu

from qac.metrics import BleuReference, bleu_rr, keystrokes_saved, rank_of, reciprocal_rank, sentence_bleu, success

METHOD1 = SmoothingFunction().method1
# Few words and lengths over 4: n-grams of every order match, repeat and clip.
texts = st.lists(st.sampled_from(["new", "york", "times", "nikon", "d70"]), max_size=9).map(" ".join)


@pytest.mark.parametrize(("answers", "rank"), [([], 0), (["a"], 1), (["b", "a"], 2), (["b", "a", "a"], 2), (["ab"], 0)])
def test_rank_of(answers, rank):
    assert rank_of("a", answers) == rank


def test_metrics_of_ranks_by_hand():
    ranks = np.array([1, 2, 0, 5, 11], np.int32)
    assert reciprocal_rank(ranks, 10).tolist() == [1, 0.5, 0, 0.2, 0]
    assert reciprocal_rank(ranks, 4).tolist() == [1, 0.5, 0, 0, 0]
    assert success(ranks, 1).tolist() == [1, 0, 0, 0, 0]
    assert success(ranks, 5).tolist() == [1, 1, 0, 1, 0]


def test_keystrokes_saved_by_hand():
    # missing; picked with one key of four; with three of four; with more keys than there are letters left; nothing left
    ranks, remaining = np.array([0, 1, 3, 9, 1]), np.array([4, 4, 4, 4, 0])
    assert keystrokes_saved(ranks, remaining).tolist() == [0, 3, 1, 0, 0]


@given(st.lists(st.integers(0, 15), min_size=1, max_size=20))
def test_metrics_of_ranks_equal_ir_measures(ranks):
    qrels = [ir_measures.Qrel(str(i), "right", 1) for i in range(len(ranks))]
    run = [
        ir_measures.ScoredDoc(str(i), "right" if place == rank else f"wrong{place}", 100.0 - place)
        for i, rank in enumerate(ranks)
        for place in range(1, 16)
    ]
    ours = np.array(ranks, np.int32)
    expected = {
        ir_measures.RR @ 10: reciprocal_rank(ours, 10),
        ir_measures.Success @ 1: success(ours, 1),
        ir_measures.Success @ 5: success(ours, 5),
        ir_measures.Success @ 10: success(ours, 10),
    }
    for metric in ir_measures.iter_calc(list(expected), qrels, run):
        assert metric.value == pytest.approx(expected[metric.measure][int(metric.query_id)])


def test_bleu_of_an_exact_match_depends_on_its_length():
    assert sentence_bleu("nikon", "nikon") == pytest.approx(0.1**0.75)  # p = 1, .1, .1, .1: .178
    assert sentence_bleu("a b c d", "a b c d") == 1


def test_bleu_by_hand():
    # p = 3/4, 1/3, .1/2, .1/1; as long as the reference
    assert sentence_bleu("a b c d", "a b x c") == pytest.approx((3 / 4 * 1 / 3 * 0.1 / 2 * 0.1) ** 0.25)
    # p = 2/2, 1/1, .1, .1; half as long: brevity penalty exp(1 - 4/2)
    assert sentence_bleu("a b c d", "a b") == pytest.approx(np.exp(-1) * 0.01**0.25)
    # a word counts at most as often as the reference has it: p = 1/3, .1/2, .1/1, .1
    assert sentence_bleu("a b", "a a a") == pytest.approx((1 / 3 * 0.1 / 2 * 0.1 * 0.1) ** 0.25)


@pytest.mark.parametrize(("reference", "candidate"), [("a b", "c d"), ("a", ""), ("", "a"), ("", "")])
def test_bleu_is_zero_without_a_common_word(reference, candidate):
    assert sentence_bleu(reference, candidate) == 0


@given(texts, texts)
def test_bleu_equals_nltk_method1(reference, candidate):
    expected = nltk_bleu([reference.split()], candidate.split(), smoothing_function=METHOD1)
    assert sentence_bleu(reference, candidate) == pytest.approx(expected, abs=1e-12)


@given(texts, st.lists(texts, max_size=4))
def test_a_reference_scores_any_number_of_candidates(reference, candidates):
    shared = BleuReference(reference)
    assert [shared.score(c) for c in candidates] == [sentence_bleu(reference, c) for c in candidates]


def test_bleu_rr_weighs_by_reciprocal_rank():
    assert bleu_rr([]) == 0
    assert bleu_rr([0.3]) == pytest.approx(0.3)
    assert bleu_rr([1.0, 0.0, 0.5]) == pytest.approx((1 + 0.5 / 3) / (1 + 1 / 2 + 1 / 3))
