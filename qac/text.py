"""Text as the model sees it: one normal form, the same at training and serving.

A query is Unicode NFKC, case-folded, with runs of white space and control characters made one space and none at
the ends. A *prefix* keeps one trailing space: "new " says that the word is finished, "new" does not.

The protocol ``alnum`` (the clean-up of the KDD'21 experiments) also turns every character that is not a letter, a
digit or a combining mark into a space. A model stores the protocol it was trained with and applies it to requests.
"""

import re
import unicodedata
from typing import Final, Literal

Protocol = Literal["default", "alnum"]
PROTOCOLS: Final[tuple[Protocol, ...]] = ("default", "alnum")

# Separators and controls, line breaks and NUL among them. Zero-width joiners stay: Persian and Indic scripts need them.
_SPACES = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
# Lone surrogates cannot be encoded as UTF-8: they become the replacement character.
_SURROGATES = re.compile("[\ud800-\udfff]")


def _fold(text: str, protocol: Protocol) -> str:
    if text.isascii():
        text = text.lower()
        if protocol == "default" and "  " not in text and text.isprintable():  # most queries: nothing else to do
            return text
    else:
        text = _SURROGATES.sub("\ufffd", text)
        # Case-folding can undo NFKC (and NFKC case): fold between two normalisations, as Unicode's NFKC_Casefold does.
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if protocol == "alnum":
        text = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in text)
    if text.isprintable() and "  " not in text:  # as most are: no other spaces, no controls
        return text
    return _SPACES.sub(" ", text)


def normalize(text: str, protocol: Protocol = "default") -> str:
    """Return ``text`` in the normal form of whole queries. Idempotent. May be empty."""
    return _fold(text, protocol).strip(" ")


def normalize_prefix(text: str, protocol: Protocol = "default") -> str:
    """Return ``text`` in the normal form of typed prefixes: as :func:`normalize`, but one trailing space stays.

    Only white space is the empty prefix.
    """
    return _fold(text, protocol).lstrip(" ")
