"""Segments of a transport stream joined as they are: their counters start from scratch, and nothing is damaged."""

from __future__ import annotations

from fractions import Fraction
from itertools import count

import numpy as np
import pytest
from helpers.numbered_videos import encode, read_number

from feature_extraction.video.content.joins import only_joins
from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import DamagedVideoError

LENGTH = 188
CODECS = {
    "libx264": {"bf": "2", "g": "30"},
    "libx265": {"x265-params": "log-level=none:keyint=30:bframes=2:pools=1:open-gop=0"},
    "mpeg2video": {"bf": "0", "g": "30"},
}


def segments(folder, codec="libx264", frames=30, parts=3):
    """The bytes of the parts; each is a stream of its own that begins where the one before ends."""
    made = []
    for part in range(parts):
        path = folder / f"{part}.ts"
        shift = 300 + part * frames
        encode(path, range(frames), tick=Fraction(1, 30), codec=codec, shift=shift, **CODECS[codec])
        made.append(path.read_bytes())
    return made


def packets_of(content, pid=256):
    """The places of the packets of the pictures."""
    return [
        place
        for place in range(0, len(content), LENGTH)
        if int.from_bytes(content[place + 1 : place + 3], "big") & 0x1FFF == pid
    ]


@pytest.mark.parametrize("codec", CODECS)
def test_joined_segments_are_whole(codec, tmp_path):
    path = tmp_path / "v.ts"
    path.write_bytes(b"".join(segments(tmp_path, codec)))
    with open_video(path) as reader:
        found = [read_number(frame) for _, frame in reader.frames_at(k / 30 for k in count())]
        assert found == [*range(30)] * 3 and reader.damaged == []
        assert [read_number(frame) for frame in reader.clip([0.5, 1.5, 2.5])] == [15, 15, 15]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("lost", [1, 4, 9])
def test_packets_that_are_lost_within_a_segment_are_found(codec, lost, tmp_path):
    """In any of the segments; joins beside it excuse nothing."""
    path, rng = tmp_path / "v.ts", np.random.default_rng(lost)
    parts = segments(tmp_path, codec)
    for _ in range(4):
        part = int(rng.integers(len(parts)))
        content = parts[part]
        packets = packets_of(content)
        at = int(rng.integers(2, len(packets) - lost - 2))
        cut = set(packets[at : at + lost])
        kept = [content[p : p + LENGTH] for p in range(0, len(content), LENGTH) if p not in cut]
        path.write_bytes(b"".join([*parts[:part], b"".join(kept), *parts[part + 1 :]]))
        with pytest.raises(DamagedVideoError), open_video(path) as reader:
            list(reader.frames_at(k / 30 for k in count()))
        with open_video(path, allow_partial=True) as reader:
            list(reader.frames_at(k / 30 for k in count()))
            assert reader.damaged


@pytest.mark.parametrize("codec", CODECS)
def test_a_segment_that_was_left_out_or_cut_is_missing(codec, tmp_path):
    path, (first, second, third) = tmp_path / "v.ts", segments(tmp_path, codec)
    half = second[: len(second) // LENGTH // 2 * LENGTH]
    for content, missing in ((b"", r"1\.00 s are missing"), (half, "missing|damaged")):
        path.write_bytes(first + content + third)
        with pytest.raises(DamagedVideoError, match=missing), open_video(path) as reader:
            list(reader.frames_at(k / 30 for k in count()))
        with open_video(path, allow_partial=True) as reader:
            shown = [read_number(one) for _, one in reader.frames_at(k / 30 for k in count())]
            assert shown[:30] == shown[60:] == list(range(30))
            (start, end), *_ = reader.damaged
            assert (start if content else start - 1.0) < 1.95 and end == pytest.approx(
                2.0, abs=0.01
            )


def test_only_joins(tmp_path):
    parts, path = segments(tmp_path), tmp_path / "v.ts"
    path.write_bytes(b"".join(parts))
    assert only_joins(path, 256) and not only_joins(path, 300)  # another stream
    path.write_bytes(parts[0])
    assert not only_joins(path, 256)  # no gap that would be one
    whole = bytearray(b"".join(parts))
    whole[packets_of(bytes(whole))[20] + 1] |= 0x80  # a packet that says it is damaged
    path.write_bytes(whole)
    assert not only_joins(path, 256)
    path.write_bytes(b"".join(parts) + b"1" * 500)  # packets do not follow each other
    assert not only_joins(path, 256)
    path.write_bytes(b"1" * 70)
    assert not only_joins(path, 256)


def test_packets_with_time_stamps_in_front(tmp_path):
    """As a camera or a disc has them (M2TS): 192 bytes each."""
    content = b"".join(segments(tmp_path))
    path = tmp_path / "v.m2ts"
    path.write_bytes(
        b"".join(b"\0\0\0\0" + content[p : p + LENGTH] for p in range(0, len(content), LENGTH))
    )
    assert only_joins(path, 256)
    with open_video(path) as reader:
        assert len(list(reader.frames_at(k / 30 for k in count()))) == 90
