"""Frames into clips: in order and let go of, or at asked moments, each frame the nearest."""

from __future__ import annotations

import weakref
from fractions import Fraction
from itertools import chain, islice

import av
import numpy as np
import pytest
import torch

from feature_extraction import ClipGrid, open_video
from feature_extraction.clips import AskedMoments, asked_clips, iter_clips
from feature_extraction.read_ahead import CLOSING, FrameThread
from feature_extraction.transforms import resize_short_side, to_tensor

GRID = ClipGrid(fps=10.0, frames=4, interval=2, stride=4)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("asked") / "video.mp4"
    rng = np.random.default_rng(0)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(15))
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for _ in range(60):
            image = rng.integers(0, 255, (4, 6, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return file


def test_frames_are_the_nearest_and_clamped_at_the_ends(path):
    centers = np.array([0.0, 0.77, 1.9, 3.95])
    asked = AskedMoments(GRID, centers)
    with FrameThread(path, asked, 32) as frames:
        found = dict(asked_clips(frames, asked))
    assert sorted(found) == [0, 1, 2, 3]
    with open_video(path) as reader:
        for number, times in enumerate(GRID.times_around(centers)):
            last = GRID.last_frame(4.0) / GRID.fps
            frames = to_tensor(reader.clip(np.where(times >= 4.0, last, times).clip(min=0)))
            assert torch.equal(found[number], resize_short_side(frames, 32))


def test_frames_no_longer_needed_are_let_go():
    """The window holds one clip's span however long the video: a day at 30 fps here."""
    grid, alive, most = ClipGrid(30, 8, 8, 16), [], 0

    def frames():
        nonlocal alive
        for number in grid.needed_frames():
            if number > 40_000:
                break
            frame = torch.full((3, 1, 1), number % 251, dtype=torch.uint8)
            alive.append(weakref.ref(frame))
            yield number, frame
            del frame
        yield CLOSING, torch.zeros(3, 1, 1, dtype=torch.uint8)

    for clip in iter_clips(frames(), grid, lambda: 40_001 / 30):
        assert clip.shape == (8, 3, 1, 1)
        alive = [reference for reference in alive if reference() is not None]
        most = max(most, len(alive))
    assert most <= 10


def test_clips_taken_in_pieces_are_those_taken_at_once():
    grid = ClipGrid(10, 4, 3, 5)
    numbers = [number for number in range(100) if number in set(islice(grid.needed_frames(), 200))]
    frames = [(k, torch.full((3, 2, 2), k, dtype=torch.uint8)) for k in numbers]
    frames.append((CLOSING, torch.full((3, 2, 2), 99, dtype=torch.uint8)))
    whole = list(iter_clips(iter(frames), grid, lambda: 10.0))
    clips = iter_clips(iter(frames), grid, lambda: 10.0)
    pieces = [list(islice(clips, size)) for size in (1, 7, 4, 30)]
    assert [len(piece) for piece in pieces] == [1, 7, 4, 8] and len(whole) == grid.num_clips(10.0)
    assert all(map(torch.equal, chain(*pieces), whole))


def test_an_asked_clip_comes_as_soon_as_it_is_complete():
    asked, drawn = AskedMoments(GRID, np.array([2.0, 0.5, 1.2])), []

    def frames():
        for number, seconds in asked.needed_times():
            drawn.append(seconds)
            yield number, torch.full((3, 1, 1), int(100 * seconds), dtype=torch.uint8)
        yield CLOSING, torch.zeros(3, 1, 1, dtype=torch.uint8)

    for place, (number, clip) in enumerate(asked_clips(frames(), asked)):
        times = GRID.times_around(asked.centers)[number]
        assert number == (1, 2, 0)[place] and drawn[-1] == times[-1]
        assert clip[:, 0, 0, 0].tolist() == [int(100 * t) for t in times.tolist()]
    assert drawn == sorted(drawn) and len(drawn) == 12
