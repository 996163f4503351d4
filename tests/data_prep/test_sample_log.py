"""The sample log: the same everywhere, made as real logs are, and about things people know."""

import hashlib
from collections import Counter, defaultdict

import pytest

from qac.data_prep.sample import read_kinds, read_topics
from qac.data_prep.sample.universe import Query, step, universe
from qac.data_prep.sample_log import Dice, generate, main, write_sample_log
from qac.text import normalize

PAUSE = 1800
GOLDEN = "2bea2d5c7affbd88d0004bb69c65bc4b8e54d64eda0964780bd12823869e99f0"


@pytest.fixture(scope="module")
def rows():
    return list(generate())


@pytest.fixture(scope="module")
def pairs(rows):
    """Consecutive queries of sessions."""
    found, last = [], {}
    for user, time, query in rows:
        if user in last and time - last[user][0] < PAUSE:
            found.append((last[user][1], query))
        last[user] = (time, query)
    return found


@pytest.fixture(scope="module")
def topics():
    return read_topics()


def _query(text):
    return Query(text, frozenset(text.split()), 0, 0)


def test_size(rows, pairs):
    assert 60_000 <= len(rows) <= 90_000
    assert 15_000 <= len({query for _, _, query in rows}) <= 25_000
    assert len(pairs) >= 40_000
    assert len({user for user, _, _ in rows}) >= 5_000


def test_rows_come_by_time_over_sixty_days(rows):
    times = [time for _, time, _ in rows]
    assert times == sorted(times)
    assert 59 * 86400 <= times[-1] - times[0] <= 61 * 86400


def test_queries_are_in_normal_form(rows):
    assert all(query and query == normalize(query) and "\t" not in query for _, _, query in rows)


def test_words_per_query(rows):
    lengths = Counter(min(len(query.split()), 6) for _, _, query in rows)
    wanted = {1: 0.15, 2: 0.27, 3: 0.24, 4: 0.16, 5: 0.09, 6: 0.10}
    assert {n: lengths[n] / len(rows) for n in wanted} == pytest.approx(wanted, abs=0.03)


def test_how_queries_follow_each_other(pairs):
    steps = Counter(step(_query(before), _query(after)) for before, after in pairs)
    wanted = {"add": 0.07, "drop": 0.025, "replace": 0.30, "none": 0.605}
    assert {kind: steps[kind] / len(pairs) for kind in wanted} == pytest.approx(wanted, abs=0.02)


def test_most_steps_that_share_no_word_stay_in_the_topic(pairs):
    about = defaultdict(set)
    for query, _ in universe().queries.pairs:
        about[query.text].add(query.topic)
    apart = [(a, b) for a, b in pairs if not set(a.split()) & set(b.split()) and a in about and b in about]
    assert sum(bool(about[a] & about[b]) for a, b in apart) / len(apart) > 0.6


def test_few_queries_make_much_of_the_log(rows):
    counts = [n for _, n in Counter(query for _, _, query in rows).most_common()]
    assert 0.01 < sum(counts[:10]) / len(rows) < 0.06
    assert 0.2 < sum(counts[:1000]) / len(rows) < 0.5
    assert sum(n == 1 for n in counts) / len(counts) > 0.4


@pytest.mark.parametrize(
    ("before", "prefix", "expected"),
    [
        ("digital camera", "n", "nikon"),
        ("running shoes", "n", "nike"),
        ("running shoes", "n", "new balance"),
        ("paris", "e", "eiffel"),
        ("london", "b", "big ben"),
        ("python", "n", "numpy"),
        ("harry potter", "h", "hermione"),
        ("cars", "t", "toyota"),
        ("jobs", "n", "nurse"),
        ("space", "n", "nasa"),
        ("guitar", "f", "fender"),
        ("taxes", "i", "irs"),
    ],
)
def test_the_session_decides_what_a_letter_means(pairs, before, prefix, expected):
    """After "digital camera", "n" is Nikon: more often than anything else that starts with n."""
    after = Counter(b.split()[0] for a, b in pairs if before in a and b.startswith(prefix) and before not in b)
    assert expected.split()[0] in [word for word, _ in after.most_common(2)]


def test_the_same_seed_gives_the_same_log_everywhere():
    text = "".join(f"{user}\t{time}\t{query}\n" for user, time, query in generate(seed=1, sessions=300))
    assert hashlib.sha256(text.encode()).hexdigest() == GOLDEN


def test_another_seed_gives_another_log():
    assert list(generate(seed=1, sessions=20)) != list(generate(seed=2, sessions=20))


@pytest.mark.parametrize("sessions", [0, 1, 3])
def test_small_logs(sessions):
    rows = list(generate(sessions=sessions))
    assert len(rows) >= sessions
    assert bool(rows) == bool(sessions)


def test_dice_stay_in_their_bounds():
    dice = Dice(3)
    assert {dice.below(4) for _ in range(200)} == {0, 1, 2, 3}
    assert {dice.weighted([1.0, 1.0, 3.0]) for _ in range(200)} == {0, 2}
    assert all(0 <= dice.roll() < 1 for _ in range(100))


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("a b", "b a", "same"),
        ("a", "a b", "add"),
        ("a b", "a", "drop"),
        ("a b", "a c", "replace"),
        ("a b", "c d", "none"),
    ],
)
def test_steps(before, after, kind):
    assert step(_query(before), _query(after)) == kind


def test_command_line_writes_the_log(tmp_path, capsys):
    out = tmp_path / "log.tsv"
    assert main([str(out), "--sessions", "5", "--seed", "3"]) == 0
    assert "synthetic" in capsys.readouterr().out
    expected = [f"{user}\t{time}\t{query}" for user, time, query in generate(seed=3, sessions=5)]
    assert out.read_text().splitlines() == expected


def test_command_line_names_what_it_cannot_write(tmp_path, capsys):
    assert main([str(tmp_path / "no" / "log.tsv"), "--sessions", "1"]) == 1
    assert "no/log.tsv" in capsys.readouterr().err


def test_write_counts_its_rows(tmp_path):
    path = tmp_path / "log.tsv"
    assert write_sample_log(path, sessions=4) == len(path.read_text().splitlines())


class TestVocabulary:
    def test_is_wide(self, topics):
        assert len(topics) > 150
        assert sum(len(topic.names) for topic in topics) > 3000
        assert sum(len(topic.ask) for topic in topics) > 1000

    def test_every_topic_says_enough(self, topics):
        poor = [topic.heads[0] for topic in topics if len(topic.names) < 3 or not topic.ask]
        assert poor == []

    def test_kinds_are_known(self, topics):
        kinds = read_kinds()
        used = {topic.kind for topic in topics} | {name.kind for topic in topics for name in topic.names}
        assert used == set(kinds)

    def test_forms_are_of_use(self, topics):
        forms = [
            f for kind in read_kinds().values() for part in (kind.head, kind.name, kind.item, kind.also) for f in part
        ]
        forms += [form for topic in topics for form in (*topic.more, *topic.forms)]
        assert [form for form in forms if "{}" not in form] == []

    def test_nothing_is_listed_twice(self, topics):
        for topic in topics:
            for entries in (topic.heads, topic.also, topic.ask, topic.near, *(name.items for name in topic.names)):
                assert [entry for entry, n in Counter(entries).items() if n > 1] == [], topic.heads[0]

    def test_every_entry_is_in_normal_form(self, topics):
        for topic in topics:
            for entry in (*topic.heads, *topic.also, *topic.ask, *(name.text for name in topic.names)):
                assert entry, topic.heads[0]
                assert entry == normalize(entry)
