"""Files that are no videos, or not whole: one clear line, nothing half read."""

from __future__ import annotations

import struct
from itertools import count

import av
import numpy as np
import pytest

from feature_extraction.video.opening import open_video, probe
from feature_extraction.video.reader import VideoError


def read_to_end(path, **options):
    with open_video(path, **options) as reader:
        return sum(1 for _ in reader.frames_at(k / 30 for k in count())), reader.end_time


@pytest.fixture(scope="module")
def whole(frames_kit, tmp_path_factory):
    """300 frames with the index in front, as a download that breaks off has it."""
    path = tmp_path_factory.mktemp("whole") / "whole.mp4"
    front = {"movflags": "faststart"}
    return frames_kit.encode(path, frames_kit.even_ticks(300), container=front, bf="2", g="50")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"these are words, not pictures\n" * 40, "not a readable video"),
        ("text.txt", b"these are words, not pictures\n" * 40, "not a"),
        ("noise.mp4", bytes(range(256)) * 40, "not a readable video"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n", "not a readable video"),
    ],
)
def test_no_video(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(VideoError, match=message) as caught:
        open_video(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_missing_file_folder_and_decoder_name(tmp_path, whole):
    with pytest.raises(VideoError, match="no such video file"):
        open_video(tmp_path / "missing.mp4")
    with pytest.raises(VideoError, match="folder"):
        open_video(tmp_path)
    with pytest.raises(VideoError, match="auto, pyav, decord"):
        open_video(whole, decoder="opencv")


def test_sound_only(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=44100, layout="stereo")
        for number in range(20):
            silence = np.zeros((2, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 44100, number * 1024
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(VideoError, match="no video stream"):
        open_video(path)


@pytest.mark.parametrize("share", [0.4, 0.6, 0.95])
def test_broken_off_with_the_index_in_front(share, whole, tmp_path):
    """PyAV decodes what is there without an error; the reader says how much is missing."""
    content = whole.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(VideoError, match=r"of 10\.00 s are there, .* s are missing"):
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
        with pytest.raises(VideoError, match="missing|no frame"):
            open_video(path, allow_partial=partial)


def test_broken_off_with_the_index_behind(frames_kit, tmp_path):
    path = frames_kit.encode(tmp_path / "whole.mp4", frames_kit.even_ticks(30))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(VideoError, match="not a readable video"):
        open_video(path)


@pytest.mark.parametrize("name", ["variable.mkv", "mpeg4.avi"])
def test_broken_off_in_other_containers(name, videos, tmp_path):
    path = tmp_path / name
    content = videos[name][0].read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(VideoError, match="breaks off"):
        read_to_end(path)


def _with_value(content: bytes, mark: bytes, skip: int, form: str, factor: float) -> bytes:
    """A number of a container's head, `skip` bytes behind the name of its field, multiplied."""
    changed, at = bytearray(content), content.index(mark) + len(mark) + skip
    (value,) = struct.unpack_from(form, changed, at)
    struct.pack_into(form, changed, at, type(value)(value * factor))
    return bytes(changed)


# Where a length stands: the file, the field, bytes from its name to the number, the number's form.
LENGTHS = {
    "constant.mp4": [(b"mvhd", 16, ">I"), (b"mdhd", 16, ">I"), (b"tkhd", 20, ">I")],
    "variable.mkv": [(b"\x44\x89\x88", 0, ">d")],
    "mpeg4.avi": [(b"avih", 20, "<I"), (b"strh", 36, "<I")],
}


@pytest.mark.parametrize("name", sorted(LENGTHS))
@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_a_container_that_lies_about_its_length(name, factor, videos, tmp_path):
    """The frames there are decide; only a length beyond them cannot be told from a file broken off."""
    content = videos[name][0].read_bytes()
    for field in LENGTHS[name]:
        content = _with_value(content, *field, factor)
    path = tmp_path / name
    path.write_bytes(content)
    with open_video(videos[name][0]) as reader:
        true = [frame for _, frame in reader.frames_at(k / 7 for k in count())]
        true_end = reader.end_time
    refused = factor > 1 and name == "mpeg4.avi"
    if refused:
        with pytest.raises(VideoError, match=r"of 9\.00 s are there"):
            read_to_end(path)
    with open_video(path, allow_partial=refused) as reader:
        found = [frame for _, frame in reader.frames_at(k / 7 for k in count())]
        assert reader.end_time == pytest.approx(true_end, abs=1e-6)
    assert len(found) == len(true) and all(map(np.array_equal, found, true))


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


def test_clip_times_must_be_numbers(whole):
    with open_video(whole) as reader:
        for times in ([], [float("nan")], [[0.0]]):
            with pytest.raises(VideoError, match="finite"):
                reader.clip(times)
