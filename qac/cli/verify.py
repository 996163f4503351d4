"""``qac verify``: is a model file whole and sound?"""

from __future__ import annotations

import argparse
import json

HELP = "check a model file: checksums, structure, every label"

EPILOG = """\
example, a model put in place of one that is being served:
  qac verify my.qac && cp my.qac /srv/search/.new && mv /srv/search/.new /srv/search/my.qac

Replace a model by renaming, as here, never by writing over it: programs that have it open read the file itself.

Exit status 0: the file is sound. 1: it is not; the error says what is wrong.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``qac verify``."""
    parser.add_argument("model", metavar="M", help="model file")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Check the model and say so."""
    from qac.model import load_model
    from qac.verification import verify_model

    model = load_model(args.model, check=True)
    verify_model(model)
    result = {
        "model": args.model,
        "sound": True,
        "fingerprint": model.file.fingerprint,
        "bytes": model.file.size,
        "sections": len(model.file.sections),
        "labels": model.meta.labels,
    }
    if args.json:
        print(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        print(
            f"{args.model} is sound: {result['sections']} sections, {result['labels']:,} queries, "
            f"{result['bytes']:,} bytes, fingerprint {result['fingerprint']}"
        )
    return 0
