"""Personal data in queries: what its form gives away. Names and addresses of people have no form; see docs/privacy.md.

A pattern may err on the side of dropping a query that nobody needs to see suggested, but not one that many people make:
years, model numbers, sizes, round numbers, dates, ISBNs and private IP addresses are none.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from typing import Final

from qac.config import PERSONAL_KINDS, PersonalKind

# Whatever is found below has one of these.
_SUSPICIOUS = re.compile(r"[@?=:0-9]")

_EMAIL = re.compile(r"\w@\w|\w ?@ ?[\w-]+\.\w|\w at [\w-]+ dot \w")
_URL = re.compile(r"(?:https?|ftp)://\S+|\bwww\.\S+|(?<![\w.@-])[\w-]+(?:\.[\w-]+)+/\S+")
_CALL = re.compile(r"[?=@&;]|[/#](?=[\w-]{16})(?=[\w-]*\d)(?=[\w-]*[a-z])")
"""In a URL: a query string, a name or password, or a part that looks like a token."""

_CARD = re.compile(
    r"(?<![\d.-])(?=[3-6]|2[2-7])(?:\d{13,19}|\d{4}([ -])(?:\d{4}\1\d{4}\1\d{4}|\d{6}\1\d{4,5}))(?![\d-])"
)
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}([- ])(?!00)\d\d\1(?!0000)\d{4}(?![\d-])")
_IBAN = re.compile(r"(?<!\w)[a-z]{2}\d\d(?: ?[a-z0-9]){11,30}")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_IPV6 = re.compile(r"(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])")
_PHONES = (
    re.compile(r"(?<![\d.-])(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\d-])"),  # North America
    re.compile(r"(?<![\w.-])\d{3}-\d{4}(?![\w-])"),  # the same without area
    re.compile(r"(?<![\w.])(?:\+|00)[1-9](?:[ ./()-]{0,2}\d){7,13}(?!\d)"),  # E.164
    re.compile(r"(?<![\w.,:/-])\(?0[1-9]\d{0,4}[ /.)-](?:[ /.()-]{0,2}\d){6,9}(?!\d)"),  # national, with trunk prefix
)
_DATE_LIKE = re.compile(r"\d\d?([ ./-])\d\d?\1(?:19|20)\d\d(?!\d)")
_DIGITS = re.compile(r"\d{7,}")
_ROUND = re.compile(r"\d{1,4}0{5,}")
_DATE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_ISBN13 = re.compile(r"(?<![\d-])97[89](?:[ -]?\d){10}(?![\d-])")
_ISBN10 = re.compile(r"(?<![\d-])\d(?:[ -]?\d){8}[ -]?[\dx](?![\w-])")

# Characters of an IBAN by country (SWIFT, IBAN Registry).
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "no", 16: "be", 18: "dk fi fo gl nl", 19: "mk si", 20: "at ba ee kz lt lu xk", 21: "ch cr hr li lv",
        22: "bg bh de gb ge ie me rs", 23: "ae gi il", 24: "ad cz es md pk ro sa se sk tn vg", 25: "pt",
        26: "is tr", 27: "fr gr it mc mr sm", 28: "al az cy do gt hu lb pl", 29: "br ps qa ua", 30: "jo kw mu",
        31: "mt",
    }.items()
    for country in countries.split()
}  # fmt: skip


def personal_kind(text: str, keep: tuple[PersonalKind, ...] = ()) -> PersonalKind | None:
    """Return what kind of personal data ``text`` holds, or None; kinds in ``keep`` are not looked for.

    ``text`` is in the normal form ``default``: the form ``alnum`` has lost what tells an e-mail address.
    """
    if not text.isascii():
        text = "".join(str(unicodedata.decimal(c, c)) for c in text)
    if not (_SUSPICIOUS.search(text) or "www." in text or " dot " in text):
        return None
    text = _ISBN13.sub(_unless(_is_ean), text)
    text = _ISBN10.sub(_unless(lambda number: _is_isbn10(number, text)), text)
    return next((kind for kind in PERSONAL_KINDS if kind not in keep and _FINDERS[kind](text)), None)


def _unless(harmless: Callable[[str], bool]) -> Callable[[re.Match[str]], str]:
    return lambda found: "isbn" if harmless(found[0]) else found[0]


def _has_url(text: str) -> bool:
    return any(_CALL.search(url[0]) for url in _URL.finditer(text))


def _has_card(text: str) -> bool:
    return any(_passes_luhn(found[0]) for found in _CARD.finditer(text))


def _has_iban(text: str) -> bool:
    for found in _IBAN.finditer(text):
        number = found[0].replace(" ", "")
        number = number[: _IBAN_LENGTHS.get(number[:2], 0)]
        if number and int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1:
            return True
    return False


def _has_address(text: str) -> bool:
    for pattern in (_IPV4, _IPV6):
        for found in pattern.finditer(text):
            try:
                if ipaddress.ip_address(found[0]).is_global:
                    return True
            except ValueError:
                continue
    return False


def _has_phone(text: str) -> bool:
    return any(not _DATE_LIKE.match(found[0]) for pattern in _PHONES for found in pattern.finditer(text))


def _has_digits(text: str) -> bool:
    return any(not _ROUND.fullmatch(run) and not _DATE.fullmatch(run) for run in _DIGITS.findall(text))


_FINDERS: Final[dict[PersonalKind, Callable[[str], bool]]] = {
    "url": _has_url,
    "email": lambda text: _EMAIL.search(text) is not None,
    "iban": _has_iban,
    "card": _has_card,
    "ssn": lambda text: _SSN.search(text) is not None,
    "ip": _has_address,
    "phone": _has_phone,
    "digits": _has_digits,
}


def _passes_luhn(number: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1, annex B)."""
    digits = [int(c) for c in number if c.isdigit()]
    doubled = (sum(divmod(2 * d, 10)) for d in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_ean(number: str) -> bool:
    digits = [int(c) for c in number if c.isdigit()]
    return (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0


def _is_isbn10(number: str, text: str) -> bool:
    """Whether it is one that says so: one bare number of ten digits in eleven would pass the check."""
    plain = number.replace("-", "").replace(" ", "")
    if not ("isbn" in text or number.count("-") == 3 or plain.endswith("x")):
        return False
    return sum((10 - i) * (10 if c == "x" else int(c)) for i, c in enumerate(plain)) % 11 == 0
