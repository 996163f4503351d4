import subprocess
import sys

import pytest

from qac.blocklist import MAX_EXPRESSION_CHARS, MAX_EXPRESSIONS, AllowedExamples, Blocklist
from qac.errors import InputError
from qac.examples import Example


@pytest.mark.parametrize(
    ("rule", "blocked", "passed"),
    [
        ("nike", ["nike"], ["nike air", "nikes", ""]),
        ("  NIKE   Air ", ["nike air"], ["nike"]),
        ("ｎｉｋｅ", ["nike"], ["niko"]),  # full width
        ("word: nike", ["nike", "nike air", "cheap nike", "nike-air", "(nike)"], ["nikes", "unike", "air"]),
        ("word:new york", ["new york", "hotels new york", "new-york hotels"], ["new in york", "york new", "new"]),
        ("Word : Größe", ["größe 38".casefold()], ["grösser".casefold()]),
        ("re: ^nike (air|max)$", ["nike air", "nike max"], ["nike", "nike air 1", "my nike air"]),
        ("re:\\bair", ["nike air", "air", "airline"], ["pair"]),
        ("re: 日.", ["日本"], ["日"]),
        ("http://x", ["http://x"], ["x"]),
        ("# nike", [], ["nike", "# nike"]),
        ("", [], ["", "nike"]),
    ],
)
def test_rules(rule, blocked, passed):
    blocklist = Blocklist([rule])
    assert [t for t in blocked if not blocklist.blocks(t, "default")] == []
    assert [t for t in passed if blocklist.blocks(t, "default")] == []


def test_rules_hold_in_the_clean_up_of_the_model():
    blocklist = Blocklist(["E-Bay"])
    assert blocklist.blocks("e-bay", "default")
    assert not blocklist.blocks("e bay", "default")
    assert blocklist.blocks("e bay", "alnum")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["fine", "re: (unclosed"], r"list:2: not an expression that RE2 takes: missing \)"),
        (["re:"], "list:1: expected a regular expression after re:"),
        (["re: a*"], "list:1: the expression matches the empty text and would block everything"),
        (["re: (a)\\1"], "list:1: not an expression that RE2 takes"),  # back references are not linear
        (["re: (?<=a)b"], "list:1: not an expression that RE2 takes"),
        (["re: ((a{100}){100}){100}"], "list:1: not an expression that RE2 takes"),
        (["re: \\p{L}{1000}"], "list:1: not an expression that RE2 takes: pattern too large"),
        ([f"re: {'a' * (MAX_EXPRESSION_CHARS + 1)}"], "list:1: expected an expression of at most 1000 characters"),
        (["re: a"] * (MAX_EXPRESSIONS + 1), "list:201: more than 200 regular expressions"),
        (["word: ---"], "list:1: the rule is empty in normal form"),
        (["\x7f"], "list:1: the rule is empty in normal form"),
    ],
)
def test_what_is_no_rule_is_one_line_that_says_where(lines, message):
    with pytest.raises(InputError, match=message) as e:
        Blocklist(lines, "list")
    assert "\n" not in str(e.value)


def test_expressions_that_blow_up_elsewhere_take_linear_time():
    """Backtracking would take longer than the universe has: in a process of its own, which can be ended."""
    rules = [f"re: x{e}" for e in ("(a+)+$", "(a|a)*b", "(.*)*y", "(a*)*c", "([a-z]+)*=", "(a+a+)+b")]
    program = f"""
from qac.blocklist import Blocklist
for rule in {rules!r}:
    print(Blocklist([rule]).blocks("x" + "a" * 4000 + "!", "default"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["False"] * len(rules), done.stderr


def test_the_digest_is_that_of_the_rules():
    digest = Blocklist(["nike", "word: air"]).digest
    assert digest == Blocklist(["# a comment", "nike", "", "word: air"]).digest
    assert digest != Blocklist(["nike"]).digest


def test_files(tmp_path):
    path = tmp_path / "block.txt"
    path.write_bytes("\ufeffnike\r\nword: süßes\r\n".encode())
    blocklist = Blocklist.read(path)
    assert blocklist.blocks("nike", "default")
    assert blocklist.blocks("süsses", "default")
    path.write_bytes(b"nike\n\xff\n")
    with pytest.raises(InputError, match=f"{path}:2: expected UTF-8"):
        Blocklist.read(path)
    with pytest.raises(InputError, match="cannot read the blocklist"):
        Blocklist.read(tmp_path / "missing")
    with pytest.raises(InputError, match="cannot read the blocklist"):
        Blocklist.read(tmp_path)
    with path.open("wb") as f:
        f.truncate((16 << 20) + 1)
    with pytest.raises(InputError, match="larger than 16 MiB"):
        Blocklist.read(path)


def test_examples_without_what_is_blocked():
    examples = [
        Example(("a", "bad word", "b"), "c", "c", 2.0, time=5, session=7),
        Example(("a",), "b", "bad word"),
        Example(("bad word",), "d", "d"),
        Example((), "bad", "bad"),
    ]
    allowed = AllowedExamples(examples, Blocklist(["bad word"]), "default")
    expected = [Example(("a", "b"), "c", "c", 2.0, time=5, session=7), Example((), "d", "d"), examples[3]]
    assert list(allowed) == list(allowed) == expected
