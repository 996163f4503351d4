"""One reader per log format, and the guess which one a file needs."""

from qac.data_prep.readers.amazonqac import AmazonQacReader
from qac.data_prep.readers.aol import AolReader
from qac.data_prep.readers.base import EVENT_ROLES, Reader, ReaderOptions, by_alias
from qac.data_prep.readers.delimited import CsvReader, TsvReader
from qac.data_prep.readers.jsonl import JsonlReader
from qac.data_prep.readers.pairs import ClickstreamReader, PairsReader
from qac.data_prep.readers.queries import QueriesReader
from qac.data_prep.readers.trec import TrecReader
from qac.data_prep.source import Source

__all__ = ["AUTO", "READERS", "Reader", "ReaderOptions", "detect"]

AUTO = "auto"

READERS: dict[str, type[Reader]] = {
    "tsv": TsvReader,
    "csv": CsvReader,
    "jsonl": JsonlReader,
    "queries": QueriesReader,
    "aol": AolReader,
    "amazonqac": AmazonQacReader,
    "pairs": PairsReader,
    "clickstream": ClickstreamReader,
    "trec": TrecReader,
}

_BY_SUFFIX = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".xml": "trec", ".parquet": "amazonqac"}


def detect(source: Source, options: ReaderOptions) -> str:
    """Return the name of the format of ``source``, by its first lines, then by its extension."""
    if source.head.startswith(b"PAR1"):
        return "amazonqac"
    lines = source.head_lines()
    first = lines[0] if lines else ""
    delimiter = "\t" if "\t" in first else ","
    names = [name.strip().strip('"').lower() for name in first.split(delimiter)]
    if first.lstrip().startswith("<"):
        known = "trec" if "<session" in source.head.decode(source.encoding, "replace") else None
    elif names[:3] == ["anonid", "query", "querytime"]:
        known = "aol"
    elif {"prev", "curr", "type", "n"}.issubset(names):
        known = "clickstream"
    elif {"prev", "next"}.issubset(by_alias(names, ("prev", "next"))):
        known = "pairs"
    elif first.lstrip().startswith("{"):
        known = "jsonl"
    else:
        known = None
    known = known or _BY_SUFFIX.get(source.suffix)
    if known:
        return known
    if sum("\t" in line for line in lines) * 2 > len(lines):
        return "tsv"
    # Commas occur inside queries, so without the extension only a header that says so makes a CSV file.
    if delimiter in first and len(by_alias(names, EVENT_ROLES)) >= 2:
        return "csv"
    columns = any(column != "none" for column in options.columns.values())
    return "tsv" if columns or options.delimiter else "queries"
