"""How long a training is: epochs raised to this many steps, batches of a quarter, and what is reported about it."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from helpers.small_runs import options, tada
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.configuration.reading import find_config, load_config
from pipeline.data.clips.segments import Segments
from pipeline.data.clips.training import epoch_clips
from pipeline.data.length import (
    FEW_STEPS,
    LEAST_BATCH,
    bmn_length,
    finetune_length,
    length_line,
    length_warning,
)
from pipeline.processes.distributed import require_full_batches
from pipeline.training.optimisation import schedule_of


def settings(section, **more):
    values = {"finetune.batch_size": 16} | {f"{section}.{key}": more[key] for key in more}
    config = load_config(find_config("demo"), values)
    return getattr(config, section)


def segments(count, shapes=None):
    none = np.zeros(count)
    return Segments(["v"] * count, none, none, np.zeros((count, 1), int), {}, shapes=shapes)


def test_without_min_steps_nothing_changes():
    for count in (1, 3, 40, 1000):
        given_settings = settings("bmn")
        assert bmn_length(given_settings, count).settings is given_settings
        given_settings = settings("finetune")
        assert finetune_length(given_settings, segments(count)).settings is given_settings


@hypothesis_settings(deadline=None, max_examples=50)
@given(st.integers(1, 2000), st.integers(1, 3000), st.integers(1, 60), st.integers(1, 64))
def test_epochs_are_raised_as_far_as_needed(windows, least, epochs, size):
    before = settings("bmn", min_steps=least, epochs=epochs, batch_size=size, warmup_epochs=0)
    found = bmn_length(before, windows)
    after, steps = found.settings, found.steps
    assert after.batch_size == min(size, max(1, windows // 4)) and sum(found.batches) == windows
    assert after.epochs >= epochs and after.epochs * steps >= least
    # No more than needed: the epochs asked for, or one less falls short.
    assert after.epochs == epochs or (after.epochs - 1) * steps < least
    changed = {"batch_size", "epochs", "warmup_epochs"}
    assert before.model_dump(exclude=changed) == after.model_dump(exclude=changed)


def test_the_warm_up_keeps_its_share():
    before = settings("finetune", min_steps=2000, epochs=40, warmup_epochs=4, base_batch=16)
    found = finetune_length(before, segments(64))
    assert found.steps == 4 and found.settings.epochs == 500
    assert found.settings.warmup_epochs == pytest.approx(50)
    short, long = schedule_of(before), schedule_of(found.settings)
    for share in np.linspace(0, 1, 21):
        assert long.at(share * 500) == pytest.approx(short.at(share * 40))


def test_fine_tunings_batch_stays_large_enough_for_batch_norm():
    for count, size in ((4, 8), (31, 8), (40, 10), (64, 16), (1000, 16)):
        found = finetune_length(settings("finetune", min_steps=1), segments(count))
        assert found.settings.batch_size == size and size >= LEAST_BATCH
    # A batch the user chose smaller stays.
    found = finetune_length(settings("finetune", min_steps=1, batch_size=4), segments(1000))
    assert found.settings.batch_size == 4


def test_every_process_has_a_sample_of_the_smaller_batch(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    found = bmn_length(settings("bmn", min_steps=10, batch_size=8), 8)
    assert found.batches == (4, 4)
    require_full_batches(list(found.batches), "bmn")
    # The batch is not raised above the one that was chosen.
    assert bmn_length(settings("bmn", min_steps=10, batch_size=2), 8).settings.batch_size == 2


def test_a_smaller_batch_takes_its_learning_rate_with_it():
    more = {"min_steps": 1, "base_batch": 16, "batch_size": 16}
    found = finetune_length(settings("finetune", **more), segments(40))
    assert found.settings.batch_ratio == 10 / 16


def test_clips_of_segments_and_shapes_are_counted():
    shapes = np.array([0] * 20 + [1] * 3)
    chosen = settings("finetune", min_steps=100, clips_per_segment=2, crop="whole")
    found = finetune_length(chosen, segments(23, shapes))
    assert found.samples == 46 and found.settings.batch_size == 11
    assert found.steps == 5 and found.settings.epochs == 44  # 40 clips in four batches, 6 in one
    order = epoch_clips(segments(23, shapes), found.settings, 7)
    assert sorted(map(len, order)) == sorted(found.batches)


def test_what_is_said_of_a_training():
    chosen = settings("finetune")
    assert length_line(chosen, 836, "clips", 53) == (
        "836 clips in batches of 16: 44 epochs of 53 steps, 2332 in all"
    )
    few = math.ceil(FEW_STEPS / 44)
    assert length_warning("finetune", chosen, few) is None
    assert length_warning("finetune", chosen, few - 1) == (
        "264 steps are too few to train a network; set finetune.min_steps=300 or more, which raises "
        "the epochs"
    )


def test_both_trainings_say_it_and_train_so_long(data, whole, tmp_path):
    run = tmp_path / "run"
    raised = ("finetune.min_steps=24", "bmn.min_steps=16")
    for stage, unit in (("finetune", "clips"), ("extract", None), ("bmn", "windows")):
        done = tada(stage, *options(data, run, *raised))
        assert done.exit_code == 0, done.output
        if unit is None:
            continue
        form = (
            rf"{stage}: (\d+) {unit} in batches of (\d+): (\d+) epochs of (\d+) steps, (\d+) in all"
        )
        _, _, epochs, steps, total = map(int, re.search(form, done.output).groups())
        least = int(raised[stage == "bmn"].split("=")[1])
        assert total == epochs * steps >= least and (epochs == 2 or total - steps < least)
        history = json.loads((run / stage / "history.json").read_text())
        assert len(history) == epochs
        assert f"{stage}: warning: {total} steps are too few to train a network" in done.output
