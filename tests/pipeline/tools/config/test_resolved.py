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
    values = values_of(config)
    again = read_config(text_of(config, only_changed=True), HERE, quiet=True)
    assert values_of(again) == values
    assert all(as_yaml(values[key]) != facts_of(key).default for key in changed(values))


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
    (tmp_path / "config.yaml").unlink()
    with pytest.raises(UsageError, match="a folder without config.yaml"):
        text_of(config, against=str(tmp_path))


def test_a_folder_does_not_hide_a_shipped_configuration_and_its_name_stays_a_remark(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    config = load_config(find_config("hacs"), {"bmn.epochs": 77}, quiet=True)
    for name in ("hacs", "a\nb"):
        (tmp_path / name).mkdir()
    assert text_of(config, against="hacs") == "bmn:\n  epochs: 77  # hacs: 10"
    other = text_of(config).replace("workers: 2", "workers: 7")
    (tmp_path / "a\nb" / "config.yaml").write_text(other)
    assert text_of(config, against="a\nb") == "runtime:\n  workers: 2  # a\\nb: 7"


def test_the_sections_that_a_head_needs_are_there_with_their_defaults():
    hacs = load_config(find_config("hacs"), {"detector.name": "actionformer"}, quiet=True)
    values = values_of(hacs)
    assert values["actionformer.levels"] == 6 and values["detections.sigma"] == 0.5
    assert "actionformer.levels" not in values_of(load_config(find_config("hacs"), quiet=True))
    # A configuration for a classifier alone has no head.
    assert not any(key.startswith("bmn.") for key in values_of(load_config(find_config("k400"))))
