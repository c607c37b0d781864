"""Files that were cut are found in every container; lengths that are not the pictures' are no sign of it."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from helpers.numbered_videos import encode, even_ticks, read_number, read_to_end
from helpers.sound_and_picture import never_closed, write

from feature_extraction.video.content.endings import is_whole
from feature_extraction.video.opening import open_video, probe
from feature_extraction.video.reader import VideoError

# name -> (codecs of pictures and sound, options of the container, FFmpeg's name of it)
FILES = {
    "front.mp4": ("libx264", "aac", {"movflags": "faststart"}, "mov,mp4"),
    "front.mov": ("libx264", "aac", {"movflags": "faststart"}, "mov,mp4"),
    "pieces.mp4": ("libx264", "aac", {"movflags": "frag_keyframe+empty_moov"}, "mov,mp4"),
    "whole.mkv": ("libx264", "aac", {}, "matroska,webm"),
    "live.mkv": ("libx264", "aac", {"live": "1"}, "matroska,webm"),
    "whole.webm": ("libvpx", None, {}, "matroska,webm"),
    "whole.avi": ("mpeg4", "mp2", {}, "avi"),
    "whole.ts": ("libx264", "aac", {}, "mpegts"),
    "whole.mpg": ("mpeg2video", "mp2", {}, "mpeg"),
    "whole.flv": ("libx264", "aac", {}, "flv"),
    "whole.wmv": ("wmv2", "wmav2", {}, "asf"),
}
KNOWN_WHOLE = {"front.mp4", "front.mov", "whole.mkv", "whole.webm", "whole.wmv"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A file of each kind, its sound as long as its pictures; made once."""
    folder, made = tmp_path_factory.mktemp("whole"), {}

    def make(name):
        if name not in made:
            codec, sound, options, _ = FILES[name]
            made[name] = write(folder / name, codec, sound, **options)
        return made[name]

    return make


@pytest.mark.parametrize("name", FILES)
def test_whole_files_are_whole(name, whole):
    assert read_to_end(whole(name))[0] == 90
    assert is_whole(whole(name), FILES[name][3]) is (True if name in KNOWN_WHOLE else None)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_cut_is_found_wherever_it_is(name, whole, tmp_path):
    content = whole(name).read_bytes()
    path = tmp_path / name
    rng = np.random.default_rng(0)
    for share in rng.uniform(0.3, 0.9, 10):
        path.write_bytes(content[: int(len(content) * share)])
        try:
            assert read_to_end(path)[0] == 90  # only what comes after all pictures is missing
        except VideoError as error:
            assert "\n" not in str(error)
        else:
            assert share > 0.8
        try:
            frames, _ = read_to_end(path, allow_partial=True)
        except (
            VideoError
        ) as error:  # the piece it was cut in is the one that FFmpeg needs to open it
            assert name == "pieces.mp4" and "bytes exist" in str(error)
        else:
            assert frames > 5


@pytest.mark.parametrize("name", ["front.mp4", "whole.mkv", "live.mkv"])
def test_no_picture_between_others_is_lost_in_silence(name, tmp_path):
    codec, _, options, _ = FILES[name]
    path = write(tmp_path / name, codec, None, **options)
    content = path.read_bytes()
    for cut in range(12, len(content) // 8, 97):
        path.write_bytes(content[:-cut])
        try:
            with open_video(path) as reader:
                shown = [read_number(one) for _, one in reader.frames_at(k / 30 for k in range(90))]
        except VideoError as error:
            assert "is truncated" in str(error) or "does not decode" in str(error)
            with open_video(path, allow_partial=True) as reader:
                times = {}
                for index, picture in reader.frames_at(k / 30 for k in range(90)):
                    times[index / 30] = read_number(picture)
                assert reader.damaged
            wrong = [time for time, number in times.items() if number != round(time * 30)]
            assert all(
                any(start - 1e-3 <= time < end for start, end in reader.damaged) for time in wrong
            )
        else:
            assert shown == list(range(90))


def test_an_flv_that_ends_between_two_tags_is_not_taken_for_whole(whole, tmp_path):
    content = whole("whole.flv").read_bytes()
    place, tags = 13, []
    while place < len(content):
        place += 11 + int.from_bytes(content[place + 1 : place + 4], "big") + 4
        tags.append(place)
    path = tmp_path / "v.flv"
    for place in tags[len(tags) // 4 : len(tags) * 3 // 4 : 7]:
        path.write_bytes(content[:place])
        with pytest.raises(VideoError, match="is truncated"):
            read_to_end(path)


@pytest.mark.parametrize("name", FILES)
def test_sound_that_lasts_longer_is_no_part_that_is_missing(name, tmp_path):
    codec, sound, options, _ = FILES[name]
    if sound is None:
        pytest.skip("no sound in this one")
    path = write(tmp_path / name, codec, sound, seconds=5.0, **options)
    frames, end = read_to_end(path)
    assert frames == 90 and end == pytest.approx(3.0, abs=0.07)


@pytest.mark.parametrize("name", ["whole.wmv", "whole.flv"])
def test_a_length_of_all_streams_is_not_taken_for_the_pictures(name, tmp_path):
    codec, sound, options, _ = FILES[name]
    path = write(tmp_path / name, codec, sound, seconds=5.0, **options)
    assert probe(path).duration == pytest.approx(3.0, abs=0.05)


def late_and_trimmed(path, *, late=0.5, seconds=2.0):
    """An MP4 whose edit list shows nothing at first, and then only the beginning of its pictures."""
    encode(path, even_ticks(90), shift=round(late * 90000), bf="2", g="25")
    content = bytearray(path.read_bytes())
    place = content.index(b"elst") + 8
    (count,) = struct.unpack_from(">I", content, place)
    (scale,) = struct.unpack_from(">I", content, content.index(b"mvhd") + 16)
    assert count == 2 and content[place - 4] == 0
    struct.pack_into(">I", content, place + 4 + 12, round(seconds * scale))
    path.write_bytes(content)
    return path


def test_a_late_start_and_a_trimmed_end_leave_what_they_show(tmp_path):
    path = late_and_trimmed(tmp_path / "v.mp4")
    frames, end = read_to_end(path)
    assert frames == 60 and end == pytest.approx(2.0, abs=1e-3)
    assert probe(path).duration == pytest.approx(2.0, abs=1e-3)
    assert probe(path, exact=True).duration == pytest.approx(2.0, abs=1e-3)


def test_an_avi_that_was_never_closed_is_as_long_as_its_frames(tmp_path):
    path = never_closed(tmp_path / "v.avi")
    with open_video(path) as reader:
        assert reader.info.duration is None
        assert [
            read_number(frame) for _, frame in reader.frames_at(k / 30 for k in range(90))
        ] == list(range(90))
    assert probe(path).duration == pytest.approx(3.0)
    assert probe(path, exact=True).duration == pytest.approx(3.0)


@pytest.mark.parametrize("kind", ["mp4", "matroska", "avi", "flv", "asf", "mpegts", "mpeg", "ogg"])
def test_bytes_by_chance_raise_nothing(kind, tmp_path):
    path, rng = tmp_path / "v", np.random.default_rng(0)
    heads = [
        b"",
        b"\x1a\x45\xdf\xa3\x80",
        b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67",
        b"FLV\1\5\0\0\0\x09",
        b"RIFF",
        b"OggS",
    ]
    for size in [0, 1, 7, 12, 40, 700]:
        for head in heads:
            path.write_bytes(head + rng.bytes(size))
            assert is_whole(path, kind) in (True, False, None)
    assert is_whole(tmp_path / "nothing", kind) is None


def test_of_other_containers_nothing_is_claimed(whole):
    assert is_whole(whole("front.mp4"), "nut") is None
