import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac._native import is_normal
from qac.text import PROTOCOLS, normalize, normalize_prefix

_TRICKY = "aB -.\t\n\0\x85\u00a0\u2028\u3000İıßſΣςﬁ½①Ａｶﾞ\u0301\u0345\u0308\u200d\u0940\u1100\u1161😀\ud800\udc00"
anything = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(_TRICKY),
    ),
    max_size=12,
)
protocols = st.sampled_from(PROTOCOLS)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("  Digital\t CAMERA\n", "digital camera"),
        ("a\0b\x1fc\x7fd\x85e", "a b c d e"),
        ("\u00a0x\u2003y\u3000", "x y"),  # no-break, em and ideographic space
        ("Ｎｉｋｏｎ", "nikon"),  # full-width letters
        ("ﬁne", "fine"),  # ligature
        ("x²", "x2"),
        ("50㎒", "50mhz"),  # one character that is capital letters only once it is taken apart
        ("Straße", "strasse"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),  # final sigma folds to sigma
        ("e\u0301", "é"),  # composed
        ("İ", "i\u0307"),
        ("ｶﾞ", "ガ"),  # half-width, voiced by a mark
        ("\u1112\u1161\u11ab", "한"),  # conjoining jamo
        ("می\u200cخواهم", "می\u200cخواهم"),  # the non-joiner is spelling, not space
        ("a\ud800b", "a\ufffdb"),  # half a surrogate pair
        ("😀", "😀"),
        ("", ""),
        (" \n\t ", ""),
    ],
)
def test_normal_form(raw, wanted):
    assert normalize(raw) == wanted


ascii_text = st.text(
    st.one_of(st.sampled_from("aAzZ  \n\t\0\x1f!/:@[`{~\x7f"), st.characters(max_codepoint=127)), max_size=8
)


@given(st.one_of(anything, ascii_text))
def test_the_native_call_takes_for_normal_what_is(text):
    encoded = text.encode("utf-8", "surrogatepass")
    assert is_normal(encoded, whole=False) == (text.isascii() and normalize_prefix(text) == text)
    if "\n" not in text:
        assert is_normal(encoded, whole=True) == (text.isascii() and normalize(text) == text)


@given(st.lists(ascii_text))
def test_the_native_call_takes_for_normal_a_session_whose_queries_are(queries):
    text = "\n".join(queries)
    wanted = not text or all(normalize(line) == line != "" for line in text.split("\n"))
    assert is_normal(text.encode(), whole=True) == wanted


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("new", "new"),
        ("new ", "new "),
        ("new \t ", "new "),
        ("  new", "new"),
        ("New\n", "new "),
        ("   ", ""),
        ("", ""),
        ("a\0", "a "),
    ],
)
def test_a_prefix_keeps_one_trailing_space(raw, wanted):
    assert normalize_prefix(raw) == wanted


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("www.e-bay.com", "www e bay com"),
        ("c++", "c"),
        ("don't", "don t"),
        ("हिन्दी", "हिन्दी"),  # combining vowel signs and the virama belong to the word
        ("24/7", "24 7"),
        ("!!!", ""),
        ("a😀b", "a b"),
    ],
)
def test_alnum_keeps_letters_digits_and_marks(raw, wanted):
    assert normalize(raw, "alnum") == wanted


def test_alnum_of_a_prefix_keeps_the_end_of_a_word():
    assert normalize_prefix("e-", "alnum") == "e "


@given(anything, protocols)
def test_normal_form_is_a_fixed_point(text, protocol):
    once = normalize(text, protocol)
    assert normalize(once, protocol) == once
    assert normalize_prefix(once, protocol) == once
    typed = normalize_prefix(text, protocol)
    assert normalize_prefix(typed, protocol) == typed


@given(anything, protocols)
def test_normal_form_has_single_inner_spaces_and_no_controls(text, protocol):
    for form in (normalize(text, protocol), normalize_prefix(text, protocol).removesuffix(" ")):
        assert form == " ".join(form.split())
        assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in form)
        form.encode("utf-8")  # so that it can be stored


@given(anything, protocols)
def test_a_whole_query_is_its_prefix_without_the_trailing_space(text, protocol):
    assert normalize_prefix(text, protocol).removesuffix(" ") == normalize(text, protocol)


@given(st.text(st.characters(max_codepoint=127)), protocols)
def test_the_short_cut_for_ascii_is_the_general_way(text, protocol):
    # A letter beyond ASCII takes the general way; NFKC, folding and clean-up treat the characters one by one here.
    assert normalize_prefix("é" + text, protocol) == normalize_prefix("é", protocol) + normalize_prefix(
        "x" + text, protocol
    ).removeprefix("x")
