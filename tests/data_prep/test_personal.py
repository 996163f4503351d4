"""Personal data that has a form is found; what only looks a little like it stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac.config import PERSONAL_KINDS
from qac.data_prep.personal import personal_kind
from qac.text import normalize

# Numbers from the test ranges of their issuers, documentation prefixes and standards' own examples.
PERSONAL = {
    "email": [
        "jane.doe@example.com",
        "mail jane @ example.org",
        "jane@gmail",
        "JANE＠EXAMPLE.COM",
        "jane at gmail dot com",
    ],
    "url": [
        "http://shop.example/reset?token=abc",
        "https://user:pw@host.example/",
        "www.example.com/?q=1",
        "example.com/login?next=/",
        "https://x.example/s/9f8e7d6c5b4a39281706",
    ],
    "iban": ["DE89 3704 0044 0532 0130 00", "gb82west12345698765432", "de89370400440532013000 sepa"],
    "card": ["4111 1111 1111 1111", "visa 4111-1111-1111-1111", "378282246310005", "3782 822463 10005"],
    "ssn": ["123-45-6789", "ssn 123 45 6789"],
    "ip": ["8.8.8.8", "whois 2606:4700:4700::1111"],
    "phone": [
        "555-123-4567",
        "call (212) 555-0199",
        "(212)555-0199",
        "212.555.0199",
        "+1 212 555 0199",
        "555-1234",
        "+49 30 901820",
        "0049 (30) 90 18 20",
        "030 90182000",
        "01 23 45 67 89",
        "0171/1234567",
        "020 7946 0958",
    ],
    "digits": ["account 12345678", "2125550199", "abc1234567", "٠١٢٣٤٥٦٧٨"],
}

HARMLESS = """\
iphone 13 pro 128gb
windows 95
1998 1999 2000 2001
world war 1914-1918 1939-1945
225/45 r17
205 55 16
1920x1080
sony wh-1000xm4
rtx 4090 24gb
978-0-306-40615-7
9780306406157
isbn 0306406152
0-306-40615-2
0-8044-2957-x
192.168.0.1
10.0.0.138 admin
1000000 dollars
20240131
31.12.2024
01-02-2003
01 02 2003
www.google.com
http://www.nasa.gov/shuttle
google.com/maps
@nasa
24/7
90210
12345-6789
90915-10001
3.14159
10:30:15
sm-g991b
1-800-flowers
ipv6 ::1
nikon d3500 18-55mm
3 1/2 x 11
100 200 300
what is 2+2
c++
1 2 3 4 5 6 7 8 9
connect dot to dot
look at the stars""".splitlines()


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in PERSONAL.items() for text in texts])
def test_what_has_the_form_of_personal_data(kind: str, text: str) -> None:
    assert personal_kind(normalize(text)) == kind


@pytest.mark.parametrize("text", HARMLESS)
def test_what_stays(text: str) -> None:
    assert personal_kind(normalize(text)) is None


def test_every_kind_is_tried_and_can_be_kept() -> None:
    assert set(PERSONAL) == set(PERSONAL_KINDS)
    for texts in PERSONAL.values():
        assert all(personal_kind(normalize(text), PERSONAL_KINDS) is None for text in texts)
    assert personal_kind("jane@example.com 4111 1111 1111 1111", ("email",)) == "card"


@pytest.mark.parametrize("text", ["4111 1111 1111 1112", "de88 3704 0044 0532 0130 00", "isbn 0306406153", "999.8.8.8"])
def test_a_wrong_check_digit_is_not_the_number(text: str) -> None:
    assert personal_kind(text) not in {"card", "iban", "ip"}
    assert (personal_kind(text) == "digits") == text.startswith("isbn")


@given(st.from_regex(r"[a-z ]{0,9}[0-9]{7,19}[a-z ]{0,9}", fullmatch=True))
def test_no_long_number_gets_through_but_round_ones_dates_and_isbns(text: str) -> None:
    digits = "".join(c for c in text if c.isdigit())
    harmless = digits.endswith("00000") or len(digits) == 8 or "isbn" in text or digits.startswith(("978", "979"))
    assert harmless or personal_kind(text)


@given(st.text(st.sampled_from("0123456789abc@:./-?=() +x"), max_size=60))
def test_any_text_has_an_answer(text: str) -> None:
    kind = personal_kind(normalize(text))
    assert kind is None or kind in PERSONAL_KINDS
