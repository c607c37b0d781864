"""What is said of each key is there, in known units and papers, and agrees with what the stages do."""

from __future__ import annotations

from typing import Literal, get_args, get_origin

import pytest
from truth.changes_keys import KEYS

from pipeline.configuration.keys import known_keys, new_names, sections
from pipeline.configuration.sections.base import PAPERS
from pipeline.errors import UsageError
from pipeline.runs.graph import STAGES, VIEWED
from pipeline.tools.config.again import effect, first_stages, following
from pipeline.tools.config.facts import facts_of, keys_of, required_name, whole_papers

UNITS = {
    "frames per second", "frames", "pixels", "seconds", "GB", "bytes", "channels", "layers, or blocks", "stages", "samples",
    "videos", "clips", "crops", "epochs", "steps", "pieces", "per step", "positions", "features", "points", "groups", "heads",
    "levels", "blocks", "convolutions", "operations, magnitude", "proposals", "proposals per second", "candidates", "detections",
    "classes", "verbs", "nouns", "pairs", "processes", "tIoU", "percent",
}  # fmt: skip
# Shares, probabilities, powers, rates of learning and the like are pure numbers.
PURE = {
    "hold_out", "allow_beyond", "dropout", "reduction", "proportion", "mean", "std", "base_lr", "warmup_lr", "weight_decay",
    "momentum", "grad_clip", "seed", "color_jitter", "erasing", "mixup", "cutmix", "flip", "label_smoothing", "min_inside",
    "boundary_ratio", "cls_power", "reg_power", "boundary_power", "alpha", "power", "sls", "drop_path", "crop_ratio",
    "regression_weight", "score_threshold", "min_score", "sigma",
}  # fmt: skip


def is_number(kind: object) -> bool:
    """Whether a type holds numbers, alone or in a sequence."""
    if get_origin(kind) is Literal:
        return False
    return kind in (int, float) or any(map(is_number, get_args(kind)))


@pytest.mark.parametrize("key", known_keys())
def test_a_key_says_what_it_is_and_why_one_would_change_it(key):
    facts = facts_of(key)
    for text in (facts.description, facts.why):
        assert text.endswith(".") and "  " not in text and text.isprintable(), text
        assert len(text) < 240, text
    assert facts.why != facts.description and facts.kind


@pytest.mark.parametrize("key", known_keys())
def test_a_quantity_has_a_unit(key):
    facts = facts_of(key)
    number = is_number(sections()[facts.section].model_fields[facts.name].annotation)
    assert facts.unit in UNITS | {""}, facts.unit
    assert bool(facts.unit) == (number and facts.name not in PURE), facts


def test_the_list_of_pure_numbers_holds_no_other_keys():
    assert PURE <= {facts_of(key).name for key in known_keys()}


@pytest.mark.parametrize("key", known_keys())
def test_papers_are_known_and_named_with_their_place(key):
    for part in filter(None, map(str.strip, facts_of(key).paper.split(","))):
        assert part.split(" ")[0] in PAPERS, part
    assert len(whole_papers(facts_of(key).paper)) <= 2


def test_a_training_says_of_shared_keys_what_its_own_paper_has():
    assert facts_of("finetune.base_lr").paper and not facts_of("bmn.base_lr").paper
    # What a class gives another default keeps what was said of it.
    assert facts_of("actionformer.optimizer").why == facts_of("bmn.optimizer").why
    assert facts_of("actionformer.batch_size").unit == "videos"


@pytest.mark.parametrize("key", [key for key, made in KEYS.items() if made.first])
def test_the_first_stage_to_run_again_is_the_one_that_does(key):
    """tests/truth does what these say with a run, and looks at it."""
    assert first_stages(facts_of(key))[0] == KEYS[key].first
    assert KEYS[key].first in effect(facts_of(key))


@pytest.mark.parametrize("key", known_keys())
def test_a_key_changes_something_or_says_that_nothing_runs_again(key):
    facts = facts_of(key)
    if facts.key == "detector.name":
        return
    assert bool(first_stages(facts)) == (facts.changes or bool(facts.selects))
    assert ("nothing runs again" in effect(facts)) == (not first_stages(facts))
    if facts.selects in ("", "segments"):
        return
    assert facts.selects in effect(facts)


def test_what_follows_a_stage_is_what_reads_it():
    assert following(("proposals",)) == ("classify", "eval")
    assert following(("detections",)) == ("eval",)
    assert following(("segments",)) == ("classify", "eval")
    assert following(()) == ()
    joint = {stage.name for stage in STAGES if not stage.alone}
    assert {"finetune", *following(("finetune",))} == joint


def test_what_the_classifiers_test_depends_on_is_said():
    tested = {
        facts.name for facts in keys_of("finetune") if "eval-classifier" in first_stages(facts)
    }
    assert tested == set(VIEWED)


def test_a_name_is_a_key_a_section_or_an_old_name():
    assert required_name("bmn") == "bmn" and required_name("bmn.seed") == "bmn.seed"
    assert required_name("finetune.augment") == "finetune.augment"
    for old, new in new_names().items():
        assert required_name(old) == new and facts_of(new).former == old
    for wrong, near in (("bmn.windowstep", "bmn.window_step"), ("alpha", "proposals.alpha")):
        with pytest.raises(UsageError, match=f"did you mean {near}?"):
            required_name(wrong)
    with pytest.raises(UsageError, match="no key and no section"):
        required_name("")
