"""Segments shorter than a clip: frames around them, or inside alone, wherever clips are read."""

from __future__ import annotations

import numpy as np
import pytest

from feature_extraction.sampling import training_clip_times
from feature_extraction.video.opening import open_video
from pipeline.configuration.reading import find_config, load_config
from pipeline.configuration.settings import ViewsSettings
from pipeline.data.clips.geometry import interval_times
from pipeline.data.clips.segments import Segments
from pipeline.data.clips.training import Clips
from pipeline.data.clips.validation import CentredClips
from pipeline.data.clips.views import SegmentViews
from pipeline.demo.dataset import make_dataset

START, END = 3.02, 3.28


def config(short_segments):
    fields = {"crop": 32, "short_side": [32, 32], "eval_short_side": 32, "flip": 0.0}
    fields |= {"frames": 4, "interval": 8, "short_segments": short_segments}
    fields = {f"finetune.{key}": value for key, value in fields.items()}
    return load_config(find_config("demo"), fields)


def settings(short_segments):
    return config(short_segments).finetune


@pytest.fixture(scope="module")
def segments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_dataset(folder, train_videos=1, val_videos=1, seconds=8.0)
    path = next((folder / "videos").iterdir())
    one = np.array([START]), np.array([END]), np.zeros((1, 1), np.int64)
    return Segments([path.stem], *one, {path.stem: path})


def test_around_is_as_before_and_inside_repeats_the_first_and_last_frame():
    around = interval_times(settings("around"), START, END, 0.5, 15.0)
    options = {"fps": settings("around").fps, "frames": 4, "interval": 8}
    assert np.array_equal(around, training_clip_times(START, END, offset=0.5, **options))
    assert around[0] < START and around[-1] > END
    inside = interval_times(settings("inside"), START, END, 0.5, 15.0)
    assert inside[0] == START and inside[-1] == pytest.approx(END - 1 / 30)
    unknown = interval_times(settings("inside"), START, END, 0.5, 0.0)
    assert START <= unknown[0] and unknown[-1] < END


def test_a_long_segment_ends_inside_too():
    for offset in (0.0, 0.5, 1.0):
        around = interval_times(settings("around"), 1.0, 9.0, offset, 15.0)
        inside = interval_times(settings("inside"), 1.0, 9.0, offset, 15.0)
        assert np.array_equal(around[:-1], inside[:-1])
        assert inside[-1] == min(around[-1], 9.0 - 1 / 30)


def test_training_clips_hold_frames_of_the_segment(segments, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "pipeline.data.kept_readers.open_video",
        lambda *a, **k: Noting(open_video(*a, **k), asked),
    )
    Clips(segments, settings("inside"))[0, 0, None]
    Clips(segments, settings("around"))[0, 0, None]
    assert START <= asked[0].min() and asked[0].max() < END
    assert asked[1].min() < START and asked[1].max() > END


def test_validation_clips_hold_frames_of_the_segment(segments, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "pipeline.data.kept_readers.open_video",
        lambda *a, **k: Noting(open_video(*a, **k), asked),
    )
    CentredClips(segments, config("inside"))[0]
    CentredClips(segments, config("around"))[0]
    # The first four are fine-tuning's clip; what extraction will see follows, and does not change.
    assert START <= asked[0][:4].min() and asked[0][:4].max() < END
    assert asked[1][:4].min() < START and asked[1][:4].max() > END
    assert np.array_equal(asked[0][4:], asked[1][4:]) and len(asked[0]) > 4


def test_views_hold_frames_of_the_segment(segments, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "pipeline.data.kept_readers.open_video", lambda *a, **k: Noting(open_video(*a, **k), asked)
    )
    views = ViewsSettings(clips=2, crops=1, short_side=32)
    read = SegmentViews(segments, [settings("inside"), settings("around")], views, {})[0]
    assert [tuple(part.shape) for part in read["views"]] == [(2, 4, 3, 32, 32)] * 2
    assert START <= asked[0].min() and asked[0].max() < END
    assert asked[1].min() < START and asked[1].max() > END


class Noting:
    """A reader that notes the times it is asked for."""

    def __init__(self, reader, asked):
        self._reader, self._asked = reader, asked

    def clip(self, times):
        self._asked.append(np.asarray(times))
        return self._reader.clip(times)

    def __getattr__(self, name):
        return getattr(self._reader, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._reader.close()
