"""Does anything private come out? Secrets are planted in a log, a model is made of it, every prefix is tried.

    python benchmarks/privacy.py                    # on the synthetic sample log
    python benchmarks/privacy.py --sessions 3000    # faster
    python benchmarks/privacy.py --unscreened       # what would come out without protection

Planted are personal data (numbers and addresses, made by many users, in one go and key by key), secrets (made by too
few users, however often, by themselves and beside words that everybody uses) and what programs ask. Users ask everyday
things before and after. No planted word is in the log otherwise. Two things are shown:

1. Examples are the same, byte for byte, with and without what was planted. All that training is told of what was left
   out is how much it was.
2. No answer has a planted word that the request does not hold, neither whole nor at the end: asked with every prefix of
   what was planted, with every prefix of planted words after words that everybody uses, and with all short prefixes;
   without a session, with an everyday one and with a planted one. The composer spells, so given all of a number but one
   digit it may guess that; a model of the same log that nothing was planted in makes the same guesses, which shows that
   they are none but guesses. They are counted apart.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from qac.completer import Completer
from qac.config import UNSCREENED, PopularityConfig, ScreeningConfig, TrainingConfig
from qac.data_prep import PrepOptions, prepare
from qac.data_prep.sample_log import generate
from qac.examples import normalize_examples, read_examples
from qac.saving import save_model
from qac.training import train

Row = tuple[str, int, str]
LETTERS = "bcdfghjkmpqvwxz"
"""Of planted words: hardly any word is made of these alone."""
MANY, FEW = 6, 2
"""Users who make what must not come out all the same, and users too few by default."""


@dataclass(frozen=True)
class Planted:
    """What was planted."""

    texts: dict[str, list[str]]
    """By kind."""
    rows: list[Row]
    """Those that hold it."""
    around: list[Row]
    """Everyday queries of the same users, before and after it."""


def _word(dice: random.Random) -> str:
    return "".join(dice.choices(LETTERS, k=dice.randint(5, 9)))


def _digits(dice: random.Random, n: int) -> str:
    return str(dice.randint(1, 9)) + "".join(dice.choices("0123456789", k=n - 1))


def _card(dice: random.Random) -> str:
    number = "4" + _digits(dice, 14)
    doubled = sum(sum(divmod(2 * int(d), 10)) for d in number[::2]) + sum(int(d) for d in number[1::2])
    number += str(-doubled % 10)
    return " ".join(number[i : i + 4] for i in range(0, 16, 4))


def _personal(dice: random.Random) -> str:
    """Return one thing that no number of users makes fit to be suggested."""
    return (
        lambda: f"{_word(dice)}.{_word(dice)}@{_word(dice)}.example",
        lambda: f"{_digits(dice, 3)}-{_digits(dice, 3)}-{_digits(dice, 4)}",
        lambda: f"+49 30 {_digits(dice, 7)}",
        lambda: _card(dice),
        lambda: f"{dice.randint(100, 665)}-{dice.randint(10, 99)}-{_digits(dice, 4)}",
        lambda: _digits(dice, 9),
        lambda: f"https://{_word(dice)}.example/reset?token={_word(dice)}{_digits(dice, 4)}",
        lambda: f"81.{dice.randint(0, 255)}.{dice.randint(0, 255)}.{dice.randint(0, 255)}",
    )[dice.randrange(8)]()


def plant(rows: Sequence[Row], each: int, seed: int = 0) -> Planted:
    """Return ``each`` strings of every kind, and rows that hold them beside those of a log."""
    dice = random.Random(seed)
    everyday = sorted({query for _, _, query in rows})
    texts = {
        "personal": [_personal(dice) for _ in range(each)],
        "secret": [f"{_word(dice)} {_word(dice)}" for _ in range(each)],
        "beside everyday words": [f"{dice.choice(everyday)} {_word(dice)}" for _ in range(each)],
        "program": [f"{_word(dice)} {_word(dice)}" for _ in range(max(1, each // 8))],
    }
    made: list[Row] = []
    around: list[Row] = []
    start, end = rows[0][1], rows[-1][1]

    def ask(n: int, text: str, times: int) -> None:
        """Have ``n`` new users make a query, in so many sessions each, among everyday ones."""
        for _ in range(n):
            name = f"planted{len(made)}"
            for session in range(times):
                time = dice.randint(start, end) + 86_400 * session
                made.append((name, time, text))
                around.extend((name, time + shift, dice.choice(everyday)) for shift in (-20, 20))

    for text in texts["personal"]:
        ask(MANY, text, 1)
        name, time = f"planted{len(made)}", dice.randint(start, end)
        made.extend((name, time + i, text[: i + 1]) for i in range(len(text)))  # key by key
    for text in (*texts["secret"], *texts["beside everyday words"]):
        ask(FEW, text, 5)
    for _ in range(MANY):  # all phrases again and again, faster than people
        name, time = f"planted{len(made)}", dice.randint(start, end)
        made.extend((name, time + i, texts["program"][i % len(texts["program"])]) for i in range(120))
    return Planted(texts, made, around)


def learn(rows: Sequence[Row], folder: Path, screening: ScreeningConfig) -> tuple[Path, dict[str, Any]]:
    """Prepare a log of ``rows`` into ``folder``; return the training part and the statistics."""
    folder.mkdir()
    log = folder / "log.tsv"
    log.write_text("".join(f"{user}\t{time}\t{query}\n" for user, time, query in rows), encoding="utf-8")
    stats = prepare([log], folder / "data", PrepOptions(split="1/0/0", screening=screening, quiet=True))
    return folder / "data" / "train.jsonl", stats


class Search:
    """Asks a model and looks for words that its answers should not have.

    What the request itself holds is no secret: its own words may come back. Nor is what ``innocent``, a model that
    never saw them, answers to the same request.
    """

    def __init__(self, completer: Completer, innocent: Completer, secret: set[str]) -> None:
        self._completer = completer
        self._innocent = innocent
        self._secret = secret
        self.requests = 0
        self.answers = 0
        self.leaks: set[tuple[str, str]] = set()
        """Prefix and answer."""
        self.guesses: set[tuple[str, str]] = set()
        """The same, of what the innocent model answers too."""
        self.most_guessed = 0
        """Characters of a planted word that were not typed."""

    def ask(self, prefix: str, session: Sequence[str], k: int) -> None:
        """Make one request."""
        found = [c.text for c in self._completer.complete(prefix, session, k)]
        self.requests += 1
        self.answers += len(found)
        own = set(prefix.split()).union(*(query.split() for query in session))
        told = {text for text in found if not self._secret.isdisjoint(set(text.split()) - own)}
        if told:
            guessed = told.intersection(c.text for c in self._innocent.complete(prefix, session, k))
            self.guesses.update((prefix, text) for text in guessed)
            last = prefix.split(" ")[-1]
            for word in self._secret.intersection(w for text in guessed for w in text.split()) - own:
                self.most_guessed = max(self.most_guessed, len(word) - len(last) * word.startswith(last))
            self.leaks.update((prefix, text) for text in told - guessed)


def requests(
    planted: Planted, everyday: Sequence[str], alphabet: str, deep: int
) -> Iterator[tuple[str, list[str], int]]:
    """Yield prefix, session and k: every prefix of what was planted, of its words, and all short ones."""
    dice = random.Random(1)
    for text in (text for texts in planted.texts.values() for text in texts):
        sessions = [[], [dice.choice(everyday)], [text], [text, dice.choice(everyday)]]
        beginnings = {text[:n] for n in range(1, len(text) + 1)}
        for word in text.split():
            before = dice.choice(everyday).split()[0]
            beginnings |= {f"{start}{word[:n]}" for start in ("", f"{before} ") for n in range(len(word) + 1)}
        for prefix in sorted(beginnings):
            for session in sessions:
                for k in (10, 50):
                    yield prefix, session, k
    for n in range(deep + 1):
        for letters in product(alphabet, repeat=n):
            yield "".join(letters), [], 50
            if n < deep:
                yield "".join(letters), [dice.choice(everyday)], 50


def attack(sessions: int, each: int, deep: int, screening: ScreeningConfig, folder: Path) -> dict[str, Any]:
    """Plant, learn, and try every prefix."""
    rows = list(generate(sessions=sessions))
    planted = plant(rows, each)
    clean, _ = learn([*rows, *planted.around], folder / "clean", screening)
    path, stats = learn([*rows, *planted.around, *planted.rows], folder / "planted", screening)
    config = TrainingConfig(popularity=PopularityConfig(rare=stats["rare_share"]))  # as `qac train` finds it
    completers = []
    for examples in (path, clean):
        save_model(train(normalize_examples(read_examples(examples)), config, quiet=True), folder / "m.qac")
        completers.append(Completer.load(folder / "m.qac"))
    everyday = sorted({query for _, _, query in rows})
    common = {word for query in everyday for word in query.split()}
    secret = {word for texts in planted.texts.values() for text in texts for word in text.split()} - common
    search = Search(*completers, secret)
    alphabet = "".join(sorted({c for query in everyday for c in query} | set(LETTERS)))
    for prefix, session, k in requests(planted, everyday, alphabet, deep):
        search.ask(prefix, session, k)
    texts = {text for _, text in search.leaks}
    return {
        "rows": len(rows) + len(planted.around) + len(planted.rows),
        "planted_rows": len(planted.rows),
        "dropped": stats["dropped"],
        "same_examples": path.read_bytes() == clean.read_bytes(),
        "planted": {kind: len(found) for kind, found in planted.texts.items()},
        "came_out": {kind: sum(text in texts for text in found) for kind, found in planted.texts.items()},
        "requests": search.requests,
        "answers": search.answers,
        "leaks": sorted(search.leaks)[:20],
        "leaking_requests": len(search.leaks),
        "guesses": len(search.guesses),
        "most_guessed": search.most_guessed,
    }


def main() -> int:
    """Attack a model made with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=33_000, help="of the sample log (default: %(default)s)")
    parser.add_argument("--each", type=int, default=80, help="strings planted of each kind (default: %(default)s)")
    parser.add_argument("--deep", type=int, default=3, help="all prefixes up to this length (default: %(default)s)")
    parser.add_argument("--unscreened", action="store_true", help="as `qac prep --unscreened`")
    parser.add_argument("--json", action="store_true", help="print all figures")
    args = parser.parse_args()
    screening = UNSCREENED if args.unscreened else ScreeningConfig()
    with tempfile.TemporaryDirectory(prefix="qac-privacy-") as folder:
        found = attack(args.sessions, args.each, args.deep, screening, Path(folder))
    if args.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        print(f"{found['rows']:,} rows, {found['planted_rows']:,} of them planted")
        print(f"the same examples with and without them: {'yes' if found['same_examples'] else 'no'}")
        print(f"{found['requests']:,} requests, {found['answers']:,} answers")
        for kind, n in found["planted"].items():
            print(f"{kind}: {n} strings planted, {found['came_out'][kind]} came out")
        print(f"answers with a planted word that was not asked with: {found['leaking_requests']:,}")
        print(f"guesses, which a model that never saw it makes too: {found['guesses']:,}")
        print(f"most characters of a planted word that were guessed: {found['most_guessed']}")
        for prefix, text in found["leaks"]:
            print(f"  {prefix!r} -> {text!r}")
    return 0 if args.unscreened or not found["leaking_requests"] else 1


if __name__ == "__main__":
    sys.exit(main())
