"""Clip k holds exactly the pictures whose times are in [start, end), and the sound of that time."""

from __future__ import annotations

import resource
import signal

import av
import numpy as np
import pytest
from helpers.films import end_of, first_time, found_in, heard_in, numbers_of, sound_of, times_of
from helpers.numbered_videos import VIDEOS, draw_number, encode, even_ticks, uneven_ticks
from PIL import Image

from pipeline.errors import UserError
from pipeline.writers import cutting
from pipeline.writers.cutting import Wanted, cut_clips, stretches
from pipeline.writers.film.encoding import Film
from pipeline.writers.film.sources import open_pictures

SIZE = (96, 64)


def rank(path):
    return int(path.name.partition("_")[0]) - 1


def check(prediction, clips, times):
    """Each clip against the pictures of the whole video; give how many detections have none."""
    rows = prediction.detections.sort_values("score", ascending=False, kind="stable")
    inside = [
        np.flatnonzero((times >= start - 1e-6) & (times < end - 1e-6))
        for start, end in zip(rows["start"], rows["end"], strict=True)
    ]
    made = {rank(path): path for path in clips}
    assert set(made) == {number for number, found in enumerate(inside) if found.size}
    for number, path in made.items():
        wanted = inside[number]
        assert numbers_of(path) == wanted.tolist(), path.name
        assert times_of(path) == pytest.approx(times[wanted] - times[wanted[0]], abs=2e-3)
        assert first_time(path) == 0
    return len(inside) - len(made)


def many(count, duration, seed=0):
    """Detections that overlap, some of no length, some after the end."""
    random = np.random.default_rng(seed)
    starts = random.uniform(0, duration, count)
    ends = starts + random.choice([0.0, 0.02, 0.3, 1.5], count)
    return [
        (start, end, f"label {number % 5}", score)
        for number, (start, end, score) in enumerate(
            zip(starts.tolist(), ends.tolist(), random.uniform(0, 1, count).tolist(), strict=True)
        )
    ]


@pytest.mark.parametrize(
    "name", ["b_pyramid_open_gop.mp4", "variable.mkv", "late_start.ts", "mpeg4.avi", "odd_size.mp4"]
)
def test_clips_are_exact(name, tmp_path, capsys):
    ticks, options = VIDEOS[name]
    source = encode(tmp_path / name, ticks, **options)
    times = times_of(source)
    end = float(times[-1])
    rows = [*many(8, end), (end, end + 1, "last", 0.95), (end + 1, end + 2, "behind", 0.99)]
    rows.append((float(times[7]), float(times[8]), "one picture", 0.97))
    prediction = found_in(source, *rows, duration=end)
    clips = cut_clips(prediction, tmp_path / "clips")
    lost = check(prediction, clips, times)
    assert lost
    assert f"v: {lost} of {len(rows)} detections hold no picture" in capsys.readouterr().err
    assert clips == sorted(clips) == sorted((tmp_path / "clips").iterdir())
    assert end_of(clips[0]) == pytest.approx(end_of(source) - end, abs=0.01)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_many_that_overlap_take_several_passes(most, tmp_path, monkeypatch):
    source = encode(tmp_path / "a.mkv", uneven_ticks(90), g="25", bf="2")
    monkeypatch.setattr(cutting, "MOST_OPEN", most)
    opened = []
    monkeypatch.setattr(
        cutting, "Film", lambda *args, **more: opened.append(1) or Film(*args, **more)
    )
    prediction = found_in(source, *many(12, 4.0, seed=most), duration=4.5)
    clips = cut_clips(prediction, tmp_path / "clips")
    check(prediction, clips, times_of(source))
    assert len(opened) == len(clips)


@pytest.mark.parametrize(
    "name", ["late_start.mp4", "variable.mkv", "b_pyramid_open_gop.mp4", "hevc.mp4"]
)
def test_far_apart_ones_are_sought(name, tmp_path, monkeypatch):
    ticks, options = VIDEOS[name]
    source = encode(tmp_path / name, ticks, **options)
    monkeypatch.setattr(cutting, "GAP", 0.2)
    times = times_of(source)
    rows = [(0.5, 0.7, "a", 0.9), (1.6, 1.9, "b", 0.8), (2.5, 2.95, "c", 0.7)]
    prediction = found_in(source, *rows)
    read = []
    clips = cut_clips(prediction, tmp_path / "clips", progress=read.append)
    check(prediction, clips, times)
    assert len(read) < len(times[times < 2.97]) + 20
    assert len(list(stretches([Wanted(s, e, tmp_path) for s, e, *_ in rows], 9, 0.2))) == 3


def test_what_a_seek_gives_is_what_reading_gives(tmp_path):
    for name in ("b_pyramid_open_gop.mp4", "variable.mkv", "cut_by_edit_list.mp4", "late_start.ts"):
        ticks, options = VIDEOS[name]
        source = encode(tmp_path / name, ticks, **options)
        with open_pictures(source, 3.0) as pictures:
            whole = [(one.tick, one.until_tick) for one in pictures.shown()]
            unit = float(pictures.look.tick)
        for since in (0.0, 0.31, 1.0, 1.99, 2.9):
            with open_pictures(source, 3.0) as pictures:
                found = [(one.tick, one.until_tick) for one in pictures.shown(since)]
            assert found == whole[-len(found) :]
            assert found[0][0] * unit <= since + 1e-6
            if since > 1.5 and pictures.seeks:
                assert len(found) < len(whole)


def test_passes_never_hold_more_than_allowed():
    random = np.random.default_rng(3)
    wanted = [
        Wanted(start, start + length, number)
        for number, (start, length) in enumerate(random.uniform(0, 20, (200, 2)).tolist())
    ]
    seen = []
    for stretch in stretches(wanted, 7, 5.0):
        starts = [one.start for one in stretch]
        assert starts == sorted(starts)
        for one in stretch:
            assert sum(other.start <= one.start < other.end for other in stretch) <= 7
        seen += [one.path for one in stretch]
    assert sorted(seen) == list(range(200))
    assert list(stretches([], 7, 5.0)) == []
    assert list(stretches([Wanted(1, 1, 0), Wanted(float("nan"), 2, 0)], 7, 5.0)) == []


def noisy(path, codec="pcm_s16le"):
    """Three seconds of numbered pictures with low noise that tells every moment; the noise [3 * 48000]."""
    rate = 48000
    noise = np.random.default_rng(0).normal(size=3 * rate)
    tone = (0.5 * np.convolve(noise, np.ones(24) / 24, "same")).astype(np.float32)
    with av.open(str(path), "w") as container:
        avi = path.suffix == ".avi"  # which cannot say when pictures out of order are shown
        video = container.add_stream("mpeg4" if avi else "libx264", rate=30)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        video.bit_rate = 2_000_000
        sound = container.add_stream(codec, rate=rate, layout="mono")
        if codec == "libmp3lame":
            sound.codec_context.format = "fltp"
        form = sound.codec_context.format.name
        for number in range(90):
            picture = av.VideoFrame.from_ndarray(draw_number(number, *SIZE), "rgb24")
            container.mux(video.encode(picture))
            block = tone[None, 1600 * number : 1600 * (number + 1)]
            if form == "s16":
                block = (32767 * block).astype(np.int16)
            piece = av.AudioFrame.from_ndarray(block, format=form, layout="mono")
            piece.sample_rate, piece.pts = rate, 1600 * number
            container.mux(sound.encode(piece))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    return path, tone


@pytest.mark.parametrize(
    ("ending", "codec", "late"),
    [("mkv", "pcm_s16le", 0), ("mp4", "aac", 0), ("ts", "mp2", 0), ("avi", "libmp3lame", 1105)],
)
def test_sound_begins_and_ends_with_the_pictures(ending, codec, late, tmp_path):
    """`late`: samples by which an encoder is late where the container cannot say so."""
    source, tone = noisy(tmp_path / f"source.{ending}", codec)
    rows = [(0.55, 1.45, "a", 0.9), (1.0, 2.0, "b", 0.8), (2.5, 9.0, "c", 0.7)]
    clips = cut_clips(found_in(source, *rows), tmp_path / "clips")
    for path, (start, end, *_) in zip(clips, rows, strict=True):
        begin = np.ceil(start * 30 - 1e-6) / 30
        first, samples = heard_in(path)
        assert sound_of(path)[0] == "aac"
        wanted = tone[round(begin * 48000) : round(min(end, 3.0) * 48000)]
        assert abs(len(samples) - len(wanted)) < 1200 + late
        assert abs(first) < 1e-3 and first_time(path) == 0
        # Matroska's times are whole milliseconds
        assert abs(lag(wanted, samples, 2000) - late) < 60


def lag(wanted, samples, most):
    """By how many samples some come later than wanted."""
    middle = wanted[most : min(len(samples), len(wanted)) - 2 * most]
    fits = np.correlate(samples[: len(middle) + 2 * most], middle, "valid")
    return int(np.argmax(fits)) - most


def test_rendered_sound_that_mp4_does_not_take_is_encoded_in_its_place(tmp_path):
    from pipeline.writers.rendering import render_video

    source, tone = noisy(tmp_path / "source.mkv")
    render_video(found_in(source), tmp_path / "a.mp4")
    first, samples = heard_in(tmp_path / "a.mp4")
    assert sound_of(tmp_path / "a.mp4")[0] == "aac" and abs(first) < 1e-3
    assert abs(len(samples) - len(tone)) < 1200
    assert abs(lag(tone, samples, 2000)) < 10


def test_clips_of_a_folder_of_frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(40):
        Image.fromarray(draw_number(number, *SIZE)).save(folder / f"{number:06d}.png")
    rows = [(0.5, 1.0, "a", 0.9), (3.05, 3.5, "b", 0.8), (0.0, 9.0, "c", 0.7)]
    prediction = found_in(folder, *rows, duration=4.0)
    clips = cut_clips(prediction, tmp_path / "clips")
    check(prediction, clips, np.arange(40) / 10)


def test_clips_of_an_earlier_time_go_and_other_files_stay(tmp_path):
    source = encode(tmp_path / "a.mp4", even_ticks(60))
    folder = tmp_path / "clips"
    cut_clips(found_in(source, (0, 1, "a", 0.9), (0.5, 1.5, "b", 0.8)), folder)
    (folder / "holiday.mp4").write_bytes(b"mine")
    (folder / "001_notes_1.mp4").write_bytes(b"mine")
    clips = cut_clips(found_in(source, (0.2, 1, "other", 0.7)), folder)
    assert sorted(folder.iterdir()) == sorted(
        [*clips, folder / "holiday.mp4", folder / "001_notes_1.mp4"]
    )
    assert cut_clips(found_in(source), folder) == []
    assert len(list(folder.iterdir())) == 2


def test_a_full_disk_leaves_no_half_clip(tmp_path):
    source = encode(tmp_path / "a.mp4", even_ticks(90))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    rows = [(0, 3, "a", 0.9), (0.1, 2.9, "b", 0.8), (0.2, 2.8, "c", 0.7)]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
        with pytest.raises(UserError, match="cannot be written"):
            cut_clips(found_in(source, *rows), tmp_path / "clips")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, kept)
    assert list((tmp_path / "clips").iterdir()) == []


def test_stopping_leaves_no_half_clip(tmp_path):
    source = encode(tmp_path / "a.mp4", even_ticks(90))

    def stop(seconds):
        if seconds > 2:
            raise KeyboardInterrupt

    rows = [(0, 1, "done", 0.9), (0.5, 3, "b", 0.8), (0.2, 2.8, "c", 0.7)]
    with pytest.raises(KeyboardInterrupt):
        cut_clips(found_in(source, *rows), tmp_path / "clips", progress=stop)
    (done,) = (tmp_path / "clips").iterdir()
    assert numbers_of(done) == list(range(30))
