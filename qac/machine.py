"""What this process has of the machine: memory and processors."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from qac._native import MAX_THREADS

_STATUS: Final = Path("/proc/self/status")


def peak_mb() -> float | None:
    """Return the most memory that was resident at once, in MiB; None where the system does not say."""
    if _STATUS.exists():  # Linux, whose ru_maxrss begins with what the parent process had
        line = next((line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:")), None)
        return int(line.split()[1]) / 1024 if line else None
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def processors() -> int:
    """Return the number of processors that this process may use, at most MAX_THREADS."""
    if hasattr(os, "sched_getaffinity"):  # Linux; elsewhere a process cannot be kept off some of them
        return min(MAX_THREADS, len(os.sched_getaffinity(0)))
    return min(MAX_THREADS, os.cpu_count() or 1)
