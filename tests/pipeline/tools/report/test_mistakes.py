"""Which mistakes are shown, and their frames: few of a video and of a class, small, and only what can be read."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest
from helpers.timelines import small_video
from PIL import Image

from checks.made_up import IOU, made_up_tables
from pipeline.tools.report.analysed import analysed
from pipeline.tools.report.mistakes import MOST, jpeg, mistakes_of, with_frames

VIDEOS = [f"v{k}" for k in range(12)]


@pytest.fixture(scope="module")
def found():
    truth, detections, _ = made_up_tables(VIDEOS)
    return analysed(truth, detections, IOU)


def test_the_worst_of_each_kind_of_many_videos_and_classes(found):
    mistakes = mistakes_of(found.truth, found.detections)
    wrong = [one for one in mistakes if one.word != "missed"]
    missed = [one for one in mistakes if one.word == "missed"]
    assert 0 < len(wrong) <= MOST and 0 < len(missed) <= MOST
    assert "right" not in {one.word for one in wrong}
    scores = [one.score for one in wrong if one.word != "twice"]
    assert scores == sorted(scores, reverse=True)
    errors = found.detections[~found.detections["word"].isin(("right", "twice"))]
    assert scores[0] == errors["score"].max()
    lengths = [one.end - one.start for one in missed]
    assert lengths == sorted(lengths, reverse=True) and all(one.score is None for one in missed)
    for some in (wrong, missed):
        assert max(Counter(one.video for one in some).values()) <= 2
        assert max(Counter(one.label for one in some).values()) <= 3


def test_frames_are_three_small_jpegs_of_the_segment(found, tmp_path):
    mistakes = mistakes_of(found.truth, found.detections)
    video = mistakes[0].video
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    other = next(one.video for one in mistakes if one.video != video)
    shown, failed = with_frames(mistakes, {video: small_video(tmp_path / "v.webm"), other: broken})
    assert failed == [other]
    for one in shown:
        assert len(one.frames) == (3 if one.video == video else 0)
        for frame in one.frames:
            assert Image.open(io.BytesIO(frame)).width <= 176 and len(frame) < 20_000


@pytest.mark.parametrize("size", [(1, 1), (1080, 1920), (4, 4000), (4000, 4)])
def test_a_frame_of_any_form_is_small(size):
    noise = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    assert len(jpeg(noise)) <= 40_000


def test_without_mistakes_there_are_none(found):
    truth = found.truth.assign(found_by=1.0)
    assert mistakes_of(truth, found.detections.assign(word="right")) == []
