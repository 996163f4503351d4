"""The errors qac raises on purpose.

Each message says what was expected, what came instead, and the cure, in one line; the command line prints it
as it is. Anything else that escapes is a defect.
"""


class QacError(Exception):
    """Base of all errors that a user can cause and mend."""


class InputError(QacError):
    """A log, an example file or an argument is not what it must be."""


class UsageError(InputError):
    """A value is outside what an option or an argument allows."""


class ModelError(QacError):
    """A model file is missing, foreign, damaged, or newer than this version reads."""


class OutputError(QacError):
    """A result could not be written; what was there before is untouched."""
