"""Ask a model requests, one after the other: what runs under valgrind (benchmarks/callgrind.py).

    python benchmarks/ask.py MODEL REQUESTS [--no-compose]

REQUESTS: a line of JSON each, a list of the prefix and the session's earlier queries.
"""

import argparse
import json
from pathlib import Path

from qac.completer import Completer


def main() -> None:
    """Ask all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("requests", type=Path)
    parser.add_argument("--no-compose", dest="compose", action="store_false")
    args = parser.parse_args()
    completer = Completer.load(args.model, compose=args.compose, check=False)
    for line in args.requests.read_text(encoding="utf-8").splitlines():
        prefix, session = json.loads(line)
        completer.complete(prefix, session)


if __name__ == "__main__":
    main()
