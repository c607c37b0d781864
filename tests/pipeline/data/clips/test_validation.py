"""The clips validation looks at: all views of one pass, stacked by shape, read here or elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.seen_videos import FPS, SECONDS, SIZES, SMALL, draw, segments_of

from feature_extraction.clips import AskedMoments, asked_clips
from feature_extraction.read_ahead import FrameThread
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.clips.geometry import agree, clip_grid, extraction_view
from pipeline.data.clips.validation import CentredClips, evaluation_batches
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError

# Fine-tuning's clips are others than extraction's.
FIELDS = SMALL | {"finetune.fps": 12, "finetune.batch_size": 5, "extract.frames": 3}


@pytest.fixture(scope="module")
def segments(tmp_path_factory):
    centers = np.linspace(0.2, 5.8, 13)
    return segments_of(draw(tmp_path_factory.mktemp("seen")), centers, np.full(13, 0.3), 3)


@pytest.fixture(scope="module")
def config():
    return load_config(find_config("demo"), FIELDS)


def batches(segments, config, workers=0, allowed=0):
    return list(
        evaluation_batches(
            segments, config, LeftOut("test", allowed=allowed, at_once=True), workers=workers
        )
    )


def unstacked(found):
    """The clips of each view in order, whatever the stacks."""
    clips = {"": [], "extract_": []}
    for batch in found:
        for prefix, stacks in batch["views"].items():
            placed = {
                place: clip
                for rows, stack in stacks
                for place, clip in zip(rows, stack, strict=True)
            }
            assert sorted(placed) == list(range(len(batch["names"])))
            clips[prefix] += [placed[place] for place in range(len(placed))]
    return clips


def test_each_view_has_the_clips_of_its_own_reader(segments, config):
    """Extraction's view is that of clips asked for at the segments' middles."""
    grid, view = clip_grid(config.extract), extraction_view(config.extract)
    for number, video in enumerate(segments.videos):
        found = CentredClips(segments, config)[number]
        middle = np.array([(segments.starts[number] + segments.ends[number]) / 2])
        asked = AskedMoments(grid, middle)
        with FrameThread(segments.paths[video], asked, view.short_side, crop=view.crop) as frames:
            ((_, clip),) = asked_clips(frames, asked)
        assert torch.equal(found["clips"]["extract_"], clip)
        assert found["clips"][""].shape == (4, 3, 24, 24)
        assert found["target"] == segments.targets[number]


@pytest.mark.parametrize("crop", ["24", "whole"])
@pytest.mark.parametrize("rate", [10, 15, 25])
def test_beyond_both_ends_they_are_extractions_too(rate, crop, tmp_path):
    """Extraction's last frame is the last of its own 10 per second, whatever the video has."""
    fields = FIELDS | {"finetune.crop": int(crop) if crop == "24" else crop}
    fields |= {"finetune.fps": 10, "finetune.frames": 4, "extract.frames": 4}
    config = load_config(find_config("demo"), fields)
    assert agree(config.finetune, config.extract) == (crop == "whole")
    end = FPS * SECONDS / rate
    centers = np.concatenate([np.linspace(0.05, 0.4, 8), end - np.linspace(0.05, 0.5, 16)])
    segments = segments_of(draw(tmp_path, rate), centers, np.full(24, 0.02), 3)
    grid = clip_grid(config.extract)
    for number, video in enumerate(segments.videos):
        found = CentredClips(segments, config)[number]["clips"]
        asked = AskedMoments(grid, centers[number : number + 1])
        with FrameThread(segments.paths[video], asked, 32) as frames:
            ((_, clip),) = asked_clips(frames, asked)
        assert torch.equal(found["" if crop == "whole" else "extract_"], clip)


def test_a_batch_has_a_stack_a_shape(segments, config):
    found = batches(segments, config)
    assert [batch["names"] for batch in found] == [segments.videos[i : i + 5] for i in (0, 5, 10)]
    for batch in found:
        assert len(batch["views"][""]) == 1  # squares, all of one size
        shapes = {stack.shape[-2:] for _, stack in batch["views"]["extract_"]}
        assert len(shapes) == len(batch["views"]["extract_"]) == len(set(batch["names"]))
    shapes = {clip.shape[-2:] for clip in unstacked(found)["extract_"]}
    assert len(shapes) == len(SIZES)


def test_reading_processes_and_other_batches_give_the_same(segments, config):
    alone = unstacked(batches(segments, config))
    settings = config.finetune.model_copy(update={"batch_size": 3})
    for other in (
        batches(segments, config, workers=2),
        batches(segments, config.model_copy(update={"finetune": settings})),
    ):
        clips = unstacked(other)
        for prefix, expected in alone.items():
            assert len(clips[prefix]) == len(expected)
            assert all(map(torch.equal, clips[prefix], expected))


def test_a_video_that_cannot_be_read_is_left_out_and_counted(segments, config, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    paths = dict(segments.paths) | {"wide": tmp_path / "bad.mp4"}
    broken = type(segments)(
        segments.videos, segments.starts, segments.ends, segments.targets, paths
    )
    found = batches(broken, config, allowed=1)
    names = [name for batch in found for name in batch["names"]]
    assert names == [video for video in segments.videos if video != "wide"]
    assert len(unstacked(found)["extract_"]) == len(names)
    with pytest.raises(UserError, match="video wide"):
        batches(broken, config)
