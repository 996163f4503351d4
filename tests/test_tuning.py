import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from qac import tuning
from qac.completer import Completer
from qac.config import TrainingConfig, with_setting
from qac.errors import InputError
from qac.examples import Example
from qac.saving import save_model
from qac.training import train
from qac.tuning import tune

DAY = 86_400
OFF = with_setting(TrainingConfig(), "composer.enabled", False)


def older_query_decides(n, seed):
    """What comes after "hotels" is said by the query before it."""
    rng = random.Random(seed)
    cities = ["paris", "rome", "oslo", "bonn", "lima", "york"]
    return [Example((city, "hotels"), "", f"{city} inn") for city in rng.choices(cities, k=n)]


def fashion_changes(n, seed, days=(0, 30)):
    """Every day has a query of its own that most people make."""
    rng = random.Random(seed)
    out = []
    for _ in range(n):
        day = rng.uniform(*days)
        query = f"q{int(day) if rng.random() < 0.8 else rng.randrange(31)}"
        out.append(Example((), "q", query, time=day * DAY))
    return out


def tried(tuned):
    return [(t.setting, t.value, t.mrr, t.gain, t.p, t.kept) for t in tuned.trials]


# ---- what is found ----


def test_it_finds_that_older_queries_matter():
    train_part, valid = older_query_decides(300, 0), older_query_decides(60, 1)
    tuned = tune(train_part, valid, OFF, threads=1, quiet=True)
    assert tuned.config.history == 2
    assert tuned.stopped == "done"
    first, best = tuned.trials[0], [t for t in tuned.trials if t.kept][-1]
    assert best.mrr == 1 > first.mrr + 0.3


def test_it_finds_that_age_matters():
    train_part, valid = fashion_changes(1500, 0), fashion_changes(100, 1, (29, 30))
    tuned = tune(train_part, valid, OFF, threads=1, quiet=True)
    assert tuned.config.popularity.half_life is not None
    assert tuned.config.popularity.half_life <= 10 * DAY


def test_age_is_not_tried_where_an_example_has_no_time():
    train_part = [*fashion_changes(200, 0), Example((), "q", "q1")]
    tuned = tune(train_part, fashion_changes(50, 1), OFF, threads=1, quiet=True)
    assert not any("half_life" in t.setting for t in tuned.trials)


def test_nothing_is_kept_where_there_is_nothing_to_gain(examples):
    requests = [Example((), "", "no such query")] * 20
    tuned = tune(examples, requests, threads=1, quiet=True, config=TrainingConfig())
    assert tuned.config == TrainingConfig()
    assert not any(t.kept for t in tuned.trials)
    assert tuned.stopped == "done"


def test_every_kept_trial_gained_beyond_chance_and_they_follow_one_another():
    tuned = tune(older_query_decides(300, 0), older_query_decides(60, 1), OFF, threads=1, quiet=True)
    best = tuned.trials[0].mrr
    for trial in tuned.trials[1:]:
        assert trial.gain == pytest.approx(trial.mrr - best)
        assert trial.kept == (trial.p < tuning.SIGNIFICANCE)
        best = trial.mrr if trial.kept else best


def test_no_configuration_is_tried_twice(examples):
    tuned = tune(older_query_decides(200, 0), older_query_decides(40, 1), TrainingConfig(), threads=1, quiet=True)
    config, seen = TrainingConfig(), [TrainingConfig()]
    for trial in tuned.trials[1:]:
        changed = with_setting(config, trial.setting, trial.value)
        assert changed not in seen
        seen.append(changed)
        config = changed if trial.kept else config
    assert config == tuned.config


# ---- what it gives ----


def test_the_model_is_that_of_training_with_what_was_found(tmp_path):
    train_part = older_query_decides(300, 0)
    tuned = tune(train_part, older_query_decides(60, 1), TrainingConfig(), threads=1, quiet=True)
    assert tuned.config != TrainingConfig()
    save_model(tuned.model, tmp_path / "a")
    save_model(train(train_part, tuned.config, quiet=True), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("tunable", [t for t in tuning._TUNABLES if not t.learned], ids=lambda t: t.path)
def test_what_is_not_learned_needs_no_training(tunable, examples, tmp_path):
    model = train(examples, quiet=True)
    for value in tunable.values:
        config = with_setting(TrainingConfig(), tunable.path, value)
        save_model(tuning._served_with(model, config), tmp_path / "a")
        save_model(train(examples, config, quiet=True), tmp_path / "b")
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_of_a_long_log_a_part_serves_and_no_model_is_given(monkeypatch):
    monkeypatch.setattr(tuning, "MAX_EXAMPLES", 100)
    tuned = tune(older_query_decides(300, 0), older_query_decides(60, 1), OFF, threads=1, quiet=True)
    assert tuned.model is None
    assert tuned.config.history == 2


# ---- when it ends ----


def test_trials_bound_it_and_are_the_same_every_time():
    arguments = (older_query_decides(300, 0), older_query_decides(60, 1), OFF)
    everything = tune(*arguments, threads=2, quiet=True)
    for n in (1, 4):
        few = tune(*arguments, trials=n, threads=1, quiet=True)
        assert tried(few) == tried(everything)[:n]
        assert few.stopped == "trials"


def test_time_bounds_it_but_for_the_first_trial():
    tuned = tune(older_query_decides(50, 0), older_query_decides(10, 1), OFF, seconds=1e-9, threads=1, quiet=True)
    assert len(tuned.trials) == 1
    assert (tuned.config, tuned.stopped) == (OFF, "time")


def test_no_trial_begins_that_would_likely_end_too_late(monkeypatch):
    now = 0.0
    monkeypatch.setattr(tuning.time, "monotonic", lambda: now)
    bounds = tuning._Bounds(seconds=75, trials=None, began=0.0)
    bounds.check()
    now = 30.0
    bounds.note(30.0)
    bounds.check()
    now = 40.0
    bounds.note(10.0)
    bounds.check()
    now = 46.0  # another may take 30 seconds
    with pytest.raises(tuning._SpentError):
        bounds.check()


def test_an_interrupt_ends_it_with_what_was_found():
    seen = []

    def interrupt(trial):
        seen.append(trial)
        if trial.kept:
            raise KeyboardInterrupt

    tuned = tune(older_query_decides(300, 0), older_query_decides(60, 1), OFF, threads=1, quiet=True, report=interrupt)
    assert tuned.stopped == "interrupted"
    assert tuned.config == with_setting(OFF, seen[-1].setting, seen[-1].value)
    assert tuned.model.config == tuned.config


def test_an_interrupt_before_anything_was_found_goes_on(monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(older_query_decides(50, 0), older_query_decides(10, 1), OFF, quiet=True)


def test_there_must_be_something_to_ask():
    with pytest.raises(InputError, match="no validation examples"):
        tune(older_query_decides(50, 0), [], OFF, quiet=True)


# ---- its parts ----


def test_chance_is_that_of_tossing_the_signs():
    assert tuning._chance(np.zeros(5)) == 1
    assert tuning._chance(np.ones(4)) == pytest.approx(0.02275, abs=1e-5)  # 2 standard deviations
    rng = np.random.default_rng(0)
    for shift in (-0.3, 0.1, 0.5):
        difference = rng.normal(shift, 1, 14)
        sums = np.array(list(itertools.product([-1, 1], repeat=14))) @ difference
        assert tuning._chance(difference) == pytest.approx((sums >= difference.sum() - 1e-12).mean(), abs=0.02)


def test_what_is_drawn_is_a_part_of_the_examples_each_equally_likely():
    everything = [Example((), "", str(i)) for i in range(60)]
    assert tuning._draw(iter(everything), 60) == (everything, True)
    times = np.zeros(60)
    for start in range(60):  # the draw is seeded, so it is the examples that are turned
        drawn, whole = tuning._draw(everything[start:] + everything[:start], 20)
        assert not whole
        assert len(set(drawn)) == 20
        times[[int(e.next_query) for e in drawn]] += 1
    assert (times == 20).all()
    assert tuning._draw(everything, 20) == tuning._draw(everything, 20)


def test_requests_weigh_as_much_as_their_counts():
    train_part = older_query_decides(300, 0)
    valid = [replace(e, count=3.0) if i % 2 else e for i, e in enumerate(older_query_decides(20, 1))]
    single = [replace(e, count=1.0) for e in valid for _ in range(int(e.count))]
    assert len(single) > len(valid)
    first, second = (tune(train_part, part, OFF, trials=2, threads=1, quiet=True) for part in (valid, single))
    assert [t.gain for t in first.trials] == pytest.approx([t.gain for t in second.trials])
    assert [t.mrr for t in first.trials] == pytest.approx([t.mrr for t in second.trials])


def test_the_measure_is_that_of_an_evaluation(examples, tmp_path):
    from qac.evaluation import evaluate

    requests = [e for e in examples if e.prev_queries]
    tuned = tune(examples, requests, TrainingConfig(), trials=1, threads=1, quiet=True)
    save_model(tuned.model, tmp_path / "m.qac")
    completer = Completer.load(tmp_path / "m.qac")
    report = evaluate(completer, requests, known=completer, quiet=True).to_json()
    assert tuned.trials[0].mrr == pytest.approx(report["mrr@10"])
