"""A rendered video is the original but for what is drawn: pictures, times, size, sound."""

from __future__ import annotations

import resource
import signal
from fractions import Fraction

import av
import numpy as np
import pytest
from helpers.films import (
    end_of,
    first_time,
    found_in,
    numbers_of,
    pictures_at,
    sound_of,
    times_of,
)
from helpers.numbered_videos import VIDEOS, draw_number, encode, even_ticks
from helpers.sound_and_picture import never_closed, write
from PIL import Image

from feature_extraction.video.frame_folder import FrameFolder
from feature_extraction.video.opening import probe
from feature_extraction.video.reader import VideoError
from pipeline.errors import UserError
from pipeline.writers.film import encoding
from pipeline.writers.rendering import render_video

SOME = ((0.5, 1.5, "pour", 0.9), (1.0, 2.0, "stir", 0.8))
SIZE = (96, 160)  # numbers of the upper 32 rows are above what is drawn


def rendered(tmp_path, source, *rows, **more):
    path = tmp_path / "rendered.mp4"
    render_video(found_in(source, *(rows or SOME), **more), path)
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".tmp"] == []
    return path


@pytest.mark.parametrize("name", VIDEOS)
def test_every_picture_is_there_at_its_own_time(name, tmp_path):
    ticks, options = VIDEOS[name]
    source = encode(tmp_path / name, ticks, **{"size": SIZE} | options)
    path = rendered(tmp_path, source)
    times, tick = times_of(source), float(options.get("tick", Fraction(1, 90000)))
    assert np.abs(times_of(path) - times).max() <= max(tick, 1e-3 if name.endswith("b") else 0)
    unsaid = 0.1 if av.__version__.startswith("15.") else 0.0  # it gives MP4's last length as 0
    assert end_of(path) == pytest.approx(end_of(source), abs=0.002 + unsaid)
    width, height = probe(source).width, probe(source).height
    assert (probe(path).width, probe(path).height) == (width + width % 2, height + height % 2)
    if height == SIZE[1]:
        assert numbers_of(path) == numbers_of(source)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # plays before all of it is there


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "ending", "options"),
    [
        ("libx264", "yuv420p", "mp4", {"qp": "0"}),
        ("libx264", "yuvj420p", "mp4", {"qp": "0"}),
        ("libx264", "yuv444p10le", "mkv", {"qp": "0"}),
        ("libx264", "yuv422p", "mp4", {"qp": "0"}),
        ("libx264", "gray", "mp4", {"qp": "0"}),
        ("libx264rgb", "rgb24", "mp4", {"qp": "0"}),
        ("ffv1", "gbrp10le", "mkv", {}),
        ("ffv1", "yuva420p", "mkv", {}),
        ("mjpeg", "yuvj422p", "avi", {"q:v": "2"}),
        ("gif", "rgb8", "gif", {}),
    ],
)
def test_what_is_not_drawn_on_is_the_original(codec, pix_fmt, ending, options, tmp_path):
    """Smooth colours: little is lost by the codec and by fewer samples of chroma."""
    source, (width, height) = tmp_path / f"source.{ending}", (128, 256)
    y, x = np.mgrid[:height, :width]
    with av.open(str(source), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.options = {"threads": "1", **options}
        for number in range(8):
            colours = np.stack([2 * x, y, 255 - x - y // 2 - 4 * number], axis=2)
            frame = av.VideoFrame.from_ndarray(colours.clip(0, 255).astype(np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path = rendered(tmp_path, source, (0.1, 0.6, "x" * 500, 0.9), duration=0.8)
    times = times_of(source)
    assert np.abs(times_of(path) - times).max() < 1e-3
    for one, other in zip(pictures_at(source, times), pictures_at(path, times), strict=True):
        difference = (one.astype(int) - other)[: height // 2]
        blocks = difference.reshape(height // 16, 8, width // 8, 8, 3).mean(
            (1, 3)
        )  # GIF is dithered
        assert np.abs(blocks).mean() < 2, pix_fmt
    assert np.abs(one.astype(int) - other)[-8:].mean() > 30  # the time line


@pytest.mark.parametrize("size", [(35, 23), (35, 24), (34, 23), (16, 16), (3, 1)])
def test_odd_and_tiny_sizes(size, tmp_path):
    source = tmp_path / "small.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv444p"
        for number in range(5):
            picture = np.full((*size[::-1], 3), 40 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    path = rendered(tmp_path, source, (0.0, 0.5, "a", 0.5), duration=0.5)
    assert (probe(path).width, probe(path).height) == tuple(side + side % 2 for side in size)
    assert len(times_of(path)) == 5


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "ac3", "libopus", "flac"])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_sound_that_mp4_takes_is_copied_bit_by_bit(codec, ending, tmp_path):
    if codec == "libopus":
        source = opus(tmp_path / f"source.{ending}")
    else:
        source = write(tmp_path / f"source.{ending}", "libx264", codec)
    path = rendered(tmp_path, source)
    was, now = sound_of(source), sound_of(path)
    assert was is not None and now is not None and was[0] == now[0]
    assert [packet for _, packet in was[1]] == [packet for _, packet in now[1]]
    shift = first_time(path) - first_time(source)
    assert max(abs(b - a - shift) for (a, _), (b, _) in zip(was[1], now[1], strict=True)) < 2e-3


def opus(path):
    """Opus is at 48000 samples per second alone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        sound = container.add_stream("libopus", rate=48000, layout="stereo")
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(draw_number(number, 96, 64), "rgb24")
            container.mux(video.encode(frame))
            noise = np.random.default_rng(number).normal(size=(2, 1600)).astype(np.float32) / 10
            piece = av.AudioFrame.from_ndarray(noise, format="fltp", layout="stereo")
            piece.sample_rate, piece.pts = 48000, 1600 * number
            piece.time_base = Fraction(1, 48000)
            container.mux(sound.encode(piece))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    return path


@pytest.mark.parametrize("late", [0.0, 1.0])
def test_sound_keeps_its_place_where_the_pictures_begin_later(late, tmp_path):
    source = write(tmp_path / "source.mp4", "libx264", "aac", seconds=3 + late, late=late)
    path = rendered(tmp_path, source)
    assert first_time(path) == pytest.approx(late, abs=1e-3)
    assert first_time(path) == pytest.approx(first_time(source), abs=1e-3)
    was, now = sound_of(source), sound_of(path)
    assert now == was


def test_sound_of_a_transport_stream_is_copied_without_its_frame_heads(tmp_path):
    source = write(tmp_path / "source.ts", "libx264", "aac")
    path = rendered(tmp_path, source)
    was, now = sound_of(source), sound_of(path)
    assert [packet[7:] for _, packet in was[1]] == [packet for _, packet in now[1]]
    offset = (now[1][0][0] - first_time(path)) - (was[1][0][0] - first_time(source))
    assert abs(offset) < 2e-3


def test_longer_sound_is_kept_to_its_end(tmp_path):
    source = write(tmp_path / "source.mp4", "libx264", "aac", frames=30, seconds=3.0)
    path = rendered(tmp_path, source, duration=1.0)
    assert len(times_of(path)) == 30
    assert sound_of(path) == sound_of(source)


def test_one_picture_and_a_late_start(tmp_path):
    source = encode(tmp_path / "late.mkv", [0], shift=5 * 90000)
    path = rendered(tmp_path, source, (0.0, 1.0, "a", 0.5), duration=0.03)
    assert len(times_of(path)) == 1
    assert first_time(path) == 0


def test_a_folder_of_frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(25):
        picture = Image.fromarray(draw_number(number, *SIZE))
        picture.save(folder / f"img_{number:05d}.jpg", quality=95)
    path = rendered(tmp_path, folder, duration=25 / 12.5)
    assert numbers_of(path) == list(range(25))
    assert times_of(path) == pytest.approx(np.arange(25) / 12.5, abs=1e-4)
    stated = tmp_path / "stated.mp4"
    render_video(found_in(folder, *SOME), stated, source=FrameFolder(folder, (50.0,)))
    assert times_of(stated) == pytest.approx(np.arange(25) / 50, abs=1e-4)
    with pytest.raises(VideoError, match="frames per second"):
        render_video(found_in(folder, *SOME, duration=float("nan")), stated)


def test_a_damaged_video_is_written_as_far_as_it_decodes(tmp_path, capsys):
    source = encode(tmp_path / "cut.mkv", even_ticks(90), g="30", size=SIZE)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    path = rendered(tmp_path, source)
    said = capsys.readouterr().err
    assert said.startswith("v: ") and "do not decode or are missing" in said
    assert 10 < len(times_of(path)) < 80
    path.unlink()
    rendered(tmp_path, never_closed(tmp_path / "open.avi"))
    assert capsys.readouterr().err == ""


def test_no_detection_at_all(tmp_path):
    source = encode(tmp_path / "a.mp4", even_ticks(10), size=SIZE)
    path = tmp_path / "rendered.mp4"
    seen = []
    render_video(found_in(source, duration=1 / 3), path, progress=seen.append)
    assert len(times_of(path)) == 10
    assert seen == pytest.approx((np.arange(10) + 1) / 30, abs=1e-4)


def test_without_h264_it_is_mpeg4(tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "CODECS", ("mpeg4",))
    source = encode(tmp_path / "a.mp4", VIDEOS["variable.mp4"][0], size=SIZE)
    path = rendered(tmp_path, source)
    assert times_of(path) == pytest.approx(times_of(source), abs=1 / 60000)
    assert numbers_of(path) == list(range(90))


def test_what_cannot_be_read_or_written_is_said_in_one_line(tmp_path):
    source = encode(tmp_path / "a.mp4", even_ticks(90), size=SIZE)
    with pytest.raises(VideoError, match="no such video"):
        render_video(found_in(tmp_path / "none.mp4", *SOME), tmp_path / "b.mp4")
    with pytest.raises(UserError, match="a.mp4"):
        render_video(found_in(source, *SOME), source / "b.mp4")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.mp4"]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path):
    source = encode(tmp_path / "a.mp4", even_ticks(90), size=SIZE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
        with pytest.raises(UserError, match=r"b\.mp4: cannot be written"):
            render_video(found_in(source, *SOME), tmp_path / "b.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, kept)
    assert [one.name for one in tmp_path.iterdir()] == ["a.mp4"]


REAL = {
    "edit_list_positive_shift.mp4", "flipping_a_pancake.mkv", "h265_video.mp4", "no_duration.webm",
    "RATRACE_wave_f_nm_np1_fr_goo_37.avi", "sample_fragmented.mp4", "test.avi", "video_90.mov",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(REAL))
def test_real_videos(name, real_data, tmp_path):
    source = real_data("videos", name)
    path = rendered(tmp_path, source, duration=10.0)
    assert times_of(path) == pytest.approx(times_of(source), abs=1e-4)
    was, now = probe(source), probe(path)
    assert (was.width, was.height) == (now.width, now.height)
    if sound_of(source) is not None:
        assert [one for _, one in sound_of(source)[1]] == [one for _, one in sound_of(path)[1]]
    for one, other in zip(*(pictures_at(file, [0.0, 0.1]) for file in (source, path)), strict=True):
        assert np.abs(one.astype(int) - other)[: was.height // 3].mean() < 4


def test_pixels_that_are_not_square_stay_so(real_data, tmp_path):
    path = rendered(tmp_path, real_data("videos", "demo.mp4"), duration=10.0)
    with av.open(str(path)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(64, 51)
