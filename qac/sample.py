"""The sample model: trained once from the synthetic sample log, kept in the user's cache folder.

It is what the command line answers from where no model is named, and what the demonstrations show.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from qac._version import __version__
from qac.config import UNSCREENED, TrainingConfig
from qac.errors import ModelError, OutputError
from qac.modelfile import VERSION

# What of this package has a say in training.
_TRAINING = (
    *("examples.py", "labels.py", "reuse.py", "saving.py", "text.py", "training.py", "xlinear.py"),
    *("composer/*.py", "features/*.py", "index/*.py", "_native/*.py"),
)

NOTICE = "The sample log is synthetic: made up by a program from lists of topics. Nobody searched for these things."


def sample_model(*, quiet: bool = False) -> Path:
    """Return the path of the sample model; train it if this version has not yet.

    That takes some ten seconds, with progress bars and a line of explanation on standard error unless ``quiet``. The
    file appears whole or not at all, so any number of processes may do this at once.

    Raises
    ------
    OutputError
        There is no cache folder, or it cannot be written to.
    """
    path = sample_model_path()
    if _is_usable(path):
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise OutputError(
            f"cannot make the folder {path.parent} for the sample model: {e.strerror}; "
            "set XDG_CACHE_HOME to a folder that you may write to, or name a model with --model"
        ) from e
    if not quiet:
        print(f"qac: training the sample model (once, about ten seconds) into {path}", file=sys.stderr)
    _train(path, quiet)
    return path


def sample_model_path() -> Path:
    """Return where the sample model of this version is, trained or not."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    try:
        # The XDG specification says to ignore relative paths.
        cache = Path(named) if os.path.isabs(named) else Path.home() / ".cache"
    except RuntimeError as e:
        raise OutputError(
            "there is no home folder to keep the sample model in; set XDG_CACHE_HOME, or name a model with --model"
        ) from e
    return cache / "qac" / f"sample-{__version__}-{_fingerprint()}.qac"


def _fingerprint() -> str:
    """Return a digest of all that the sample model is made from and by: another vocabulary or code, another file."""
    digest = hashlib.sha256(f"{VERSION} {TrainingConfig()}".encode())
    for source in _sources():
        content = source.read_bytes()
        digest.update(b"%s %d\n" % (source.name.encode(), len(content)))
        digest.update(content)
    return digest.hexdigest()[:12]


def _sources() -> Iterator[Path]:
    """Yield the files that decide what the sample model becomes, always in the same order."""
    # Found, not imported: this runs for every request of the command line, and importing would cost more.
    prep, native = find_spec("qac.data_prep"), find_spec("qac._native._core")
    assert prep
    assert prep.submodule_search_locations
    assert native
    assert native.origin
    yield Path(native.origin)
    for folder, patterns in (
        (Path(prep.submodule_search_locations[0]), ("*.py", "readers/*.py", "sample/*.py", "sample/*.txt")),
        (Path(__file__).parent, _TRAINING),
    ):
        for pattern in patterns:
            yield from sorted(folder.glob(pattern))


def _is_usable(path: Path) -> bool:
    """Whether the model is there and whole: one that was damaged is trained anew."""
    from qac.model import load_model

    if not path.exists():
        return False
    try:
        load_model(path)
    except ModelError:
        return False
    return True


def _train(path: Path, quiet: bool) -> None:
    from qac.data_prep import PrepOptions, prepare
    from qac.data_prep.sample_log import write_sample_log
    from qac.examples import normalize_examples, read_examples
    from qac.files import check_writable
    from qac.saving import save_model
    from qac.training import train

    check_writable(path)
    with tempfile.TemporaryDirectory(prefix="qac-sample-") as folder:
        log, data = Path(folder, "log.tsv"), Path(folder, "data")
        write_sample_log(log, quiet=quiet)
        prepare([log], data, PrepOptions(split="100/0/0", screening=UNSCREENED, quiet=quiet))  # nobody's searches
        trained = train(normalize_examples(read_examples(data / "train.jsonl")), quiet=quiet)
    save_model(trained, path)
