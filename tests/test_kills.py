"""Outputs are old or new, or known to be unfinished, in small: benchmarks/kills.py kills hundreds of times."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "kills.py"


def test_killed_at_random_moments():
    # In a process of its own: it forks.
    done = subprocess.run([sys.executable, SCRIPT, "--kills", "8"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    left = {command: result[command]["left"] for command in ("prep", "train")}
    assert [sum(of.values()) for of in left.values()] == [8, 8]
    assert set(left["train"]) <= {"old", "new"}
    assert set(left["prep"]) & {"old", "new"}
