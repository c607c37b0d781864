"""Damaged videos: clips of their sound parts are as of the whole video, others are left out and counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.numbered_videos import encode, even_ticks

from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import DamagedVideoError, VideoError
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.clips.segments import Segments
from pipeline.data.clips.training import Clips, _collate, load_clips
from pipeline.data.clips.validation import CentredClips
from pipeline.data.videos.damage import (
    HINT,
    DamagedClipError,
    extraction_takes_parts,
    sound_clip,
    takes_parts,
    told,
    unread,
)
from pipeline.data.videos.left_out import LeftOut


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Ten seconds with the index in front and a key frame every second."""
    path = tmp_path_factory.mktemp("whole") / "v.mp4"
    return encode(path, even_ticks(300), container={"movflags": "faststart"}, g="30", bf="0")


@pytest.fixture(scope="module")
def cut(whole):
    """The same, of which the second half is missing."""
    path = whole.with_name("cut.mp4")
    content = whole.read_bytes()
    path.write_bytes(
        content[: content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2]
    )
    return path


def segments(path: Path, takes: bool | None) -> Segments:
    starts = np.array([0.5, 8.0])
    return Segments(
        ["v", "v"], starts, starts + 1.0, np.zeros((2, 1), int), {"v": path}, takes_parts=takes
    )


@pytest.fixture
def settings():
    return load_config(find_config("demo")).finetune


def test_clips_of_the_sound_part_are_those_of_the_whole_video(whole, cut, settings):
    for takes in (None, False, True):
        of_whole = Clips(segments(whole, takes), settings)[0, 0, None]
        of_cut = Clips(segments(cut, takes), settings)[0, 0, None]
        assert torch.equal(of_whole["clip"], of_cut["clip"])


@pytest.mark.parametrize("takes", [None, False, True])
def test_a_clip_in_what_is_missing_is_left_out(cut, settings, takes):
    sample = Clips(segments(cut, takes), settings)[0, 1, None]
    assert ("damaged" if takes else "error") in sample and "clip" not in sample
    said = sample.get("damaged") or sample["error"]
    assert said.endswith(HINT) is (takes is False)
    centred = CentredClips(segments(cut, takes), load_config(find_config("demo")))[1]
    assert ("damaged" if takes else "error") in centred


def test_what_is_left_out_is_counted_and_recorded_and_fails_only_where_it_may(
    cut, settings, capsys
):
    """Batches are the same ones whether it is allowed or not; only what is reported and recorded differs."""
    plan = [[(0, 0, None), (0, 1, None)], [(1, 1, None)]]
    allowed, failing = LeftOut("finetune"), LeftOut("finetune", allowed=1)
    kept = list(load_clips(Clips(segments(cut, True), settings), _collate, plan, allowed, 0))
    other = list(load_clips(Clips(segments(cut, False), settings), _collate, plan, failing, 0))
    assert [batch["names"] for batch in kept] == [batch["names"] for batch in other] == [["v"], []]
    assert torch.equal(kept[0]["clip"], other[0]["clip"])
    assert not allowed.reasons and allowed.parts == {"v": 2} and failing.reasons.keys() == {"v"}
    assert (
        allowed.summary()["clips_left_out"] == {"v": 2}
        and "clips_left_out" not in failing.summary()
    )
    allowed.merge_parts([{"v": 2}, {"v": 1, "w": 1}])
    allowed.say_parts()
    said = capsys.readouterr().err
    assert "video v is used in part" in said
    assert "finetune: 4 clips of 2 damaged videos were left out: v, w" in said


def test_a_clip_is_sound_where_no_time_lies_in_a_damaged_span(whole, cut):
    times = [1.0, 1.2, 1.4]
    with open_video(whole) as one, open_video(cut, allow_partial=True) as other:
        assert np.array_equal(sound_clip(one, times), sound_clip(other, times))
        with pytest.raises(DamagedClipError, match=r"cut\.mp4: does not decode, or is missing"):
            sound_clip(other, [4.0, 9.0])


def test_damage_within_a_video_costs_the_clips_in_it_alone(whole, tmp_path):
    """Also where a clip is read from the start: a transport stream is not sought in."""
    path = encode(tmp_path / "v.ts", even_ticks(300), g="30", bf="0")
    content = path.read_bytes()
    places = range(0, len(content), 188)
    pictures = [p for p in places if content[p + 1] & 31 == 1 and content[p + 2] == 0]
    middle = len(pictures) // 2 + 8
    gone = pictures[middle : middle + 2]
    path.write_bytes(b"".join(content[p : p + 188] for p in places if p not in gone))
    lost = []
    for start in np.arange(0.2, 9.5, 0.5):
        with open_video(path, allow_partial=True) as reader:
            try:
                sound_clip(reader, [start, start + 0.1])
            except DamagedClipError:
                lost.append(start)
    assert 1 <= len(lost) <= 3


def test_the_key_is_named_only_where_it_would_help():
    damaged, other = DamagedVideoError("v: breaks off"), VideoError("v: has no video stream")
    assert told(damaged, False) == f"v: breaks off{HINT}"
    assert told(damaged, None) == told(damaged, True) == "v: breaks off"
    assert told(other, False) == str(other)
    assert unread(damaged, True) == {"damaged": "v: breaks off"}
    assert unread(damaged, None) == {"error": "v: breaks off"}
    assert unread(other, True) == {"error": str(other)}
    config = load_config(find_config("demo"))
    assert takes_parts(config) is False and extraction_takes_parts(config.detection()) is False
    assert takes_parts(config.model_copy(update={"extract": None})) is None
    extract = config.detection().extract.model_copy(update={"decoder": "decord"})
    assert (
        extraction_takes_parts(config.detection().model_copy(update={"extract": extract})) is None
    )
