"""How a video's features were made, as the attributes of its file say."""

from __future__ import annotations

import json
import numbers
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from feature_extraction.seal import Sealed

SCHEMA_VERSION = 1
WHOLE = "whole"  # the crop of a file that names none
# Attributes that a file may lack, and what they are then.
UNNAMED: Mapping[str, str | float] = {"crop": WHOLE, "source": "", "clip_shift": 0.0}
_SIGNED = ("clip_shift",)  # numbers that may be below zero
EXPECT_TOLERANCE = 1e-6  # relative, for fields that are not whole numbers


class FeatureFileError(ValueError):
    """A feature file that is missing, damaged, foreign or made with other settings."""


class UnreadableFileError(FeatureFileError):
    """A feature file that the system does not let be read: it may be whole, and stays."""


@dataclass(frozen=True)
class FeatureMeta:
    """How the features of a video were made.

    video: the id
    fps: frames per second that clips are counted in
    clip_frames: frames of a clip
    frame_interval: frames from one frame of a clip to the next
    clip_stride: frames from one clip to the next
    resize: shorter side of the frames in pixels
    source_duration: length of the video in seconds
    backbone: name of the network
    weights_digest: digest of its weights
    precision: "float32" or "bfloat16"
    crop: the network saw the `whole` frame or its `center` square
    source: digest of the video file, if it is known
    clip_shift: frames from the centre of its cell [i, i + 1) * clip_stride to the centre of clip i
    schema_version: version of the file's format
    """

    video: str
    fps: float
    clip_frames: int
    frame_interval: int
    clip_stride: int
    resize: int
    source_duration: float
    backbone: str
    weights_digest: str
    precision: str
    crop: str = WHOLE
    source: str = ""
    clip_shift: float = 0.0
    schema_version: int = SCHEMA_VERSION


class Outline(NamedTuple):
    """What a feature file is without its features: clips, channels, and how these were made."""

    clips: int
    channels: int
    meta: FeatureMeta


def description_of(outline: Outline) -> bytes:
    """An outline as it is in a file."""
    shape = {"clips": outline.clips, "channels": outline.channels}
    values = {name: kind(getattr(outline.meta, name)) for name, kind in _kinds().items()}
    return json.dumps(shape | values).encode()


def outline_of(path: str | os.PathLike[str], sealed: Sealed) -> Outline | None:
    """The outline that a file says; None of an older one, whose attributes say it. Raises FeatureFileError."""
    if sealed.description is None:
        return None
    try:
        values = json.loads(sealed.description)
        clips, channels = (int(values[name]) for name in ("clips", "channels"))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FeatureFileError(
            f"{path}: not a feature file (its attributes are too large)"
        ) from error
    if min(clips, channels) < 1 or 2 * clips * channels != sealed.size:
        raise FeatureFileError(f"{path}: not a feature file ({clips} x {channels} features)")
    return Outline(clips, channels, meta_of(path, values))


def meta_of(path: str | os.PathLike[str], attributes: Mapping[str, Any]) -> FeatureMeta:
    """How the attributes of a file say it was made, the schema version first. Raises FeatureFileError."""
    version = attributes.get("schema_version")
    if version is None:
        raise FeatureFileError(f"{path}: not a feature file (no attribute 'schema_version')")
    if version != SCHEMA_VERSION:
        raise FeatureFileError(
            f"{path}: schema version {version}, this program reads {SCHEMA_VERSION}; extract again"
        )
    values = {}
    for name in _kinds():
        value = attributes.get(name, UNNAMED.get(name))
        if isinstance(value, np.generic):
            value = value.item()
        values[name] = value
    check_meta(path, values)
    return FeatureMeta(**{name: kind(values[name]) for name, kind in _kinds().items()})


def check_meta(path: str | os.PathLike[str], values: Mapping[str, object]) -> None:
    """Raise FeatureFileError where a field is not of its kind, or a number below zero."""
    for name, kind in _kinds().items():
        value = values[name]
        allowed = {str: str, int: numbers.Integral, float: numbers.Real}[kind]
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise FeatureFileError(f"{path}: attribute '{name}' is {value!r}, not {kind.__name__}")
        if kind is str or (name in _SIGNED and np.isfinite(value)):
            continue
        if not (np.isfinite(value) and value >= 0):
            raise FeatureFileError(f"{path}: attribute '{name}' is {value!r}, must be >= 0")


def check_expected(
    path: str | os.PathLike[str], meta: FeatureMeta, expect: Mapping[str, object]
) -> None:
    """Raise FeatureFileError where fields are not those expected, naming each."""
    unknown = sorted(set(expect) - set(_kinds()))
    if unknown:
        raise FeatureFileError(f"no such feature attribute: {', '.join(unknown)}")
    stored = {name: getattr(meta, name) for name in expect}
    differing = [
        f"{name} is {stored[name]!r}, expected {value!r}"
        for name, value in expect.items()
        if not _agree(stored[name], value)
    ]
    if differing:
        raise FeatureFileError(
            f"{path}: made with different settings: {'; '.join(differing)}; extract again"
        )


def _agree(stored: object, expected: object) -> bool:
    if isinstance(stored, float) and isinstance(expected, (int, float)):
        return abs(stored - expected) <= EXPECT_TOLERANCE * max(abs(stored), abs(expected))
    return stored == expected


@cache
def _kinds() -> dict[str, type]:
    kinds = {"str": str, "float": float, "int": int}
    return {field.name: kinds[str(field.type)] for field in fields(FeatureMeta)}
