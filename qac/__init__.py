"""Session-aware query autocompletion.

>>> import qac
>>> completer = qac.Completer.load("my.qac")                  # doctest: +SKIP
>>> completer.complete("n", prev="digital camera", k=3)       # doctest: +SKIP
"""

from qac._version import __version__
from qac.completer import Completer
from qac.completion import Completion

__all__ = ["Completer", "Completion", "__version__"]
