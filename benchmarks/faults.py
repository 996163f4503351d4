"""Does a damaged model file do harm? Faults are made in model files, each of which is then used in every way.

    python benchmarks/faults.py                 # 10,000 faults
    python benchmarks/faults.py --faults 300 --seed 7

There are faults of storage (bits flipped, the file cut or its pieces exchanged) and faults behind right checksums, as a
defective or hostile writer would leave them (numbers changed, sections emptied, cut, exchanged or left out, settings of
the wrong type, missing, huge, not a number, nested deep). Each file is opened, with and without comparing checksums,
asked for completions and explanations, inspected and verified. All is well when every answer is in order or one of
qac's own errors, in bounded memory and processor time. Faults of storage must be refused where checksums are compared.

The work is done in processes of their own, so that a crash is seen and limits hold. Exit status 1: something was found.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import copy
import io
import json
import multiprocessing
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from qac.cli import main as qac_main
from qac.completer import Completer
from qac.config import ComposerConfig, DecodingConfig, IndexConfig, RankerConfig, TrainingConfig
from qac.errors import InputError, ModelError
from qac.examples import Example, normalize_examples
from qac.model import load_model
from qac.modelfile import SectionFile, write_sections
from qac.saving import save_model
from qac.training import train

MEMORY: Final = 2 << 30
"""Bytes of address space."""
SECONDS: Final = 10
"""Of processor time for one file; it takes a few hundredths."""
PER_PROCESS: Final = 100
"""Files; a new process begins with the memory of none."""

SESSIONS: Final = {
    "digital camera > nikon d70": 6,
    "digital camera > nikon d70 review": 2,
    "running shoes > nike air": 12,
    "running shoes > new balance": 3,
    "travel > new york > new york hotels": 5,
    "travel > new york > naples": 2,
    "news > new york times": 4,
    "süßes > nürnberger lebkuchen": 2,
    "日本 > 日本 料理": 2,
    "emoji > 😀 meaning > 😀😀": 2,
}
SMALL: Final = IndexConfig("hybrid", depth=2, max_leaf=2, branching=3)
CONFIGS: Final = {
    "composing": TrainingConfig(history=2, index=SMALL, ranker=RankerConfig(prune=0.0)),
    "clusters": TrainingConfig(index=IndexConfig("kmeans", max_leaf=2, branching=2), use_prefix=True),
    "published": TrainingConfig(
        index=SMALL,
        use_prefix=True,
        ranker=RankerConfig(loss="hinge"),
        decoding=DecodingConfig("filter", 3),
        composer=ComposerConfig(enabled=False),
    ),
}
REQUESTS: Final = [
    (prefix, prev)
    for prefix in ("", "n", "new ", "nikn", "日", "\U0001f600")
    for prev in ((), ("running shoes",), ("travel", "new york"))
]


def examples() -> Iterator[Example]:
    """Yield an example for each query of the sessions."""
    for session, count in SESSIONS.items():
        queries = session.split(" > ")
        for i, query in enumerate(queries):
            yield Example(tuple(queries[:i]), query[: 1 + i], query, float(count))


# ---- faults of storage ----


def flip_bits(content: bytearray, rng: random.Random) -> None:
    """Flip one bit, or some."""
    for _ in range(rng.choice([1, 1, 1, 2, 8, 100])):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def cut(content: bytearray, rng: random.Random) -> None:
    """Leave the end out."""
    del content[rng.randrange(len(content)) :]


def lose_a_piece(content: bytearray, rng: random.Random) -> None:
    """Leave a piece out, or make it zeros."""
    begin = rng.randrange(len(content))
    end = min(len(content), begin + rng.choice([1, 64, 512, 4096]))
    content[begin:end] = rng.choice([b"", bytes(end - begin)])


def append(content: bytearray, rng: random.Random) -> None:
    """Add to the end."""
    content += rng.randbytes(rng.choice([1, 64, 4096]))


STORAGE: Final[tuple[Callable[[bytearray, random.Random], None], ...]] = (
    flip_bits,
    flip_bits,
    cut,
    lose_a_piece,
    append,
)

# ---- faults behind right checksums ----

Sections = dict[str, bytes]
_TELLING: Final = (
    0,
    1,
    2,
    0x7F,
    0xFF,
    1 << 16,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    0x7FC00000,
    0x7F800000,
    0xBF800000,
)


def change_bytes(sections: Sections, rng: random.Random) -> None:
    """Change bytes of one section."""
    name = rng.choice([n for n, content in sections.items() if content])
    content = bytearray(sections[name])
    for _ in range(rng.choice([1, 1, 3, 30])):
        at = rng.randrange(len(content))
        content[at] = rng.choice([content[at] ^ 1 << rng.randrange(8), 0, 0x7F, 0x80, 0xFF])
    sections[name] = bytes(content)


def change_numbers(sections: Sections, rng: random.Random) -> None:
    """Change 32-bit numbers of one section, whole or fractional, to telling ones."""
    name = rng.choice([n for n, content in sections.items() if len(content) >= 4 and n != "meta"])
    content = bytearray(sections[name])
    for _ in range(rng.choice([1, 1, 3, 30])):
        at = rng.randrange(len(content) // 4) * 4
        old = int.from_bytes(content[at : at + 4], "little")
        new = rng.choice([*_TELLING, old + 1, old - 1, rng.getrandbits(32)]) % (1 << 32)
        content[at : at + 4] = new.to_bytes(4, "little")
    sections[name] = bytes(content)


def resize(sections: Sections, rng: random.Random) -> None:
    """Cut, empty or lengthen one section."""
    name = rng.choice(list(sections))
    content, item = sections[name], rng.choice([1, 4, 8, 16])
    half = len(content) // 2 // item * item
    sections[name] = rng.choice([b"", content[:-item], content[:half], content + bytes(item), content * 2])


def leave_out(sections: Sections, rng: random.Random) -> None:
    """Leave one section out."""
    del sections[rng.choice(list(sections))]


def exchange(sections: Sections, rng: random.Random) -> None:
    """Exchange two sections."""
    one, other = rng.sample(list(sections), 2)
    sections[one], sections[other] = sections[other], sections[one]


_WRONG: Final = (
    *(None, True, False, 0, 1, -1, 2, 3.5, 1e300, -1e300, 1 << 31, 1 << 32, 1 << 64, 10**400),
    *(float("nan"), float("inf"), "", "a", "hinge", "filter", [], [0], {}, {"a": 1}, [[[[]]]]),
)


def change_settings(sections: Sections, rng: random.Random) -> None:
    """Change, add, leave out or move settings."""
    meta = json.loads(sections["meta"])
    for _ in range(rng.choice([1, 1, 2, 5])):
        inner: Any = meta
        while True:
            key = rng.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
            if not isinstance(inner[key], dict | list) or not inner[key] or rng.random() < 0.2:
                break
            inner = inner[key]
        how = rng.randrange(4)
        if how == 0 and isinstance(inner, dict) and len(inner) > 1:
            del inner[key]
        elif how == 1 and isinstance(inner, dict):
            inner[rng.choice(["", "new", "kinds", "n_frequent", "word"])] = copy.deepcopy(rng.choice(_WRONG))
        else:
            inner[key] = copy.deepcopy(rng.choice(_WRONG))
    sections["meta"] = json.dumps(meta).encode()


def spoil_settings(sections: Sections, rng: random.Random) -> None:
    """Make the settings no JSON, or one that is hard to read."""
    text = sections["meta"]
    at = rng.randrange(len(text))
    number = b'"labels": '
    sections["meta"] = rng.choice(
        [
            text[:at],
            text[:at] + text[at + 1 :],
            b"[" * 200_000,
            b'{"a":' * 200_000,
            text.replace(number, number + b"9" * 10_000, 1),
            text.replace(number, number + b'1e999, "a": ', 1),
            text.replace(number, number + b'NaN, "a": ', 1),
            b"\xff" + text,
            text.decode().encode("utf-16"),
        ]
    )


CONTENT: Final[tuple[Callable[[Sections, random.Random], None], ...]] = (
    *(change_bytes, change_bytes, change_numbers, change_numbers, change_numbers),
    *(resize, leave_out, exchange, change_settings, change_settings, spoil_settings),
)

# ---- trying ----


class _Tries:
    """What came of using one file."""

    def __init__(self) -> None:
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.findings: list[str] = []

    def attempt(self, what: str, call: Callable[[], Any]) -> Any:
        """Call; an answer or one of qac's errors is in order, all else is a finding."""
        try:
            result = call()
        except (ModelError, InputError) as e:
            self.outcomes[f"{what}: refused"] += 1
            if "\n" in str(e):
                self.findings.append(f"{what}: an error of several lines: {e}")
            return None
        except Exception:
            self.findings.append(f"{what}: {traceback.format_exc(limit=-4)}")
            return None
        self.outcomes[f"{what}: done"] += 1
        return result


def use(path: Path, tries: _Tries, *, refused: bool) -> None:
    """Use the model file in every way. ``refused``: it must be, where checksums are compared."""
    for check in (True, False):
        model = tries.attempt(f"open, check={check}", lambda check=check: load_model(path, check))
        if model is None:
            continue
        if refused and check:
            tries.findings.append("a damaged file passes for sound")
        for beam in (None, 2):
            completer = Completer(model, beam=beam)
            for i, (prefix, prev) in enumerate(REQUESTS):
                k = (1, 10, 1000)[i % 3]
                found = tries.attempt("complete", lambda c=completer, p=prefix, s=prev, k=k: c.complete(p, s, k))
                if found is not None and not (len(found) <= k and all(c.score >= 0 for c in found)):
                    tries.findings.append(f"complete: {found!r:.300}")
                if found and i % 2:
                    text = found[-1].text
                    tries.attempt(
                        "explain",
                        lambda c=completer, p=prefix, s=prev, t=text: json.dumps(c.explain(p, s, t).to_json()),
                    )
        tries.attempt("batch", lambda c=completer: c.complete_batch(*zip(*REQUESTS, strict=True)))
        tries.attempt("look up", lambda c=completer: ("nike air" in c, c.count("news"), len(c), json.dumps(c.info())))
    for command in (
        ["inspect", path],
        ["inspect", path, "--json"],
        ["inspect", path, "--prefix", "n"],
        ["verify", path],
    ):
        status = tries.attempt(command[0], lambda c=command: run(c))
        if status not in (0, 1, None) or (refused and command[0] == "verify" and status == 0):
            tries.findings.append(f"{command[0]}: exit status {status}")


def run(command: list[object]) -> int:
    """Run the command line in this process, its output thrown away."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return qac_main([str(word) for word in command])


def make_fault(source: Path, target: Path, rng: random.Random) -> tuple[str, bool]:
    """Write a damaged copy; return what was done to it, and whether checksums show it."""
    if rng.random() < 0.3:
        content = bytearray(source.read_bytes())
        fault = rng.choice(STORAGE)
        fault(content, rng)
        target.write_bytes(content)
        return fault.__name__, content != source.read_bytes()
    file = SectionFile(source)
    sections = {name: file.bytes(name) for name in file.sections}
    change = rng.choice(CONTENT)
    change(sections, rng)
    write_sections(target, sections)
    return change.__name__, False


def try_faults(sources: list[Path], target: Path, seeds: range, report: Any) -> None:
    """Make and try one fault for each seed; send what came of each. Runs in a process of its own."""
    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)  # ends the process
    for seed in seeds:
        rng = random.Random(seed)
        report.send((seed, None, None, None))
        fault, refused = make_fault(rng.choice(sources), target, rng)
        tries = _Tries()
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        use(target, tries, refused=refused)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        report.send((seed, fault, tries.outcomes, tries.findings))


def measure(faults: int, seed: int, folder: Path) -> dict[str, Any]:
    """Try so many faults; return their numbers by kind, what came of them, and what was found."""
    log = list(normalize_examples(examples()))
    sources = []
    for name, config in CONFIGS.items():
        sources.append(folder / f"{name}.qac")
        save_model(train(log, config, threads=1, quiet=True), sources[-1])
    kinds: collections.Counter[str] = collections.Counter()
    outcomes: collections.Counter[str] = collections.Counter()
    findings: list[str] = []
    context = multiprocessing.get_context("spawn")
    seeds = range(seed * 1_000_000, seed * 1_000_000 + faults)
    begin = time.monotonic()
    while seeds:
        some = seeds[:PER_PROCESS]
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=try_faults, args=(sources, folder / "damaged.qac", some, sender))
        child.start()
        sender.close()
        last = some[0]
        with contextlib.suppress(EOFError):
            while True:
                last, fault, tried, found = receiver.recv()
                if fault is not None:
                    kinds[fault] += 1
                    outcomes.update(tried)
                    findings += [f"seed {last}, {fault}: {finding}" for finding in found]
        child.join()
        if child.exitcode:
            findings.append(f"seed {last}: the process ended with {child.exitcode}")
            some = range(some[0], last + 1)
        seeds = seeds[len(some) :]
    return {
        "faults": faults,
        "seconds": round(time.monotonic() - begin, 1),
        "kinds": dict(sorted(kinds.items())),
        "outcomes": dict(sorted(outcomes.items())),
        "findings": findings,
    }


def _format(result: Mapping[str, Any]) -> str:
    lines = [f"{result['faults']:,} faults in {result['seconds']:g} s", ""]
    lines += [f"{name:20} {n:7,}" for name, n in result["kinds"].items()] + [""]
    lines += [f"{name:28} {n:9,}" for name, n in result["outcomes"].items()]
    lines += ["", f"{len(result['findings'])} findings", *result["findings"][:20]]
    return "\n".join(lines)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=10_000, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(args.faults, args.seed, Path(folder))
    print(json.dumps(result, ensure_ascii=False, indent=2) if args.json else _format(result))
    return 1 if result["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
