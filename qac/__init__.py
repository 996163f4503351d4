"""Session-aware query autocompletion."""

from qac._version import __version__
from qac.completion import Completion

__all__ = ["Completion", "__version__"]
