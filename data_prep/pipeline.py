"""From logs to examples: read, clean, sort into sessions, screen, split, draw prefixes, write.

The log is read once, so it may come from a pipe. Memory does not grow with it: rows are sorted on disk (sorter.py), and
of a session only the last few queries are held.
"""

import contextlib
import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from qac._version import __version__
from qac.config import PersonalKind, ScreeningConfig
from qac.data_prep.options import PrepOptions
from qac.data_prep.output import StagedFolder, writing
from qac.data_prep.personal import personal_kind
from qac.data_prep.prefixes import seed_key
from qac.data_prep.readers import AUTO, READERS, detect
from qac.data_prep.records import PARTS, Event, Part, Scope, Transition
from qac.data_prep.screening import DROPS, MARKS, UNMARKED, RowFile, screen
from qac.data_prep.sessions import UNTIMED, Session, cut, encode
from qac.data_prep.sorter import RunSorter
from qac.data_prep.source import STDIN, Source, check_encoding, open_source, size_of
from qac.data_prep.split import HashSplit, Ratios, Split, StartHistogram, TimeSplit, parse_dates
from qac.data_prep.tally import Drop, Tally
from qac.data_prep.thresholds import Thresholds
from qac.data_prep.times import to_iso
from qac.data_prep.writer import FirstQueries, PartWriter, file_name
from qac.errors import InputError, UsageError
from qac.progress import progress
from qac.text import normalize, normalize_prefix

STATS = "stats.json"
BAD_LINES = "bad_lines.txt"
_BAR_ROWS = 1 << 12


def prepare(
    logs: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    options: PrepOptions | None = None,
) -> dict[str, Any]:
    """Prepare ``logs`` (paths, or ``-`` for standard input) into the folder ``out`` and return the statistics.

    ``out`` receives train.jsonl, valid.jsonl, test.jsonl, stats.json and, if lines could not be read, bad_lines.txt,
    all together or none of them.

    Raises
    ------
    InputError
        A log is missing, empty, damaged or binary, has too many bad lines, or holds no session of two queries.
    OutputError
        The folder cannot be written to, or the disk is full.
    """
    return _Preparation([os.fspath(log) for log in logs], options or PrepOptions()).run(out)


class _Preparation:
    def __init__(self, logs: Sequence[str], options: PrepOptions) -> None:
        self.logs = logs
        self.options = options
        self.seed = seed_key(options.seed)
        self.tally = Tally(options.max_bad_share)
        self.layouts: list[dict[str, str]] = []
        self.timed = 0
        self.untimed = 0
        self.named = 0
        """Rows that say whose they are: a user's, or a session's."""
        self.known = 0
        """Rows that know what came before them, or could."""
        self.sessions = 0
        self.sessions_of_two = 0
        check_encoding(options.encoding)
        self.ratios = Ratios.parse(options.split)
        self.by_hash = HashSplit(self.ratios, self.seed)
        self.by_dates = TimeSplit(*parse_dates(options.split_dates)) if options.split_dates else None
        if self.by_dates and options.split_by == "session":
            raise UsageError("--split-dates splits by time; leave out --split-by session")

    def run(self, out: str | os.PathLike[str]) -> dict[str, Any]:
        tmp = self.options.tmp
        where = os.fspath(out) if tmp is None else f"{os.fspath(out)} or the temporary files in {os.fspath(tmp)}"
        with StagedFolder(out, tmp) as folder:
            with writing(where), contextlib.ExitStack() as files:
                parts: dict[Part, IO[bytes]] = {
                    part: files.enter_context(open(folder.path(file_name(part)), "wb", 1 << 20)) for part in PARTS
                }
                writer = PartWriter(parts, self.options.prefixes, self.seed)
                sorter = RunSorter(folder.scratch)
                self._read(sorter, writer)
                self.tally.check()
                screening = self._check_screening(len(sorter))
                with self._bar(len(sorter), "screening", "rows") as bar:
                    rows = screen(sorter, folder.scratch / "screened", screening, self.tally, bar.update)
                sorter.discard()
                split = self._choose_split(rows)
                self._write(rows, split, self._left_out(rows, split, screening, folder.scratch), writer)
            self._check_result(writer)
            stats = self._stats(split, screening, writer)
            with writing(where):
                _write_reports(folder, stats, self.tally.samples)
            folder.commit([*map(file_name, PARTS), BAD_LINES], last=STATS)
        return stats

    def _read(self, sorter: RunSorter, writer: PartWriter) -> None:
        """Read and clean all logs: events go to ``sorter``, transitions, which need no sorting, to ``writer``."""
        sizes = _check_logs(self.logs, self.options.encoding)
        total = None if None in sizes else sum(s or 0 for s in sizes)
        done = 0
        with self._bar(total, "reading", "B") as bar:
            for log, size in zip(self.logs, sizes, strict=True):
                with open_source(log, self.options.encoding) as source:
                    for row, record in enumerate(self._records(source)):
                        if isinstance(record, Event):
                            self._add_event(record, sorter, source.name)
                        else:
                            self._add_transition(record, writer, source.name)
                        if row % _BAR_ROWS == 0:
                            bar.update(done + source.position() - bar.n)
                done += size or 0

    def _records(self, source: Source) -> Iterator[Event | Transition]:
        options = self.options
        name = detect(source, options.reader) if options.format == AUTO else options.format
        reader = READERS[name](options.reader)
        yield from reader.read(source, self.tally)
        self.layouts.append({"log": source.name, "format": name, "columns": reader.layout})

    def _clean(self, text: str) -> str | None:
        """Return the normal form of a query, or None, counted, if it is of no use."""
        query = normalize(text, self.options.text)
        if not query:
            self.tally.drop(Drop.EMPTY)
        elif len(query) > self.options.max_chars:
            self.tally.drop(Drop.LONG)
        else:
            return query
        return None

    def _personal(self, text: str, cleaned: str) -> PersonalKind | None:
        """Return the kind of personal data in a query; ``cleaned`` is its normal form."""
        form = cleaned if self.options.text == "default" else normalize(text)
        return personal_kind(form, self.options.screening.keep_personal)

    def _require_time(self, name: str) -> None:
        if self.by_dates or self.options.split_by == "time":
            wanted = "--split-dates" if self.by_dates else "--split-by time"
            raise InputError(
                f"{name} has no times, which {wanted} needs; name the column with --time or split by session"
            )

    def _add_event(self, event: Event, sorter: RunSorter, name: str) -> None:
        query = self._clean(event.query)
        if query is None:
            return
        if event.time is None:
            self._require_time(name)
            self.untimed += 1
        else:
            self.timed += 1
        named = event.scope is not Scope.ALONE
        self.named += named
        self.known += named
        self.tally.kept += 1
        kind = self._personal(event.query, query)
        sorter.add(encode(event, query, len(sorter), MARKS[kind] if kind else UNMARKED))

    def _add_transition(self, transition: Transition, writer: PartWriter, name: str) -> None:
        query = self._clean(transition.query)
        if query is None:
            return
        if kind := self._personal(transition.query, query):
            self.tally.drop(DROPS[kind])
            return
        history: list[str] = []
        for earlier in transition.history or ():
            past = normalize(earlier, self.options.text)
            usable = past and len(past) <= self.options.max_chars and not self._personal(earlier, past)
            if usable and past not in history[-1:]:
                history.append(past)
        if query in history[-1:]:
            self.tally.drop(Drop.DUPLICATE)
            return
        prefix = None
        if transition.prefix is not None:
            prefix = normalize_prefix(transition.prefix, self.options.text)
            if not query.startswith(prefix):
                self.tally.drop(Drop.PREFIX)
                return
        self.tally.kept += 1
        if transition.part is None:
            self._require_time(name)
            self.known += transition.history is not None
        key = "\x1f".join((*history, query)).encode()
        part = transition.part or self.by_hash.part_of(key)
        if not history and transition.part is None:
            # Aggregated data cannot leak from test into train by session or date: what has no previous query says how
            # popular a query is, and is not asked in test, so all of it may serve training.
            first = self._first_queries(transition.history is None)
            if first == "none":
                return
            part = "train" if first == "train" else part
        if self.options.history is not None:
            history = history[-self.options.history :]
        writer.begin_session()
        # The row's number keeps equal rows from getting equal prefixes.
        writer.write(part, history, query, b"%b/%d" % (key, self.tally.rows), transition.count, prefix)

    def _first_queries(self, alone: bool) -> FirstQueries:
        return self.options.first_queries or ("all" if alone else "train")

    def _check_screening(self, rows: int) -> ScreeningConfig:
        """Return the screening with what its defaults mean for this log; refuse what cannot be held to."""
        screening = self.options.screening
        logs = ", ".join(self.logs)
        if not self.named and (screening.min_users or 1) > 1:
            raise InputError(f"{logs}: no users or sessions for --min-users to count; name the column or leave it out")
        if not rows and screening.min_count > 1:
            raise InputError(
                f"{logs}: --min-count counts single queries, and this is counted already; use `qac train --min-count`"
            )
        return replace(screening, min_users=screening.resolved_min_users(bool(self.named)))

    def _choose_split(self, rows: RowFile) -> Split:
        if self.by_dates:
            return self.by_dates
        if self.options.split_by == "session" or self.untimed or not self.timed:
            return self.by_hash
        histogram = StartHistogram()
        for new, session, _, _ in self._cut(rows, "sessions"):
            if new:
                histogram.add(session.start)
        return histogram.split(self.ratios)

    def _cut(self, rows: RowFile, label: str) -> Iterator[tuple[bool, Session, int, bytes]]:
        """Yield whether a session begins, the session, and the time and text of the query."""
        current: Session | None = None
        with self._bar(len(rows), label, "rows") as bar:
            for row, (session, time, query) in enumerate(cut(rows, self.options.gap), 1):
                yield session is not current, session, time, query
                current = session
                if row % _BAR_ROWS == 0:
                    bar.update(_BAR_ROWS)

    def _left_out(
        self, rows: RowFile, split: Split, screening: ScreeningConfig, scratch: Path
    ) -> Iterator[tuple[int, Drop]]:
        """Yield the rows of the training part that are not to be learned from, ascending, and why.

        What other parts ask for has no say in it, nor is anything left out of them: that would flatter.
        """
        assert screening.min_users is not None
        needed = screening.min_users > 1 or screening.min_count > 1 or (self.named and screening.per_user is not None)
        if not needed:
            return
        thresholds = Thresholds(scratch, screening.min_users, screening.min_count, screening.per_user)
        learned = False
        for row, (new, session, _, query) in enumerate(self._cut(rows, "users")):
            if new:
                learned = split.part(session) == "train"
            if learned:
                thresholds.add(row, session.user, query)
        yield from thresholds.left_out()

    def _write(self, rows: RowFile, split: Split, left_out: Iterator[tuple[int, Drop]], writer: PartWriter) -> None:
        history: deque[str] = deque(maxlen=self.options.history)
        part: Part = "train"
        write_first = False
        place = 0
        next_out = next(left_out, None)
        for row, (new, session, time, raw) in enumerate(self._cut(rows, "writing")):
            query = raw.decode()
            if new:
                history.clear()
                place = 0
                part = split.part(session)
                first = self._first_queries(session.alone)
                write_first = first == "all" or first == part
                writer.stats[part].sessions += 1
                writer.begin_session()
            reason = None
            if next_out and next_out[0] == row:
                reason = next_out[1]
                next_out = next(left_out, None)
            if history and query == history[-1]:
                reason = reason or Drop.DUPLICATE
            if reason:
                self.tally.drop_kept(reason)
                if reason is not Drop.REPEATED:  # a repeated query is none to count, but it came before the next one
                    continue
            self.sessions_of_two += place == 1
            if not reason and (history or write_first):
                seconds = None if time == UNTIMED else time // 1000
                writer.write(part, history, query, b"%b/%d" % (session.key, place), time=seconds)
            history.append(query)
            place += 1

    def _check_result(self, writer: PartWriter) -> None:
        tally, logs = self.tally, ", ".join(self.logs)
        if not tally.rows:
            raise InputError(
                f"{logs}: no rows; expected a search log, such as lines of user, time and query with tabs between"
            )
        if tally.too_rare and not writer.stats["train"].examples:
            raise InputError(
                f"{logs}: no query is left to learn of {tally.rows:,} rows ({_reasons(tally)}); "
                "lower --min-users or --min-count, or give more of the log"
            )
        if not tally.kept:
            raise InputError(
                f"{logs}: no query is left of {tally.rows:,} rows ({_reasons(tally)}); name the query's column"
            )
        if self.known and not tally.too_rare and not any(stats.pairs for stats in writer.stats.values()):
            columns = self.layouts[0]["columns"]
            raise InputError(
                f"{logs}: no session has two different queries, so there are no next queries to learn ({columns}); "
                "name the right columns, widen --gap, or give --user none to take every query alone"
            )
        if not any(stats.examples for stats in writer.stats.values()):
            raise InputError(f"{logs}: a log without sessions has first queries only; leave out --first-queries none")

    def _stats(self, split: Split, screening: ScreeningConfig, writer: PartWriter) -> dict[str, Any]:
        options, tally = self.options, self.tally
        parts = {part: vars(stats) for part, stats in writer.stats.items()}
        written = sum(stats.first_queries + stats.pairs for stats in writer.stats.values())
        how: dict[str, Any] = {"by": "session" if isinstance(split, HashSplit) else "time"}
        if self.by_dates is None:
            how["ratios"] = options.split
        if isinstance(split, TimeSplit):
            how |= {"valid_start": to_iso(split.valid_start), "test_start": to_iso(split.test_start)}
        return {
            "qac": __version__,
            "text": options.text,
            "inputs": self.layouts,
            "rows": tally.rows,
            "dropped": {str(reason): n for reason, n in sorted(tally.dropped.items())},
            "bad_lines": {str(reason): n for reason, n in sorted(tally.bad.items())},
            "queries": tally.kept,
            "rare_share": self._rare_share(writer),
            "first_queries_left_out": tally.kept - written,
            "sessions": sum(stats.sessions for stats in writer.stats.values()),
            "sessions_of_two_or_more": self.sessions_of_two,
            "has_sessions": bool(self.known),
            "has_users": bool(self.named),
            "split": how,
            "options": {
                "gap_minutes": None if options.gap is None else options.gap / timedelta(minutes=1),
                "history": options.history,
                "prefixes": options.prefixes,
                "first_queries": options.first_queries,
                "max_chars": options.max_chars,
                "seed": options.seed,
            },
            "screening": asdict(screening) | {"keep_personal": list(screening.keep_personal)},
            "parts": parts,
        }

    def _rare_share(self, writer: PartWriter) -> float:
        """Return the share of the training part's requests that were left out because too few people made them."""
        train = writer.stats["train"]
        return self.tally.too_rare / max(1, self.tally.too_rare + train.first_queries + train.pairs)

    def _bar(self, total: int | None, label: str, unit: str) -> Any:
        return progress(total, label, unit=unit, quiet=self.options.quiet)


def _check_logs(logs: Sequence[str], encoding: str) -> list[int | None]:
    """Look into every file before the first is read in full; return their sizes, None for pipes."""
    if logs.count(STDIN) > 1:
        raise UsageError("standard input (-) can be read once only; name it once")
    sizes = [size_of(log) for log in logs]
    for log, size in zip(logs, sizes, strict=True):
        if size is not None or (log != STDIN and not os.path.exists(log)):
            with open_source(log, encoding):
                pass
    return sizes


def _reasons(tally: Tally) -> str:
    counts = [*tally.dropped.most_common(), *tally.bad.most_common()]
    return ", ".join(f"{reason}: {n:,}" for reason, n in counts)


def _write_reports(folder: StagedFolder, stats: dict[str, Any], samples: Sequence[str]) -> None:
    if samples:
        text = "".join(" ".join(sample.splitlines()) + "\n" for sample in samples)
        folder.path(BAD_LINES).write_text(text, encoding="utf-8", errors="replace")
    folder.path(STATS).write_text(json.dumps(stats, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
