"""Plans of both heads: what is counted is what the trainings do, and everything counted is timed."""

from __future__ import annotations

import json

import pytest
import torch
from helpers import separable
from helpers.former_runs import FORMER
from helpers.separable import make_data, write_pairs
from helpers.small_runs import tada

from pipeline.configuration.reading import find_config, load_config
from pipeline.tools.head_rates import detection_rate, head_training_rate

HEADS = {"one": (("a", "b"),), "pairs": (("open", "close"), ("door", "drawer", "tap"))}


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize(
    "more",
    [["actionformer.classes=none"], ["actionformer.trunk=separate"], ["actionformer.mode=rescale"]],
    ids=lambda more: more[0],
)
def test_every_form_is_timed(heads, more):
    keys = dict(word.split("=", 1) for word in [*FORMER, *more])
    keys = {
        name: value if value[0].isalpha() else json.loads(value) for name, value in keys.items()
    }
    config = load_config(find_config("demo"), keys, quiet=True).detection()
    sizes, device = tuple(map(len, HEADS[heads])), torch.device("cpu")
    assert head_training_rate(config, 12, sizes, device) > 0
    assert detection_rate(config, 12, HEADS[heads], device) > 0


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("separable") / "data")


@pytest.mark.parametrize("classes", ["own", "none"])
def test_the_plan_counts_what_will_be_done(classes, data, tmp_path):
    words = (*FORMER, f"actionformer.classes={classes}", "finetune.source=features")
    run, file = tmp_path / "run", tmp_path / "plan.json"
    assert separable.take(data, run, *words).exit_code == 0
    options = separable.options(data, run, *words)
    done = tada("plan", *options, "--json", str(file))
    assert done.exit_code == 0, done.output
    costs = {cost["stage"]: cost for cost in json.loads(file.read_text())["stages"]}
    finding = "detections" if classes == "own" else "segments"
    names = ["actionformer", finding] if classes == "own" else ["finetune", "actionformer", finding]
    assert list(costs) == names and all(cost["hours"] > 0 for cost in costs.values())
    assert costs["actionformer"]["count"] == 2 * len(separable.TRAINING)  # two epochs
    assert costs[finding]["count"] == len(separable.VALIDATION) * separable.SECONDS
    assert costs[finding]["read"] == len(separable.VALIDATION) * 20 * 12 * 2
    report = tada("doctor", *options)
    assert report.exit_code == 0, report.output
    assert "training, actionformer" in report.output and "BMN" not in report.output
    assert ("training, finetune" in report.output) == (classes == "none")


def test_pairs_of_verb_and_noun_are_planned(tmp_path):
    data = make_data(tmp_path / "data")
    words = (*FORMER, *write_pairs(data))
    assert separable.take(data, tmp_path / "run", *words).exit_code == 0
    done = tada("plan", *separable.options(data, tmp_path / "run", *words))
    assert done.exit_code == 0 and "12 videos" in done.output, done.output
