"""Frames by presentation time, on videos whose frames carry their number."""

from __future__ import annotations

import os
from fractions import Fraction
from itertools import count, islice

import av
import numpy as np
import pytest

from feature_extraction.video import pyav_passes as passes
from feature_extraction.video.opening import VideoError, open_video, probe

NAMES = [
    "constant.mp4",
    "b_frames.mp4",
    "b_pyramid_open_gop.mp4",
    "variable.mp4",
    "variable.mkv",
    "late_start.mp4",
    "late_start.mkv",
    "late_start.ts",
    "cut_by_edit_list.mp4",
    "odd_size.mp4",
    "fragmented.mp4",
    "mpeg4.avi",
    "hevc.mp4",
    "vp9.webm",
    "one_frame.mp4",
]
PLANNED = [name for name in NAMES if not name.endswith((".ts", ".avi"))]


@pytest.fixture(scope="module")
def decoded(videos, frames_kit):
    """Name -> (times, frames) of a full sequential decode, made once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = frames_kit.decode_all(videos[name][0])
        return made[name]

    return get


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fps", [60, 30, 7.3, 1.1])
def test_frames_are_the_nearest_in_time(name, fps, videos, decoded, frames_kit):
    path, shown = videos[name]
    times, frames = decoded(name)
    cut = len(shown) - len(frames)  # what an edit list takes away
    with open_video(path) as reader:
        found = list(reader.frames_at((k / fps for k in count()), final_fps=fps))
        end = reader.end_time
    assert end > times[-1]
    expected = [k for k in range(1000) if k / fps < end - 1e-6]
    assert [index for index, _ in found] == [*expected, -1]
    for index, frame in found:
        place = frames_kit.nearest(times, (expected[-1] if index < 0 else index) / fps)
        assert frame.dtype == np.uint8 and np.array_equal(frame, frames[place])
        assert frames_kit.read_number(frame) == place + cut


@pytest.mark.parametrize("name", NAMES)
def test_clip_equals_the_sequential_pass(name, videos, decoded, frames_kit):
    times, frames = decoded(name)
    rng = np.random.default_rng(3)
    with open_video(videos[name][0]) as reader:
        for start in [-0.2, 0.0, *rng.uniform(0, times[-1] + 0.3, 6)]:
            wanted = start + np.arange(6) * rng.choice([1 / 60, 1 / 8])
            rng.shuffle(wanted)
            clip = reader.clip(wanted)
            for picture, time in zip(clip, wanted, strict=True):
                place = frames_kit.nearest(times, time)
                assert np.array_equal(picture, frames[place]), (time, place)


@pytest.mark.parametrize("name", PLANNED)
def test_planned_and_plain_passes_agree(name, videos):
    def run(plannable):
        with open_video(videos[name][0]) as reader:
            reader._plannable = plannable
            times = np.arange(0, 9, 8 / 60)
            found = list(reader.frames_at(times, final_fps=60))
            assert reader._plannable is plannable  # a plan was not given up
            return found, reader.end_time

    (planned, end), (plain, plain_end) = run(True), run(False)
    assert end == pytest.approx(plain_end, abs=1e-9)
    assert [index for index, _ in planned] == [index for index, _ in plain]
    for (_, one), (_, other) in zip(planned, plain, strict=True):
        assert np.array_equal(one, other)


def test_frames_nobody_needs_are_not_decoded(videos, monkeypatch):
    decoded = []
    decode = passes.VideoFile.decode

    def counting(self, item, *, needed=True):
        frames = decode(self, item, needed=needed)
        decoded.extend(frames)
        return frames

    monkeypatch.setattr(passes.VideoFile, "decode", counting)
    with open_video(videos["b_frames.mp4"][0]) as reader:
        assert len(list(reader.frames_at(np.arange(0, 3, 0.4)))) == 8
    assert len(decoded) < 50  # of 90; three in four are B-frames


def test_a_decoder_that_drops_a_wanted_frame_is_noticed(videos, decoded, monkeypatch):
    """The plan is given up in the middle, and the rest comes from a plain pass."""
    monkeypatch.setattr(passes.VideoFile, "decode", _dropping_once(passes.VideoFile.decode))
    times, frames = decoded("b_frames.mp4")
    with open_video(videos["b_frames.mp4"][0]) as reader:
        found = list(reader.frames_at(iter(times)))
        assert not reader._plannable
        clip = reader.clip(times[10:60:7])
    assert [index for index, _ in found] == list(range(90))
    assert all(np.array_equal(frame, frames[index]) for index, frame in found)
    assert np.array_equal(clip, np.stack(frames[10:60:7]))


def _dropping_once(decode):
    """Drop the frame at 1.5 s the first time it comes."""
    dropped = []

    def faulty(self, item, *, needed=True):
        frames = decode(self, item, needed=needed)
        kept = [frame for frame in frames if abs(self.seconds(frame.pts) - 1.5) > 1e-3]
        if len(kept) < len(frames) and not dropped:
            dropped.append(True)
            return kept
        return frames

    return faulty


def test_equal_frames_are_one_array_and_the_pass_can_stop_early(videos):
    with open_video(videos["constant.mp4"][0]) as reader:
        found = [frame for _, frame in reader.frames_at([0.5, 0.5, 0.501, 0.7])]
        assert found[0] is found[1] is found[2] and found[2] is not found[3]
        assert reader.end_time is None  # the end was not looked at
        assert [index for index, _ in reader.frames_at([2.99, 2.9999, 3.0, 99.0])] == [0, 1]
        assert reader.end_time == pytest.approx(3.0)
        with pytest.raises(ValueError, match="ascend"):
            list(reader.frames_at([1.0, 0.5]))
        assert list(reader.frames_at([])) == []


def test_passes_and_clips_of_one_reader_do_not_disturb_each_other(videos, decoded):
    times, frames = decoded("b_frames.mp4")
    with open_video(videos["b_frames.mp4"][0]) as reader:
        one, other = reader.frames_at(times), reader.frames_at(times)
        for number in range(30):
            assert np.array_equal(next(one)[1], frames[number])
            assert np.array_equal(next(other)[1], frames[number])
            if number % 10 == 0:
                assert np.array_equal(reader.clip([2.0])[0], frames[60])


def test_a_closed_reader_gives_nothing(videos):
    path = videos["b_frames.mp4"][0]
    with open_video(path) as reader:
        going = reader.frames_at(count())
        next(going)
    with pytest.raises(VideoError, match="closed"):
        next(going)
    with pytest.raises(VideoError, match="closed"):
        reader.clip([0.0])
    with pytest.raises(VideoError, match="closed"):
        list(reader.frames_at([0.0]))


def test_readers_leave_no_file_open(videos, tmp_path):
    def held():
        links = [f"/proc/self/fd/{entry}" for entry in os.listdir("/proc/self/fd")]
        return [os.readlink(link) for link in links if os.path.exists(link)]

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc here")
    path = videos["b_frames.mp4"][0]
    with open_video(path) as reader:
        list(islice(reader.frames_at(count()), 2))
        reader.clip([1.0, 2.0])
    assert str(path) not in held()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(VideoError):
        open_video(broken)
    assert str(broken) not in held()


@pytest.mark.parametrize("threads", [0, 2])
def test_threads_do_not_change_the_frames(threads, videos, decoded):
    times, frames = decoded("b_frames.mp4")
    with open_video(videos["b_frames.mp4"][0], threads=threads) as reader:
        for index, frame in reader.frames_at(times):
            assert np.array_equal(frame, frames[index])


def test_probe(videos):
    info = probe(videos["odd_size.mp4"][0])
    assert (info.width, info.height, info.decoder) == (97, 65, "pyav")
    assert info.fps == pytest.approx(30) and info.duration == pytest.approx(3.0)
    for name in NAMES:
        path, shown = videos[name]
        last = 2.0 if name.startswith("cut") else shown[-1]
        assert abs(probe(path, exact=True).duration - last) < 0.2
        assert abs(probe(path).duration - last) < 0.2


def test_mirrored_and_rotated_display(videos, frames_kit, tmp_path):
    """Orient as the file says: checked against the pixel maps of turning and mirroring."""
    path = videos["constant.mp4"][0]
    _, frames = frames_kit.decode_all(path)
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


def test_a_size_that_changes_on_the_way(frames_kit, tmp_path):
    """As recorded television has it: all frames come in the size of the first."""
    ticks = frames_kit.even_ticks(30)
    parts = [
        frames_kit.encode(tmp_path / f"{shift}.ts", ticks, bf="0", g="15", shift=shift, size=size)
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
        assert [frames_kit.read_number(frame) for frame in found[:30]] == list(range(30))
        large, small = found[40].astype(float), found[10].astype(float)
        assert np.abs(large[40:] - small[40:]).mean() > 1  # another picture, scaled


def test_times_that_run_back_are_refused(frames_kit, tmp_path):
    """Two recordings joined without a thought: the second starts at 0 again."""
    one = frames_kit.encode(tmp_path / "one.ts", frames_kit.even_ticks(60), shift=900000, bf="0")
    two = frames_kit.encode(tmp_path / "two.ts", frames_kit.even_ticks(60), bf="0")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    with open_video(joined) as reader, pytest.raises(VideoError, match="run back"):
        list(reader.frames_at(count()))


def test_times_that_leap_ahead_are_refused(frames_kit, tmp_path):
    """Otherwise one damaged time stamp would mean millions of equal frames."""
    ticks = [0, 3000, 6000, 10**10, 10**10 + 3000]
    path = frames_kit.encode(tmp_path / "leap.mkv", ticks, bf="0")
    with open_video(path, allow_partial=True) as reader, pytest.raises(VideoError, match="jump"):
        list(reader.frames_at((k / 60 for k in count()), final_fps=60))


def test_sound_longer_than_the_pictures_is_no_fault(tmp_path, frames_kit):
    path = tmp_path / "long_sound.flv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        sound = out.add_stream("aac", rate=44100, layout="stereo")
        for number in range(30):
            frame = av.VideoFrame(96, 64, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for number in range(172):
            silence = np.zeros((2, 1024), np.float32)
            piece = av.AudioFrame.from_ndarray(silence, format="fltp", layout="stereo")
            piece.sample_rate, piece.pts = 44100, number * 1024
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    assert probe(path).duration > 3
    assert probe(path, exact=True).duration == pytest.approx(1.0, abs=0.05)
