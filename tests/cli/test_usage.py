"""What all subcommands share: how they say that they were called wrongly."""

import subprocess
import sys

import pytest

import qac


@pytest.mark.parametrize(
    ("argv", "start"),
    [
        ([], "qac: error: "),
        (["no-such-command"], "qac: error: "),
        (["train", "--out"], "qac train: error: argument --out: "),
        (["train"], "qac train: error: the following arguments are required: "),
        (["train", "a", "--out", "b", "--threads", "0"], "qac train: error: argument --threads: "),
        (["train", "a", "--out", "b", "c\nd"], "qac train: error: unrecognized arguments: c d; "),
        (["complete", "--no-such-option"], "qac complete: error: unrecognized arguments: --no-such-option; "),
        (
            ["complete", "-k", "0"],
            "qac complete: error: argument -k: expected a whole number from 1 to 1000, got '0'; ",
        ),
        (["demo", "-k", "1001"], "qac demo: error: argument -k: expected a whole number from 1 to 1000, got '1001'; "),
        (["eval", "a", "-k", "1.5"], "qac eval: error: argument -k: expected a whole number from 1 to 1000, "),
        (["prep", "a", "--out", "b", "--history", "0"], "qac prep: error: argument --history: expected a whole "),
    ],
)
def test_wrong_usage_is_one_line_with_the_cure_and_status_2(call_qac, argv, start):
    done = call_qac(*argv)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(start)
    command = start.partition(":")[0]
    assert done.err.endswith(f'; see "{command} --help"\n')


@pytest.mark.parametrize(
    "options",
    [
        ("--split", "nonsense"),
        ("--split-dates", "2026-05-01"),
        ("--split-dates", "2026-06-01,2026-05-01"),
        ("--split-dates", "2026-05-01,2026-06-01", "--split-by", "session"),
        ("--encoding", "utf-16"),
        ("--time-format", "fortnights"),
    ],
)
def test_values_that_preparation_refuses_are_wrong_usage_too(call_qac, tmp_path, options):
    (tmp_path / "log.tsv").write_text("u\t2026-01-01 00:00:00\ta\nu\t2026-01-01 00:00:01\tb\n", encoding="utf-8")
    done = call_qac("prep", tmp_path / "log.tsv", "--out", tmp_path / "data", *options)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert options[0] in done.err


def test_standard_input_named_twice_is_wrong_usage(call_qac, tmp_path):
    done = call_qac("prep", "-", "-", "--out", tmp_path / "data")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "once" in done.err


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["train", "--help"], ["complete", "-k", "0"]])
def test_what_needs_no_model_loads_no_numpy(argv):
    code = f"""
import sys
from qac.cli import main
try:
    main({argv!r})
except SystemExit:
    pass
assert "numpy" not in sys.modules, "loaded"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_an_interrupt_while_starting_up_is_as_quiet_as_later(run_qac, tmp_path):
    (tmp_path / "numpy.py").write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    done = run_qac("complete", "--prefix", "n", env={"PYTHONPATH": str(tmp_path)})
    assert done == (130, "", "qac: interrupted; nothing was left half-written\n")


def test_the_package_offers_what_it_names():
    for name in qac.__all__:
        assert name in dir(qac)
        assert getattr(qac, name) is not None
    with pytest.raises(AttributeError, match="'qac' has no attribute 'Complete'"):
        qac.Complete  # noqa: B018
