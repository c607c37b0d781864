"""The sentence names the largest loss, and settings that are there."""

from __future__ import annotations

import re

import pytest

from evaluation import KINDS
from pipeline.configuration.keys import known_keys
from pipeline.tools.why.advice import Averages, next_step

LEVEL = {
    "true classes": 50.0,
    "true segments": 50.0,
    "grid": 95.0,
    "before NMS": 50.0,
    "nearest kept": 50.0,
}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"true classes": 70.0}, "the classifier (true classes would give 70.0)"),
        ({"true segments": 80.0}, "the proposals (true segments would give 80.0)"),
        ({"true segments": 80.0, "grid": 60.0}, "a finer grid (its best segments give 60.0)"),
        ({"true segments": 80.0, "nearest kept": 75.0, "before NMS": 75.0}, "the proposals' scores"),
        ({"true segments": 55.0, "before NMS": 60.0}, "loosen NMS (the best proposals it drops would give 10.0"),
        ({"true classes": 70.0, "classes of the whole video": 68.0}, "classify.mode=video"),
        ({"classes of each proposal": 60.0}, "classify.mode=proposal"),
    ],
)  # fmt: skip
def test_the_largest_loss_is_named(more, said):
    step = next_step(Averages(50.0, LEVEL | more), {})
    assert said in step
    for key in re.findall(r"[a-z]+\.[a-z_]+", step):
        assert key in known_keys(), key


@pytest.mark.parametrize("kind", KINDS)
def test_without_oracles_the_kind_that_costs_most_is_named(kind):
    gains = dict.fromkeys(KINDS, 0.0) | {kind: 12.0}
    assert next_step(Averages(50.0, {}), gains).startswith(f"next step: {kind} costs 12.0 points: ")
    assert "no error costs much" in next_step(Averages(50.0, {}), dict.fromkeys(KINDS, 0.1))


def test_classes_of_a_file_are_not_fine_tuned():
    step = next_step(Averages(50.0, LEVEL | {"true classes": 70.0}), {}, by_file=True)
    assert "fine-tuning" not in step and "class scores" in step
