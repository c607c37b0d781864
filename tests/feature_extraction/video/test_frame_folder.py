"""Folders of frames: the same frames at the same times as a file, the rate that fits, what is wrong said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.numbered_videos import draw_number, encode, even_ticks, read_number
from PIL import Image

from feature_extraction import ClipGrid, FrameFolder, build_backbone, extract_features
from feature_extraction.video.opening import open_video, probe
from feature_extraction.video.reader import VideoError


def make_folder(folder: Path, count: int, size: tuple[int, int] = (96, 64)) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        picture = Image.fromarray(draw_number(number, *size))
        picture.save(folder / f"frame_{number + 1:010d}.jpg", quality=95)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("frames") / "P01_01", 45)


def numbers(frames) -> list[tuple[int, int]]:
    return [(index, read_number(frame)) for index, frame in frames]


def test_a_folder_gives_the_frames_a_file_gives(folder, tmp_path):
    path = encode(tmp_path / "video.mp4", even_ticks(45))
    rng = np.random.default_rng(0)
    times = np.sort(np.r_[rng.uniform(0, 1.7, 40), np.arange(20) / 15, 1 / 60, 1.5])
    with open_video(FrameFolder(folder, (30.0,))) as one, open_video(path) as other:
        assert numbers(one.frames_at(times, final_fps=12)) == numbers(
            other.frames_at(times, final_fps=12)
        )
        assert one.end_time == pytest.approx(other.end_time) == pytest.approx(1.5)
        asked = [0.4, -1.0, 9.0, 0.4, 1.2]
        found = [read_number(frame) for frame in one.clip(asked)]
        assert found == [read_number(frame) for frame in other.clip(asked)] == [12, 0, 44, 12, 36]
        assert (one.info.width, one.info.height, one.info.fps) == (96, 64, 30.0)


def test_equal_frames_are_one_array_and_endless_times_end(folder):
    with open_video(FrameFolder(folder, (30.0,))) as reader:
        frames = [frame for _, frame in reader.frames_at(k / 300 for k in range(10**9))]
    assert len(frames) == 450
    assert len({id(frame) for frame in frames}) == 45


def test_features_of_a_folder_are_on_the_grid_of_its_duration(folder):
    grid = ClipGrid(fps=60.0, frames=4, interval=2, stride=8)
    model = build_backbone("tsn", depth=(1, 1, 1, 1), width=4, num_classes=2)
    features, duration = extract_features(model, FrameFolder(folder, (30.0,)), grid, short_side=32)
    assert duration == pytest.approx(1.5)
    assert len(features) == grid.num_clips(1.5)


@pytest.mark.parametrize(
    ("duration", "fps"), [(0.75, 60.0), (0.9, 50.0), (45 / 59.94, 59.94), (1.5, 30.0)]
)
def test_the_rate_is_the_one_that_fits_the_duration(folder, duration, fps):
    own = fps if fps in (59.94, 30.0) else 29.97
    info = probe(FrameFolder(folder, (own, 50.0, 60.0), duration))
    assert info.fps == fps and info.duration == pytest.approx(duration)


def test_what_is_wrong_is_one_line(folder, tmp_path):
    with pytest.raises(VideoError, match=r"45 frames last .* but the video is 3\.00 s long"):
        open_video(FrameFolder(folder, (29.97, 50.0, 60.0), 3.0))
    with pytest.raises(VideoError, match="not known"):
        open_video(FrameFolder(folder, ()))
    with pytest.raises(VideoError, match="cannot be read"):
        open_video(FrameFolder(tmp_path / "nowhere", (30.0,)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(VideoError, match="holds no frames"):
        open_video(FrameFolder(tmp_path / "empty", (30.0,)))
    gaps = make_folder(tmp_path / "gaps", 9)
    for number in (4, 6):
        (gaps / f"frame_{number:010d}.jpg").unlink()
    with pytest.raises(VideoError, match=r"2 frames are missing, the first is frame_0000000004"):
        open_video(FrameFolder(gaps, (30.0,)))


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0 broken", None])
def test_a_damaged_frame_is_named_when_it_is_reached(tmp_path, content):
    broken = make_folder(tmp_path / "broken", 6)
    name = broken / "frame_0000000005.jpg"
    name.write_bytes(name.read_bytes()[:400] if content is None else content)
    source = FrameFolder(broken, (30.0,))
    with open_video(source) as reader:
        assert read_number(reader.clip([0.0])[0]) == 0
        with pytest.raises(VideoError, match=r"frame_0000000005.jpg: does not decode"):
            list(reader.frames_at(k / 30 for k in range(6)))
    probe(source)
    with pytest.raises(VideoError, match="does not decode"):
        probe(source, exact=True)


def test_frames_of_several_sizes_are_refused_and_added_ones_are_seen(tmp_path):
    source = FrameFolder(make_folder(tmp_path / "mixed", 3), (30.0,))
    assert probe(source).duration == pytest.approx(0.1)
    Image.fromarray(draw_number(3, 112, 64)).save(source.folder / "frame_0000000004.jpg")
    with open_video(source) as reader:
        assert reader.info.duration == pytest.approx(4 / 30)
        with pytest.raises(VideoError, match="112x64 pixels, the first frame 96x64"):
            reader.clip([0.1])


PATTERNS = [
    ("img_%05d.jpg", 1), ("%06d.jpg", 0), ("frame_%010d.jpg", 0), ("img_%05d.png", 1), ("%d.jpeg", 0),
    ("%d.png", 95), ("f-%04d.JPG", 1), ("%03d.webp", 1), ("%d.bmp", 3), ("v00_%05d.TIFF", 1), ("%d.ppm", 0),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "first"), PATTERNS)
def test_frames_of_any_name_and_first_number_are_shown_in_order(tmp_path, pattern, first):
    folder = make_named(tmp_path / "v00", 12, pattern, first)
    for other in ("Thumbs.db", ".DS_Store", f"._{pattern % first}", "notes.txt", "cover.jpg"):
        (folder / other).write_bytes(b"no frame")
    for given in (None, pattern):
        with open_video(FrameFolder(folder, (4.0,), pattern=given)) as reader:
            assert reader.info.duration == pytest.approx(3.0)
            shown = [read_number(frame) for _, frame in reader.frames_at(k / 4 for k in range(12))]
            assert shown == list(range(12))
            assert [read_number(frame) for frame in reader.clip([2.75, 0.0])] == [11, 0]


def make_named(folder: Path, count: int, pattern: str, first: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(draw_number(number, 96, 64)).save(folder / (pattern % (first + number)))
    return folder


def test_two_sets_in_a_folder_are_refused_until_one_is_asked_for(tmp_path):
    folder = make_named(tmp_path / "v00", 5, "img_%05d.jpg")
    make_named(folder, 4, "flow_x_%05d.jpg")
    with pytest.raises(
        VideoError, match=r"2 patterns, img_%05d\.jpg \(5\), flow_x_%05d\.jpg \(4\)"
    ):
        open_video(FrameFolder(folder, (5.0,)))
    for pattern, count in (("img_%05d.jpg", 5), ("flow_x_%05d.jpg", 4)):
        info = probe(FrameFolder(folder, (5.0,), pattern=pattern))
        assert info.duration == pytest.approx(count / 5)
    with pytest.raises(
        VideoError, match=r"holds no frames x_%d\.jpg; it holds img_%05d\.jpg \(5\), "
    ):
        open_video(FrameFolder(folder, (5.0,), pattern="x_%d.jpg"))
    with pytest.raises(VideoError, match="is not a pattern of names"):
        open_video(FrameFolder(folder, (5.0,), pattern="x.jpg"))


def test_gaps_are_named_as_the_frames_are(tmp_path):
    folder = make_named(tmp_path / "v00", 9, "%d.png", 0)
    for number in (3, 4, 7):
        (folder / f"{number}.png").unlink()
    with pytest.raises(
        VideoError, match=r"3 frames are missing, the first is 3\.png; restore them"
    ):
        open_video(FrameFolder(folder, (5.0,)))


def test_colours_of_16_bits_are_not_cut_to_white(tmp_path):
    Image.fromarray(np.full((64, 96), 700, np.uint16)).save(tmp_path / "1.png")
    with pytest.raises(VideoError, match=r"1\.png: has more than 8 bits per colour"):
        open_video(FrameFolder(tmp_path, (5.0,)))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_pictures_of_other_kinds_are_taken_as_colours(tmp_path, mode):
    ending = "jpg" if mode == "CMYK" else "png"
    Image.fromarray(draw_number(5, 96, 64)).convert(mode).save(tmp_path / f"1.{ending}")
    with open_video(FrameFolder(tmp_path, (5.0,))) as reader:
        assert read_number(reader.clip([0.0])[0]) == 5
