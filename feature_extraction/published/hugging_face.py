"""A model of Hugging Face's described: its architecture, its clip, and what its processor does to frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from feature_extraction.published.description import Description
from feature_extraction.published.files import settings_files
from feature_extraction.published.names import Published, PublishedError, without_path
from feature_extraction.published.processor import processing_of

# Of a model's settings, what says nothing of its tensors and its features: names of classes, who wrote the
# file, and what would load code of others or other kernels.
_LEFT_OUT = {
    "architectures",
    "attn_implementation",
    "auto_map",
    "dtype",
    "id2label",
    "label2id",
    "problem_type",
    "quantization_config",
    "torch_dtype",
    "transformers_version",
}
MOST_LAYERS = 1000  # V-JEPA 2 has 40
LARGE = 1 << 28  # weights from which a model is compared with its files before it is built
ANY_LENGTH = ("vjepa2",)  # kinds with positions relative to one another: clips of any length


def describe(published: Published, revision: str | None = None) -> Description:
    """What is known of a model before it is built; `revision`: branch, tag or commit of the Hub.

    Raises PublishedError if its files cannot be had, or say what no backbone can be.
    """
    config, processor, commit = settings_files(published, revision)
    architecture = _architecture(published, config)
    _require_plausible(published, architecture)
    described = replace(
        _sizes(published, architecture),
        name=without_path(str(published)),
        asked=revision,
        revision=commit,
        architecture=architecture,
    )
    if processor is None:
        return described
    try:
        done = processing_of(processor)
    except PublishedError as error:
        raise PublishedError(f"{published}: {error}") from error
    described = replace(described, mean=done.mean, std=done.std)
    if done.crop is None or (is_video_model(architecture) and done.crop != described.crop):
        return described  # the model's own crop
    return replace(described, crop=done.crop, short_side=done.short_side)


def is_video_model(architecture: Mapping[str, Any]) -> bool:
    """Whether a model takes clips; others take frames."""
    return "num_frames" in architecture or "frames_per_clip" in architecture


def _architecture(published: Published, config: Mapping[str, Any]) -> dict[str, Any]:
    inner = config.get("vision_config")  # of a model that knows texts, too
    if isinstance(inner, Mapping) and "model_type" in inner:
        config = inner
    kind = config.get("model_type")
    if not isinstance(kind, str):
        raise PublishedError(f"{published}: its config.json names no model_type")
    if config.get("num_channels", 3) != 3 or config.get("in_chans", 3) != 3:
        raise PublishedError(f"{published}: takes frames with channels other than red, green, blue")
    kept = {k: v for k, v in config.items() if k not in _LEFT_OUT and not k.startswith("_")}
    return kept


def _require_plausible(published: Published, architecture: Mapping[str, Any]) -> None:
    """Refuse settings of a far larger model than the weights beside them, before any of it is allocated.

    Attention and its layers have so many weights at least, of a byte each. Raises PublishedError.
    """
    layers, hidden, inner = (
        value if isinstance(value := architecture.get(key), int) else 0
        for key in ("num_hidden_layers", "hidden_size", "intermediate_size")
    )
    if layers > MOST_LAYERS:
        raise PublishedError(
            f"{published}: {layers} layers in its config.json: at most {MOST_LAYERS}"
        )
    folder = published.folder
    found = [] if folder is None else [p.stat().st_size for p in folder.glob("*.safetensors")]
    least = layers * hidden * (4 * hidden + 2 * inner)
    if found and least > max(LARGE, sum(found)):
        raise PublishedError(
            f"{published}: its config.json describes a model of {least:,} weights or more, and its safetensors files "
            f"have {sum(found):,} bytes"
        )


def _sizes(published: Published, architecture: Mapping[str, Any]) -> Description:
    """The clip and the crop that a model's positions are made for."""
    size = architecture.get("crop_size", architecture.get("image_size"))
    sides = size if isinstance(size, list | tuple) else [size]
    if len(set(sides)) != 1:
        raise PublishedError(f"{published}: takes frames of {size}, but only squares are supported")
    side = _count(published, "image_size", sides[0])
    tubelet = architecture.get("tubelet_size", 1)
    every = _count(published, "tubelet_size", tubelet[0] if isinstance(tubelet, list) else tubelet)
    frames = architecture.get("num_frames", architecture.get("frames_per_clip"))
    if architecture["model_type"] in ANY_LENGTH:
        frames = None
    return Description(
        name="",
        frames=_count(published, "num_frames", frames),
        every=every or 1,
        short_side=side,
        crop=side,
    )


def _count(published: Published, key: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= 65_536:
        raise PublishedError(f"{published}: {key} is {value!r} in its config.json, not a number")
    return value
