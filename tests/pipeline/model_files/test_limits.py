"""The limits are far from every shipped model, and each of them holds."""

from __future__ import annotations

import pytest
from helpers.model_files import small_model

from pipeline.configuration.reading import SHIPPED, load_config
from pipeline.errors import UserError
from pipeline.model_files.fitting import wanted_tensors
from pipeline.model_files.limits import LARGEST, SECTIONS, require_bounded

FOR_DETECTION = [
    path for path in sorted(SHIPPED.glob("*.yaml")) if load_config(path, quiet=True).bmn
]


@pytest.mark.parametrize("path", FOR_DETECTION, ids=lambda path: path.stem)
def test_every_shipped_model_is_far_within_them(path):
    config = load_config(path, quiet=True).detection()
    require_bounded(config)
    # four times as many pixels, positions and samples are still within
    extract = config.extract.model_copy(update={"short_side": 2 * config.extract.short_side})
    bmn = config.bmn.model_copy(
        update={
            "temporal_scale": 2 * config.bmn.temporal_scale,
            "duration_scale": 2 * config.bmn.duration_scale,
        }
    )
    require_bounded(config.model_copy(update={"extract": extract, "bmn": bmn}))


def test_every_limit_is_of_a_key_there_is():
    config = small_model().config
    assert set(LARGEST) <= {
        name for section in SECTIONS for name in type(config.section(section)).model_fields
    }


@pytest.mark.parametrize("name", sorted(LARGEST))
def test_each_limit_holds(name):
    config = small_model().config
    for section in SECTIONS:
        settings = config.section(section)
        if name in type(settings).model_fields:
            old = getattr(settings, name)
            value = (LARGEST[name] + 1,) if isinstance(old, tuple) else LARGEST[name] + 1
            larger = config.model_copy(update={section: settings.model_copy(update={name: value})})
            with pytest.raises(UserError, match="at most"):
                require_bounded(larger)


def test_names_and_shapes_are_known_without_a_number_of_memory():
    model = small_model()
    wanted = wanted_tensors(model.config, model.heads)
    tensors = {f"classifier.{n}": t for n, t in model.classifier.items()}
    tensors |= {f"bmn.{n}": t for n, t in model.detector.items()}
    assert {name: form.shape for name, form in wanted.items()} == {
        n: tuple(t.shape) for n, t in tensors.items()
    }
