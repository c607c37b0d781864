"""A configuration for detection has every section; one for a classifier alone says what it lacks."""

from __future__ import annotations

import pickle

import pytest

from pipeline.configuration.reading import find_config, load_config, parse_overrides
from pipeline.configuration.settings import Config, DetectionConfig
from pipeline.errors import UsageError, UserError

DETECTION = ("extract", "bmn", "proposals", "classify", "eval")


def test_a_detection_configuration_is_the_configuration():
    config = load_config(find_config("hacs"))
    whole = config.detection()
    assert type(whole) is DetectionConfig and isinstance(whole, Config)
    given = {name: value for name, value in config if value is not None}
    assert given.items() <= dict(whole).items()
    assert dict(whole).keys() - given.keys() == {"actionformer", "detections"}, "the other head's"
    assert whole.detection() == whole
    assert pickle.loads(pickle.dumps(whole)) == whole  # noqa: S301  # as it goes to processes
    settings = whole.bmn.model_copy(update={"epochs": 3})
    copy = whole.model_copy(update={"bmn": settings})
    assert type(copy) is DetectionConfig and copy.bmn is settings and copy.extract == config.extract


@pytest.mark.parametrize("name", DETECTION)
def test_the_section_that_is_missing_is_named(name):
    config = load_config(find_config("hacs")).model_copy(update={name: None})
    text = (
        f"the configuration has no section {name}: it is for a classifier only; copy the section "
    )
    with pytest.raises(UserError) as caught:
        config.detection()
    assert caught.value.message.startswith(text)
    with pytest.raises(UserError) as caught:
        config.section(name)
    assert caught.value.message.startswith(text)


def test_a_configuration_for_a_classifier_alone_has_no_sections_for_detection():
    config = load_config(find_config("k400"))
    assert config.extract is None
    with pytest.raises(UserError, match="no section extract"):
        config.detection()


def test_a_boundary_is_centred_at_its_positions_start_or_middle():
    for text, value in (("0", 0), ("0.0", 0), ("0.5", 0.5)):
        found = load_config(find_config("hacs"), parse_overrides([f"bmn.boundary_center={text}"]))
        assert repr(found.bmn.boundary_center) == repr(value)
    for text in ("1", "false", "middle", "[]"):
        with pytest.raises(UsageError, match=r"bmn\.boundary_center = .*input should be 0 or 0\.5"):
            load_config(find_config("hacs"), parse_overrides([f"bmn.boundary_center={text}"]))
