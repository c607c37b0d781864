"""Colours converted in torch are those that FFmpeg gives, of every matrix and range."""

from __future__ import annotations

import platform

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import VideoReformatter

from feature_extraction.video.hardware.colours import FULL, nv12_to_rgb
from feature_extraction.video.hardware.file import turned

# FFmpeg's code for other processors than these rounds otherwise, by a level.
LEVELS = 0 if platform.machine() in {"x86_64", "AMD64"} else 1


def drawn(size, space, color_range):
    """A yuv420p frame of noise that uses all levels, also those outside the limited range."""
    frame = av.VideoFrame(*size, "yuv420p")
    rng = np.random.default_rng(space)
    for plane in frame.planes:
        view = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        view[:] = rng.integers(0, 256, view.shape)
    frame.colorspace, frame.color_range = space, color_range
    return frame


def rgb(frame):
    return VideoReformatter().reformat(frame, format="rgb24").to_ndarray()


@pytest.mark.parametrize("color_range", [0, 1, FULL])
@pytest.mark.parametrize("space", [1, 2, 4, 5, 6, 7, 9])
def test_they_are_those_of_the_software_path(space, color_range):
    for size in ((64, 48), (98, 66), (456, 256)):
        frame = drawn(size, space, color_range)
        planes = VideoReformatter().reformat(frame, format="nv12").planes
        luma, chroma = (torch.from_dlpack(plane) for plane in planes)
        found = nv12_to_rgb(luma, chroma, space=space, full=color_range == FULL)
        assert found.shape == (size[1], size[0], 3) and found.dtype == torch.uint8
        assert np.abs(found.numpy().astype(int) - rgb(frame)).max() <= LEVELS


def test_odd_sides_have_half_a_chroma_sample_more():
    luma = torch.full((5, 3), 128, dtype=torch.uint8)
    chroma = torch.full((3, 2, 2), 128, dtype=torch.uint8)
    assert nv12_to_rgb(luma, chroma, space=1, full=True).unique().tolist() == [128]


def test_interleaved_chroma_made_planes_is_converted_as_planes_are():
    frame = drawn((98, 66), 1, 1)
    interleaved = VideoReformatter().reformat(frame, format="nv12")
    back = VideoReformatter().reformat(interleaved, format="yuv420p")
    np.testing.assert_array_equal(rgb(back), rgb(frame))
    assert np.abs(rgb(interleaved).astype(int) - rgb(frame)).max() > 20, "why it is done"


@pytest.mark.parametrize("how", [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])
def test_pictures_are_turned_as_those_of_the_usual_reader(how):
    picture = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    expected = picture.swapaxes(0, 1) if how[0] else picture
    expected = expected[:: -1 if how[1] else 1, :: -1 if how[2] else 1]
    np.testing.assert_array_equal(turned(torch.from_numpy(picture), how).numpy(), expected)
