"""How cffi builds the extension ``qac._native._core`` from ``native/``.

The declarations are cut out of ``native/qac.h`` between its CDEF marks: the header is the only place they stand.
Set QAC_WERROR=1 to make compiler warnings errors, and CFLAGS for anything else.
"""

import os
import sys
from pathlib import Path

from cffi import FFI

# setuptools runs this file from the project's root, with relative paths expected in the extension.
ROOT = Path(os.path.relpath(Path(__file__).resolve().parents[2]))
NATIVE = ROOT / "native"


def _declarations() -> str:
    header = (NATIVE / "qac.h").read_text(encoding="utf-8")
    return header.split("/* CDEF BEGIN */")[1].split("/* CDEF END */")[0]


# No contraction into fused multiply-add: the same input gives the same model on machines with and without it.
_ARGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fvisibility=hidden"]
_LINK_ARGS = []
if sys.platform.startswith("linux"):
    # A defect that the tests have missed ends the process rather than be of use to an attacker.
    _ARGS += ["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong"]
    _LINK_ARGS += ["-pthread", "-Wl,-z,relro,-z,now"]
if os.environ.get("QAC_WERROR"):
    _ARGS += ["-Wall", "-Wextra", "-Werror"]

ffibuilder = FFI()
ffibuilder.cdef(_declarations())
ffibuilder.set_source(
    "qac._native._core",
    '#include "qac.h"',
    sources=[str(p) for p in sorted((NATIVE / "src").glob("*.c"))],
    depends=[str(p) for p in [NATIVE / "qac.h", *sorted((NATIVE / "src").glob("*.h"))]],
    include_dirs=[str(NATIVE)],
    extra_compile_args=_ARGS,
    libraries=["m"] if sys.platform != "win32" else [],
    extra_link_args=_LINK_ARGS,
    py_limited_api=True,
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
