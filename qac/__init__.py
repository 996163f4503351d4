"""Session-aware query autocompletion.

>>> import qac
>>> completer = qac.Completer.load("my.qac")                  # doctest: +SKIP
>>> completer.complete("n", prev="digital camera", k=3)       # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

from qac._version import __version__
from qac.completion import Completion

if TYPE_CHECKING:
    from qac.completer import Completer

__all__ = ["Completer", "Completion", "__version__"]


def __getattr__(name: str) -> Any:
    """Load ``Completer`` when it is asked for: numpy comes with it, which `qac --help` has no use for."""
    if name == "Completer":
        from qac.completer import Completer

        globals()[name] = Completer  # found at once the next time
        return Completer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
