"""Every key says what it means, in sentences, and in which unit it is."""

from __future__ import annotations

from types import NoneType
from typing import Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from pipeline.configuration.keys import known_keys
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


def is_number(kind: object) -> bool:
    """Whether a type holds numbers, alone or in a sequence."""
    if get_origin(kind) is Literal:
        return False
    return kind in (int, float) or any(map(is_number, get_args(kind)))


FIELDS = fields_of(Config)
# The unit, or what is counted, of every numeric key, by the last part of its name.
UNITS = {
    "fps": "frames a second", "frame_fps": "frames a second", "annotation_fps": "frames a second",
    "checkpoint_seconds": "seconds",
    "per_second": "proposals for each second", "frames": "frames", "interval": "frames",
    "stride": "frames", "offset_frames": "frame", "kernels": "frames", "pool_kernel": "frames", "short_side": "pixels",
    "eval_short_side": "pixels", "proxies": "pixels", "crop": "pixels", "temporal_scale": "positions",
    "duration_scale": "positions", "window_step": "positions", "boundary_center": "positions",
    "positions": "positions", "epochs": "epochs", "warmup_epochs": "epochs", "patience": "epochs",
    "min_steps": "steps", "base_batch": "samples", "batch_size": "samples", "gradient_accumulation": "pieces",
    "feature_step": "features", "hidden_1d": "channels", "hidden_2d": "channels",
    "hidden_3d": "channels", "width": "channels", "reduction": "channels", "groups": "groups",
    "num_samples": "samples", "samples_per_bin": "points", "clips_per_segment": "clips",
    "clips": "clips", "crops": "crops", "depth": "layers", "tada_stages": "stages",
    "count": "proposals", "proposals_at": "proposals", "top": "classes", "top_verbs": "verbs",
    "top_nouns": "nouns", "pairs": "pairs", "workers": "processes", "allow_failures": "videos",
    "paper": "percent", "published": "percent", "iou": "tiou", "paper_iou": "tiou", "low": "tiou", "high": "tiou",
    "voting": "tiou", "ema_decay": "per step", "rand_augment": "operations", "keep_maps": "bytes",
    "cache_size": "gb", "max_length": "positions", "window": "positions", "ranges": "positions", "center_radius": "positions",
    "min_duration": "positions", "head_width": "channels", "heads": "heads", "levels": "levels",
    "embedding_layers": "convolutions", "stem_layers": "blocks", "head_layers": "convolutions",
    "loss_normalizer": "positions",
}  # fmt: skip
# Keys whose last part has another unit in their section.
OTHERWISE = {
    "extract.batch_size": "clips", "actionformer.batch_size": "videos", "detections.count": "detections",
    "detections.top": "candidates", "detections.min_duration": "positions",
}  # fmt: skip
# A share, a probability, a power and the like have none.
PLAIN = {
    "hold_out", "allow_beyond", "dropout", "proportion", "mean", "std", "base_lr", "warmup_lr", "weight_decay",
    "momentum", "grad_clip", "seed", "color_jitter", "erasing", "mixup", "cutmix", "flip",
    "label_smoothing", "min_inside", "boundary_ratio", "cls_power", "reg_power", "boundary_power",
    "alpha", "power", "sls", "drop_path", "crop_ratio", "regression_weight", "score_threshold", "min_score",
    "sigma",
}  # fmt: skip


def test_these_are_the_keys():
    assert list(FIELDS) == known_keys()


@pytest.mark.parametrize("key", FIELDS)
def test_a_key_has_a_description_in_sentences(key):
    text = FIELDS[key].description
    assert text and text.endswith("."), text
    assert text[0].isupper() or text.startswith(("[", "tIoU")), text
    assert "\n" not in text and "  " not in text and len(text) < 240, text


@pytest.mark.parametrize(
    "key", [key for key, field in FIELDS.items() if is_number(field.annotation)]
)
def test_a_number_names_its_unit(key):
    name, text = key.split(".")[-1], FIELDS[key].description.lower()
    unit = OTHERWISE.get(key, UNITS.get(name))
    assert (unit is None) == (name in PLAIN), f"{key}: say its unit here and in its description"
    assert unit is None or unit in text, f"{key}: {text} names no {unit}"
    if name in {
        "hold_out",
        "allow_beyond",
        "proportion",
        "min_inside",
        "label_smoothing",
        "boundary_ratio",
        "crop_ratio",
    }:
        assert "share" in text, text
    if name in {"dropout", "drop_path", "color_jitter", "erasing", "flip"}:
        assert "probability" in text, text


def test_the_tables_of_units_hold_no_other_keys():
    names = {key.split(".")[-1] for key, field in FIELDS.items() if is_number(field.annotation)}
    assert UNITS.keys() | PLAIN == names
