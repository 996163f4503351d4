"""Faults in model files, in small: see benchmarks/faults.py, which makes ten thousand."""

import faults


def test_no_fault_does_harm(tmp_path):
    result = faults.measure(300, 1, tmp_path)
    assert result["findings"] == []
    assert sum(result["kinds"].values()) == 300
    assert len(result["kinds"]) == len({*faults.STORAGE, *faults.CONTENT})
    for what in ("open, check=True", "open, check=False", "complete", "explain"):  # both ways were taken
        assert result["outcomes"][f"{what}: done"] > 5
        assert result["outcomes"][f"{what}: refused"] > 5


def test_what_is_none_of_our_errors_is_a_finding():
    tries = faults._Tries()
    tries.attempt("divide", lambda: 1 // 0)
    assert "divide: Traceback" in tries.findings[0]
    assert not tries.outcomes
