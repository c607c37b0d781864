"""Files that are not whole, and what is odd in whole ones: one clear line, nothing half read."""

from __future__ import annotations

from fractions import Fraction
from itertools import count

import av
import numpy as np
import pytest
from helpers.numbered_videos import (
    decode_all,
    encode,
    even_ticks,
    read_number,
    read_to_end,
)
from helpers.sound_and_picture import write

from feature_extraction.video.opening import open_video, probe
from feature_extraction.video.reader import VideoError


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """300 frames with the index in front, as a download that breaks off has it."""
    path = tmp_path_factory.mktemp("whole") / "whole.mp4"
    front = {"movflags": "faststart"}
    return encode(path, even_ticks(300), container=front, bf="2", g="50")


@pytest.mark.parametrize("share", [0.4, 0.6, 0.95])
def test_broken_off_with_the_index_in_front(share, whole, tmp_path):
    """PyAV decodes what is there without an error; the reader says how much is missing."""
    content = whole.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(VideoError, match=r"of 10\.00 s exist, .* s are missing"):
        read_to_end(path)
    with pytest.raises(VideoError, match="are missing"):
        probe(path, exact=True)
    frames, end = read_to_end(path, allow_partial=True)
    assert 0 < frames < 300 and end == pytest.approx(frames / 30, abs=0.05)
    with open_video(path) as reader:
        assert reader.clip([0.1, 0.2]).shape == (2, 64, 96, 3)
        with pytest.raises(VideoError, match="are missing"):
            reader.clip([9.5])


def test_times_after_a_break_are_never_answered_by_the_last_frame_there_is(whole, tmp_path):
    """Wherever it breaks off: at some points the decoder shows the last frame before it is flushed."""
    content = whole.read_bytes()
    path = tmp_path / "cut.mp4"
    for share in np.linspace(0.55, 0.65, 80):
        path.write_bytes(content[: int(len(content) * share)])
        with open_video(path) as reader, pytest.raises(VideoError, match="are missing"):
            reader.clip([9.5])
        with open_video(path, allow_partial=True) as reader:
            reader.clip([9.5])


def test_broken_off_before_the_first_frame(whole, tmp_path):
    content = whole.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(content[: content.index(b"mdat") + 40])
    for partial in (False, True):
        with pytest.raises(VideoError, match=r"missing|no frame"):
            open_video(path, allow_partial=partial)


@pytest.mark.parametrize("name", ["variable.mkv", "mpeg4.avi"])
def test_broken_off_in_other_containers(name, videos, tmp_path):
    path = tmp_path / name
    content = videos[name][0].read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(VideoError, match="is truncated"):
        read_to_end(path)


def test_damaged_in_the_middle(whole, tmp_path):
    content = bytearray(whole.read_bytes())
    middle = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2
    content[middle : middle + 1500] = np.random.default_rng(0).bytes(1500)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match="does not decode"):
        read_to_end(path)
    frames, _ = read_to_end(path, allow_partial=True)
    assert frames == 300


def test_mirrored_and_rotated_display(videos, tmp_path):
    """Orient as the file says: checked against the pixel maps of turning and mirroring."""
    path = videos["constant.mp4"][0]
    _, frames = decode_all(path)
    ways = {
        (90, False): lambda f: np.rot90(f),
        (180, False): lambda f: np.rot90(f, 2),
        (-90, False): lambda f: np.rot90(f, -1),
        (0, True): lambda f: f[:, ::-1],
    }
    for (angle, mirrored), expected in ways.items():
        turned = tmp_path / f"turned{angle}{mirrored}.mp4"
        with av.open(str(path)) as source, av.open(str(turned), "w") as out:
            stream = out.add_stream_from_template(source.streams.video[0])
            if not hasattr(stream, "set_display_rotation"):
                pytest.skip("this PyAV cannot write a rotation")
            stream.set_display_rotation(angle, mirrored)
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
        with open_video(turned) as reader:
            clip = reader.clip([0.0, 1.0])
            assert (reader.info.height, reader.info.width) == clip.shape[1:3]
        assert np.array_equal(clip[1], expected(frames[30]))


def test_a_size_that_changes_on_the_way(tmp_path):
    """As recorded television has it: all frames come in the size of the first."""
    ticks = even_ticks(30)
    parts = [
        encode(tmp_path / f"{shift}.ts", ticks, bf="0", g="15", shift=shift, size=size)
        for shift, size in ((0, (96, 64)), (90000, (192, 128)))
    ]
    path = tmp_path / "both.ts"
    with av.open(str(path), "w") as out, av.open(str(parts[0])) as template:
        stream = out.add_stream_from_template(template.streams.video[0])
        for part in parts:
            with av.open(str(part)) as file:
                for packet in file.demux(video=0):
                    if packet.dts is not None:
                        packet.stream = stream
                        out.mux(packet)
    with open_video(path) as reader:
        found = [frame for _, frame in reader.frames_at(k / 30 for k in range(60))]
        assert len(found) == 60 and {frame.shape for frame in found} == {(64, 96, 3)}
        assert [read_number(frame) for frame in found[:30]] == list(range(30))
        large, small = found[40].astype(float), found[10].astype(float)
        assert np.abs(large[40:] - small[40:]).mean() > 1  # another picture, scaled


def test_times_that_run_back_are_refused(tmp_path):
    """Two recordings joined without a thought: the second starts at 0 again."""
    one = encode(tmp_path / "one.ts", even_ticks(60), shift=900000, bf="0")
    two = encode(tmp_path / "two.ts", even_ticks(60), bf="0")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    with open_video(joined) as reader, pytest.raises(VideoError, match="run back"):
        list(reader.frames_at(count()))


def test_times_that_leap_ahead_are_refused(tmp_path):
    """Otherwise one damaged time stamp would mean millions of equal frames."""
    ticks = [0, 3000, 6000, 10**10, 10**10 + 3000]
    path = encode(tmp_path / "leap.mkv", ticks, bf="0")
    with open_video(path, allow_partial=True) as reader, pytest.raises(VideoError, match="jump"):
        list(reader.frames_at((k / 60 for k in count()), final_fps=60))


def test_pixels_that_are_not_square_stay_as_they_are_stored(tmp_path):
    """Stretching them would make up pixels; fine-tuning and extraction see the same either way."""
    plain = encode(tmp_path / "plain.mp4", even_ticks(30))
    path = tmp_path / "v.mp4"
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        stream.sample_aspect_ratio = Fraction(16, 11)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    with av.open(str(path)) as file:
        assert file.streams.video[0].sample_aspect_ratio == Fraction(16, 11)
    with open_video(path) as reader, open_video(plain) as other:
        assert (reader.info.width, reader.info.height) == (96, 64)
        times = np.arange(30) / 30
        assert np.array_equal(reader.clip(times), other.clip(times))


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.ts"])
def test_sound_that_starts_before_the_pictures_moves_nothing(name, tmp_path):
    path = write(tmp_path / name, "libx264", "aac", late=0.5)
    with av.open(str(path)) as file:
        starts = {s.type: float(s.start_time * s.time_base) for s in file.streams if s.start_time}
        assert starts["video"] - starts.get("audio", 0.0) > 0.4
    with open_video(path) as reader:
        assert [
            read_number(frame) for _, frame in reader.frames_at(k / 30 for k in range(90))
        ] == list(range(90))
        assert reader.end_time is None or reader.end_time == pytest.approx(3.0, abs=0.01)
        assert read_number(reader.clip([1.0])[0]) == 30
    assert probe(path).duration == pytest.approx(3.0, abs=0.05)
