"""From a log with secrets to answers without: the benchmark's attack, in small."""

from privacy import attack

from qac.config import UNSCREENED, ScreeningConfig


def test_nothing_that_was_planted_comes_out(tmp_path):
    found = attack(sessions=1500, each=12, deep=1, screening=ScreeningConfig(), folder=tmp_path)
    assert found["leaks"] == []
    assert found["same_examples"]
    assert sum(found["came_out"].values()) == 0
    assert found["most_guessed"] <= 2  # characters of a word: the composer spells
    assert found["requests"] > 10_000
    assert found["answers"] > found["requests"]  # most prefixes of planted words have none


def test_the_same_attack_finds_all_where_nothing_is_screened(tmp_path):
    found = attack(sessions=1500, each=4, deep=0, screening=UNSCREENED, folder=tmp_path)
    assert found["came_out"] == found["planted"]
