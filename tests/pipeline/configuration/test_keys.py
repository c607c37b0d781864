"""Keys that change no result leave what was made valid, and so does what older programs recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.configuration.keys import default_fields, known_keys, restated, result_fields
from pipeline.configuration.reading import find_config, load_config, read_config
from pipeline.configuration.settings import Config
from pipeline.run_folder.identity import field_differences

# Two configurations and the fields of their stages, as the code before the marks wrote them.
BEFORE = json.loads(Path(__file__).with_name("recorded_before.json").read_text())
RENAMED = {
    "finetune.average": "finetune.ema_decay",
    "finetune.accumulate": "finetune.gradient_accumulation",
    "finetune.recompute": "finetune.activation_checkpointing",
    "bmn.average": "bmn.ema_decay",
    "bmn.accumulate": "bmn.gradient_accumulation",
}
# Where things are, how much is done at once, how often is saved, what is only printed.
WITHOUT_EFFECT = {
    "dataset.name", "dataset.annotations", "dataset.videos", "dataset.video_info", "dataset.cache", "dataset.cache_size", "dataset.proxies",
    "dataset.classes", "dataset.format", "dataset.frame_fps", "dataset.annotation_fps", "dataset.frames", "dataset.allow_beyond", "dataset.train_subset",
    "dataset.eval_subset", "backbone.pretrained", "backbone.revision", "classify.scores", "finetune.checkpoint_seconds",
    "finetune.activation_checkpointing", "extract.allow_partial",
    "bmn.checkpoint_seconds", "bmn.keep_maps", "actionformer.checkpoint_seconds", "eval.paper", "eval.paper_iou", "eval.published", "eval.paper_dataset", "dataset.exclude_videos", "runtime.device",
    "runtime.workers", "runtime.allow_failures", "runtime.skip", "runtime.log",
}  # fmt: skip


# Recorded once; what they select is known by its content now.
GONE = {"dataset.format", "dataset.frame_fps", "dataset.train_subset", "dataset.eval_subset"}


def sections(config: Config) -> dict[str, object]:
    """Every key of a configuration that changes results."""
    fields: dict[str, object] = {}
    for name in Config.model_fields:
        fields |= result_fields(name, config.section(name))
    return fields


def test_every_key_changes_results_or_is_marked():
    fields = sections(load_config(find_config("ek100")))
    assert set(known_keys()) - fields.keys() == WITHOUT_EFFECT
    assert fields.keys() <= set(known_keys())


def of_stage(config: Config, old: dict[str, object]) -> dict[str, object]:
    """The fields of today that stand for those a stage recorded before."""
    names = {RENAMED.get(key, key) for key in old}
    return {key: value for key, value in sections(config).items() if key in names}


@pytest.mark.parametrize("name", BEFORE)
def test_what_was_recorded_before_is_current(name):
    config = read_config(BEFORE[name]["config"], Path("config.yaml"))
    for stage, old in BEFORE[name]["fields"].items():
        new = of_stage(config, old)
        assert field_differences(old, new, restated) == [], stage
        # A new run records the same values, but for the decoder: `auto` is what it stands for.
        same = {RENAMED.get(key, key): value for key, value in old.items() if key not in GONE}
        if stage == "extract":
            same["extract.decoder"] = "pyav"
        assert json.dumps(new, sort_keys=True) == json.dumps(same, sort_keys=True), stage


@pytest.mark.parametrize("name", BEFORE)
def test_every_key_that_changes_results_was_recorded_before_or_has_a_default(name):
    """A key made later does by default what was done before it; without a default it would not say."""
    config = read_config(BEFORE[name]["config"], Path("config.yaml"))
    recorded = {RENAMED.get(key, key) for old in BEFORE[name]["fields"].values() for key in old}
    recorded -= GONE
    assert recorded <= sections(config).keys() <= recorded | default_fields().keys()


def test_another_value_is_a_difference_to_what_was_recorded_before():
    config = read_config(BEFORE["the demo"]["config"], Path("config.yaml"))
    for old in BEFORE["the demo"]["fields"].values():
        new = of_stage(config, old)
        for key in new:
            lines = field_differences(old, new | {key: "another"}, restated)
            assert [line.split(":")[0] for line in lines] == [key]


def of_section(name: str, **more: object) -> dict[str, object]:
    """The fields of a section of `hacs`, with other values of its keys."""
    overrides = {f"{name}.{key}": value for key, value in more.items()}
    return result_fields(name, load_config(find_config("hacs"), overrides).section(name))


def test_a_decoder_is_what_it_stands_for():
    auto, pyav, decord = (of_section("extract", decoder=d) for d in ("auto", "pyav", "decord"))
    assert auto == pyav != decord
    for old in ("auto", "pyav"):
        assert not field_differences(pyav | {"extract.decoder": old}, auto, restated)
    assert field_differences(decord, auto, restated) == ["extract.decoder: decord -> pyav"]


def test_a_recorded_key_without_effect_is_no_difference():
    new = of_section("extract")
    assert of_section("extract", allow_partial=True) == new
    old = new | {"extract.allow_partial": True}
    assert not field_differences(old, new, restated)
    gone = old | {"extract.gone": 1}
    assert field_differences(gone, new, restated) == ["extract.gone: 1 -> None"]


@pytest.mark.parametrize("size", [1, 4, 7])
def test_features_made_before_the_batch_was_recorded_stay_valid_whatever_it_is(size):
    new = of_section("extract", batch_size=size)
    assert new["extract.batch_size"] == size
    old = {key: value for key, value in new.items() if key != "extract.batch_size"}
    assert not field_differences(old, new, restated)
    # That they are other features for another reason is reported, and the batch is not.
    slower = old | {"extract.stride": 99}
    assert field_differences(slower, new, restated) == ["extract.stride: 99 -> 16"]


def test_features_of_another_batch_are_other_features():
    old, new = of_section("extract", batch_size=2), of_section("extract", batch_size=3)
    assert field_differences(old, new, restated) == ["extract.batch_size: 2 -> 3"]


@pytest.mark.parametrize("stage", ["bmn", "finetune", "classify"])
def test_a_stage_that_does_not_depend_on_the_batch_does_not_ask_for_it(stage):
    assert "extract.batch_size" not in restated({}, of_section(stage))


def test_a_key_that_was_not_recorded_counts_as_its_default():
    new = of_section("bmn")
    old = {key: value for key, value in new.items() if key not in default_fields()}
    lines = field_differences(old, new, restated)
    changed = {key for key in new if new[key] != default_fields().get(key, new[key])}
    assert {line.split(":")[0] for line in lines} == changed and changed
