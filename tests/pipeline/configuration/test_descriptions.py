"""Every key says what it means, in sentences; tests/pipeline/tools/config holds what else is said of it."""

from __future__ import annotations

from types import NoneType
from typing import get_args

import pytest
from pydantic.fields import FieldInfo

from pipeline.configuration.keys import known_keys, sections
from pipeline.configuration.sections.base import Section
from pipeline.configuration.settings import Config


def fields_of(model: type[Section], prefix: str = "") -> dict[str, FieldInfo]:
    """Every key of a section and of those inside it."""
    fields: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        inner = next((p for p in get_args(field.annotation) if p is not NoneType), field.annotation)
        if isinstance(inner, type) and issubclass(inner, Section):
            fields |= fields_of(inner, f"{prefix}{name}.")
        else:
            fields[prefix + name] = field
    return fields


FIELDS = fields_of(Config)


def test_these_are_the_keys():
    assert list(FIELDS) == known_keys()


def test_these_are_the_sections():
    assert [name for name in sections() if "." not in name] == list(Config.model_fields)
    assert {key.rpartition(".")[0] for key in known_keys()} == set(sections())
    for name, model in sections().items():
        assert model.__doc__ and model.__doc__.strip().endswith("."), name


@pytest.mark.parametrize("key", FIELDS)
def test_a_key_has_a_description_in_sentences(key):
    text = FIELDS[key].description
    assert text and text.endswith("."), text
    assert text[0].isupper() or text.startswith(("[", "tIoU")), text
    assert "\n" not in text and "  " not in text and len(text) < 240, text


@pytest.mark.parametrize("key", FIELDS)
def test_a_share_and_a_probability_are_called_so(key):
    name, text = key.split(".")[-1], FIELDS[key].description.lower()
    if name in {
        "hold_out", "allow_beyond", "proportion", "min_inside", "label_smoothing", "boundary_ratio", "crop_ratio",
    }:  # fmt: skip
        assert "share" in text, text
    if name in {"dropout", "drop_path", "color_jitter", "erasing", "flip"}:
        assert "probability" in text, text
