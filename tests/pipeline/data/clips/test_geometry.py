"""What the network is shown: sizes and frames of each view, and where training's and extraction's agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_extraction.transforms import resize_short_side
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.clips.geometry import (
    EXTRACT,
    agree,
    centred_clips,
    clip_grid,
    extraction_view,
    training_crop,
    validation_view,
)

SAME = {
    "finetune.fps": 10, "finetune.frames": 4, "finetune.interval": 2, "finetune.crop": "whole",
    "finetune.short_side": [32, 36], "finetune.eval_short_side": 32, "extract.fps": 10,
    "extract.frames": 4, "extract.interval": 2, "extract.stride": 4, "extract.short_side": 32,
}  # fmt: skip


def config(**more):
    fields = {key.replace("_", ".", 1): value for key, value in more.items()}
    return load_config(find_config("demo"), SAME | fields)


@pytest.mark.parametrize("size", [(40, 60), (60, 40), (41, 67), (32, 32)])
def test_views_are_the_whole_frame_or_its_central_square(size):
    frames = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    whole, square = config(), config(finetune_crop=24, extract_crop="center")
    resized = resize_short_side(frames, 32)
    assert torch.equal(extraction_view(whole.extract)(frames), resized)
    assert torch.equal(validation_view(whole.finetune)(frames), resized)
    for view, side in (
        (extraction_view(square.extract), 32), (validation_view(square.finetune), 24)
    ):  # fmt: skip
        height, width = resized.shape[-2:]
        top, left = round((height - side) / 2), round((width - side) / 2)
        cut = resized[..., top : top + side, left : left + side]
        assert torch.equal(view(frames), cut)
    assert (training_crop(whole.finetune), training_crop(square.finetune)) == (None, 24)


@pytest.mark.parametrize(
    ("more", "same"),
    [
        ({}, True),
        ({"finetune_crop": 32, "extract_crop": "center"}, True),
        ({"finetune_crop": 32}, False),
        ({"extract_crop": "center"}, False),
        ({"finetune_crop": 30, "extract_crop": "center"}, False),
        ({"finetune_eval_short_side": 34}, False),
        ({"extract_short_side": 34}, False),
        ({"finetune_fps": 12}, False),
        ({"extract_frames": 8}, False),
        ({"extract_interval": 4}, False),
        ({"extract_stride": 6}, True),
        ({"extract_stride": 5}, False),
        ({"finetune_sampling": "segments"}, False),
        ({"finetune_short_segments": "inside"}, False),
        ({"finetune_short_side": [40, 50], "finetune_flip": 0.5}, True),
    ],
)
def test_they_agree_where_sizes_and_frames_do(more, same):
    chosen = config(**more)
    assert agree(chosen.finetune, chosen.extract) is same
    views = [view for view, _ in centred_clips(chosen, 1.0, 2.0, 30.0)]
    expected = [validation_view(chosen.finetune), extraction_view(chosen.extract)]
    assert views == (expected[:1] if same else expected)
    assert [view.prefix for view in expected] == ["", EXTRACT]


@settings(deadline=None, max_examples=50)
@given(
    st.floats(0, 50), st.floats(0, 9), st.sampled_from([(2, 4), (1, 3), (3, 5)]), st.integers(1, 9)
)
def test_where_they_agree_the_frames_are_extractions(start, length, clip, stride):
    """Of segments longer and shorter than a clip (0.6 s or so)."""
    interval, frames = clip
    more = {f"{section}_interval": interval for section in ("finetune", "extract")}
    more |= {f"{section}_frames": frames for section in ("finetune", "extract")}
    chosen = config(extract_stride=stride, **more)
    middle = np.array([start + length / 2])
    around = clip_grid(chosen.extract).times_around(middle)[0]
    (_, own), *others = centred_clips(chosen, start, start + length, 30.0)
    if agree(chosen.finetune, chosen.extract):
        assert not others
        np.testing.assert_allclose(own, around, atol=1e-9)
    else:
        # Half a frame apart, which is why it takes a second look.
        np.testing.assert_allclose(own - around, 0.05, atol=1e-9)
        np.testing.assert_allclose(others[0][1], around, atol=1e-9)


def test_a_classifier_alone_is_not_looked_at_as_extraction():
    alone = load_config(find_config("k400"), {})
    assert alone.extract is None
    assert [view.prefix for view, _ in centred_clips(alone, 0.0, 10.0, 30.0)] == [""]
