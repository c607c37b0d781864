"""The limits are far from every shipped model, and each of them holds."""

from __future__ import annotations

import shutil

import pytest
from helpers.model_files import small_model, with_settings

from pipeline.configuration.reading import SHIPPED, load_config
from pipeline.errors import UserError
from pipeline.model_files.fitting import wanted_tensors
from pipeline.model_files.limits import LARGEST, SECTIONS, require_bounded
from pipeline.model_files.reading import read_model
from pipeline.model_files.writing import write_model

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


# The largest of each kind that is published, and clips as long as they take.
LARGEST_PUBLISHED = [
    {"model_type": "videomae", "num_frames": 16, "image_size": 224, "patch_size": 14, "hidden_size": 1408,
     "num_hidden_layers": 40},
    {"model_type": "timesformer", "num_frames": 96, "image_size": 224, "patch_size": 16, "hidden_size": 768},
    {"model_type": "timesformer", "num_frames": 16, "image_size": 448, "patch_size": 16, "hidden_size": 768},
    {"model_type": "vivit", "num_frames": 32, "image_size": 224, "tubelet_size": [2, 16, 16], "hidden_size": 768},
    {"model_type": "vjepa2", "frames_per_clip": 64, "crop_size": 384, "patch_size": 16, "hidden_size": 1408,
     "num_hidden_layers": 40},
    {"model_type": "dinov2_with_registers", "image_size": 518, "patch_size": 14, "hidden_size": 1536},
    {"model_type": "dinov3_vit", "image_size": 224, "patch_size": 16, "hidden_size": 4096, "num_hidden_layers": 40},
]  # fmt: skip


def of_others(architecture, **more):
    """A model's configuration with a network of others."""
    config = small_model().config
    published = {"name": "hf:own", "architecture": architecture, **more}
    backbone = config.backbone.model_copy(update={"name": "hf:own", "published": published})
    return config.model_copy(update={"backbone": backbone})


@pytest.mark.parametrize("architecture", LARGEST_PUBLISHED, ids=lambda a: a["model_type"])
def test_published_networks_are_within_them(architecture):
    require_bounded(of_others(architecture))


@pytest.mark.parametrize(
    ("architecture", "more"),
    [
        ({"model_type": "vivit", "num_frames": 32, "image_size": 4096, "tubelet_size": [2, 1, 1]}, {}),
        ({"model_type": "vivit", "num_frames": 32, "image_size": 4096, "tubelet_size": [2, 0, None]}, {}),
        ({"model_type": "vit", "image_size": 16, "patch_size": 1}, {"crop": 4096}),
    ],
)  # fmt: skip
def test_clips_of_too_many_patches_are_refused(architecture, more):
    with pytest.raises(UserError, match="patches x hidden_size"):
        require_bounded(of_others({"hidden_size": 768, **architecture}, **more))


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


@pytest.fixture(scope="module")
def former(tmp_path_factory):
    path = tmp_path_factory.mktemp("former") / "own.tada"
    write_model(small_model(detector__name="actionformer"), path)
    return path


HOSTILE = {
    "detector__name": ("bmn", "no section bmn"),
    "actionformer__max_length": (1 << 17, "at most 65536"),
    "actionformer__width": (1 << 13, "at most 4096"),
    "actionformer__levels": (10**12, "levels"),
    "actionformer__stem_layers": (10**6, "at most 32"),
    "actionformer__window": (4, "odd"),
    "actionformer__head_layers": (4, "is missing tensors of its networks"),
    "actionformer__head_width": (16, "the network's F32"),
    "actionformer__trunk": ("separate", None),  # of one set of classes the same network
    "detections__top": (10**9, "at most 100000"),
    "bmn__temporal_scale": (10**9, "bmn"),
}


@pytest.mark.parametrize("key", HOSTILE)
def test_settings_of_actionformer_are_held_too(key, former, tmp_path):
    value, said = HOSTILE[key]
    path = with_settings(shutil.copy(former, tmp_path / "own.tada"), **{key: value})
    if said is None:
        assert read_model(path).config.actionformer.trunk == "separate"
        return
    with pytest.raises(UserError) as caught:
        read_model(path)
    assert said in caught.value.message and "\n" not in caught.value.message


def test_together_they_are_bounded():
    config = small_model(detector__name="actionformer").config
    for keys in (
        {"max_length": 65_536, "width": 4096},
        {"max_length": 65_536, "window": 0},
        {"max_length": 65_536, "window": (0, 5, 5)},
    ):
        settings = config.actionformer.model_copy(update=keys)
        with pytest.raises(UserError, match="at most"):
            require_bounded(config.model_copy(update={"actionformer": settings}))
