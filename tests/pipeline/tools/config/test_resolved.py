"""What is printed is a configuration again, with the same values."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.configuration.reading import SHIPPED, find_config, load_config, read_config
from pipeline.errors import UsageError
from pipeline.tools.config.facts import as_yaml, facts_of
from pipeline.tools.config.resolved import changed, differing, text_of, values_of

NAMES = sorted(path.stem for path in SHIPPED.glob("*.yaml"))
HERE = Path("config.yaml")


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_back_to_the_same_values(name):
    config = load_config(find_config(name), {"finetune.augment.mixup": 0.3}, quiet=True)
    again = read_config(text_of(config), HERE, quiet=True)
    assert values_of(again) == values_of(config)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_changed_is_all_one_has_to_write(name):
    config = load_config(find_config(name), quiet=True)
    text = text_of(config, only_changed=True)
    # A section of defaults alone has to be named where a run could do without it.
    bare = [f"{s}: {{}}" for s in ("proposals", "detections") if getattr(config, s) is not None]
    bare = [line for line in bare if line.partition(":")[0] + ":" not in text.splitlines()]
    again = read_config("\n".join([text, *bare]), HERE, quiet=True)
    assert values_of(again) == values_of(config)
    defaults = {key: facts_of(key).default for key in changed(values_of(config))}
    assert all(as_yaml(values_of(config)[key]) != text for key, text in defaults.items())


def test_a_default_by_another_form_of_its_number_is_no_change():
    config = load_config(find_config("hacs"), {"finetune.checkpoint_seconds": 45.0}, quiet=True)
    assert "finetune.checkpoint_seconds" not in changed(values_of(config))


@pytest.mark.parametrize("name", NAMES)
def test_the_differences_and_the_other_make_the_one(name):
    values = values_of(load_config(find_config(name), quiet=True))
    others = values_of(load_config(find_config("hacs"), quiet=True))
    found = differing(values, others)
    assert {key: found.get(key, others.get(key)) for key in values} == values
    assert not differing(values, values)


def test_a_difference_says_what_the_other_has(tmp_path):
    config = load_config(find_config("hacs"), {"bmn.epochs": 77}, quiet=True)
    assert text_of(config, against="hacs") == "bmn:\n  epochs: 77  # hacs: 10"
    (tmp_path / "config.yaml").write_text(text_of(config))
    assert text_of(config, against=str(tmp_path)).startswith("# no key differs")
    with pytest.raises(UsageError, match="nothing"):
        text_of(config, against="nothing")


def test_the_sections_that_a_head_needs_are_there_with_their_defaults():
    hacs = load_config(find_config("hacs"), {"detector.name": "actionformer"}, quiet=True)
    values = values_of(hacs)
    assert values["actionformer.levels"] == 6 and values["detections.sigma"] == 0.5
    assert "actionformer.levels" not in values_of(load_config(find_config("hacs"), quiet=True))
    # A configuration for a classifier alone has no head.
    assert not any(key.startswith("bmn.") for key in values_of(load_config(find_config("k400"))))
