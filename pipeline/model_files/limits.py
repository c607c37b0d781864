"""How large a model may be: limits what an untrusted file can make a program allocate.

Each limit is many times what the paper's models have, so that no real model comes near it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.configuration.settings import DetectionConfig
from pipeline.errors import UserError

MOST_STAGES, MOST_BLOCKS = 8, 300  # of a ResNet; ResNet-152 has 4 and 50
# The largest value of a key, whichever section it is in.
LARGEST = {
    "width": 4096,
    "reduction": 4096,
    "kernels": 99,
    "pool_kernel": 99,
    "fps": 1000,
    "frames": 1024,
    "interval": 10_000,
    "stride": 1_000_000,
    "offset_frames": 1_000_000,
    "short_side": 4096,
    "eval_short_side": 4096,
    "batch_size": 65_536,
    "clips": 1000,
    "crops": 1000,
    "temporal_scale": 4096,
    "duration_scale": 4096,
    "feature_step": 10_000,
    "window_step": 1_000_000,
    "hidden_1d": 16_384,
    "hidden_2d": 16_384,
    "hidden_3d": 16_384,
    "num_samples": 1024,
    "samples_per_bin": 256,
    "boundary_ratio": 100,
    "groups": 16_384,
    "positions": 1000,
    "max_length": 65_536,
    "head_width": 4096,
    "heads": 1024,
    "levels": 16,
    "window": 65_535,
    "embedding_layers": 32,
    "stem_layers": 32,
    "head_layers": 32,
    "top": 100_000,
    "top_verbs": 1000,
    "top_nouns": 1000,
    "pairs": 100_000,
}
SECTIONS = (
    "backbone",
    "finetune",
    "views",
    "extract",
    "bmn",
    "proposals",
    "actionformer",
    "detections",
    "classify",
)
# Networks of others by their model_type: of transformers those that the tests know.
KINDS = (
    "videomae",
    "timesformer",
    "vivit",
    "vjepa2",
    "dinov2",
    "dinov2_with_registers",
    "dinov3_vit",
    "vit",
    "clip_vision_model",
    "siglip_vision_model",
)
LARGEST_SIZE = 1 << 20  # any number of an architecture
TOKENS = 1 << 27  # of a clip, times channels: V-JEPA 2 of 64 frames has 24 million
CLIPS_A_SECOND = 240  # the paper has 7.5
OVERLAP = 64  # windows that a position is in; the paper has 2
PIXELS = 1 << 29  # of the clips that go through the network at once; SlowFast has 8 million
POINTS = 1 << 26  # of a network's table of samples; the paper has 1.9 million
CELLS = (
    1 << 32
)  # values of a layer over start and duration, of a batch of windows; the paper has 160 million
VALUES = 1 << 26  # of a layer of ActionFormer over all positions; the paper has 1.2 million
ATTENDED = (
    1 << 30
)  # pairs of positions that attention looks at in a layer; the paper has 0.2 million


def require_bounded(config: DetectionConfig) -> None:
    """Refuse settings with which no model works. Raises UserError naming the key, its value and the limit."""
    for key, value, most in (*_each(config), *_together(config)):
        if value > most:
            raise UserError(f"{key} = {value:g}: at most {most:g} is allowed in a model file")


def _each(config: DetectionConfig) -> Iterator[tuple[str, float, float]]:
    depth = config.backbone.depth
    if isinstance(depth, tuple):
        yield "the stages of backbone.depth", len(depth), MOST_STAGES
        yield "the blocks of backbone.depth", sum(depth), MOST_BLOCKS
    yield from _architecture(config)
    for section in SECTIONS:
        for name, value in config.section(section):
            values = value if isinstance(value, tuple) else (value,)
            for number in values:
                if name in LARGEST and isinstance(number, (int, float)):
                    yield f"{section}.{name}", number, LARGEST[name]


def _architecture(config: DetectionConfig) -> Iterator[tuple[str, float, float]]:
    """The sizes of a network that others publish. Raises UserError for a kind that model files do not hold."""
    takes = config.backbone.description
    if takes is None or not takes.architecture:
        return
    kind, values = takes.architecture.get("model_type"), dict(takes.architecture)
    if kind not in KINDS:
        raise UserError(
            f"{takes.name}: is a {kind!r}; model files hold transformers networks of the kinds {', '.join(KINDS)}"
        )
    for key, value in values.items():
        parts = value if isinstance(value, list) else [value]
        if not all(part is None or isinstance(part, str | int | float) for part in parts):
            raise UserError(f"backbone.published: {key} of its architecture is not a plain value")
        for part in parts:
            if isinstance(part, int | float):
                yield f"backbone.published: {key}", abs(part), LARGEST_SIZE
    yield "backbone.published: layers", _layers(values), MOST_BLOCKS
    side = max(takes.crop or 1, _number(values, "image_size"), _number(values, "crop_size"))
    clip = max(_number(values, "num_frames"), _number(values, "frames_per_clip"))
    tokens = clip * (side / _patch(values)) ** 2 * _number(values, "hidden_size")
    yield "backbone.published: frames x patches x hidden_size", tokens, TOKENS


def _patch(values: dict[str, Any]) -> float:
    """The side of a patch in pixels; ViViT says it with its tubes of frames, rows and columns."""
    tube = values.get("tubelet_size")
    if isinstance(tube, list) and len(tube) == 3:
        return min(_number({"side": side}, "side") for side in tube[1:])
    return _number(values, "patch_size")


def _layers(values: dict[str, Any]) -> float:
    return sum(_number(values, key) for key in values if key.endswith("layers"))


def _number(values: dict[str, Any], key: str) -> float:
    """A size, 1 where there is none; of several the largest."""
    value = values.get(key)
    parts = value if isinstance(value, list) else [value]
    return max(
        [float(part) for part in parts if isinstance(part, int | float) and part >= 1], default=1
    )


def _together(config: DetectionConfig) -> Iterator[tuple[str, float, float]]:
    """What several keys make together."""
    extract, bmn = config.extract, config.bmn
    pixels = extract.batch_size * extract.frames * extract.short_side**2
    yield "extract.batch_size x frames x short_side²", pixels, PIXELS
    yield "extract.fps / stride", extract.fps / extract.stride, CLIPS_A_SECOND
    map_size = bmn.temporal_scale * bmn.duration_scale
    points = map_size * bmn.num_samples * bmn.samples_per_bin
    yield "bmn.temporal_scale x duration_scale x num_samples x samples_per_bin", points, POINTS
    cells = bmn.batch_size * map_size * max(bmn.hidden_2d, bmn.hidden_3d)
    yield "bmn.batch_size x temporal_scale x duration_scale x hidden_3d", cells, CELLS
    former = config.actionformer
    values = former.max_length * max(former.width, former.head_width or 0)
    yield "actionformer.max_length x width", values, VALUES
    reach = former.window if isinstance(former.window, tuple) else (former.window,)
    most = max(former.max_length if window <= 1 else window for window in reach)
    yield (
        "actionformer.max_length x window x heads",
        former.max_length * most * former.heads,
        ATTENDED,
    )
    step = bmn.window_step or bmn.duration_scale
    yield "bmn.temporal_scale / window_step", bmn.temporal_scale / step, OVERLAP
