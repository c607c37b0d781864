"""Times of pictures where packets do not carry their own."""

from __future__ import annotations

import re

import av
import numpy as np
import pytest
from helpers.numbered_videos import read_number
from helpers.sound_and_picture import pictures

from feature_extraction.video.content.clock import is_packed
from feature_extraction.video.opening import open_video

NOTHING = b"\0\0\1\xb6\x50\x40"  # a picture that is not coded


def packed(path, count=91):
    """As DivX packs them: I, then by turns P and the first B in one packet, the second B, nothing."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options = {"bf": "2", "b_strategy": "0", "g": "30", "sc_threshold": "1000000000"}
        coded = [packet for frame in pictures(count) for packet in stream.encode(frame)]
        coded += stream.encode(None)
        content = [bytes(packet) for packet in coded]
        for place in range(1, count - 2, 3):
            content[place : place + 3] = [
                content[place] + content[place + 1],
                content[place + 2],
                NOTHING,
            ]
        shown = [1]
        for place in range(1, count, 3):
            shown += [place + 2, place + 1, place + 3]
        for number, one in enumerate(content):
            packet = av.Packet(one)
            packet.stream, packet.time_base = stream, coded[0].time_base
            packet.dts, packet.pts = number, shown[number]
            packet.is_keyframe = coded[number].is_keyframe
            out.mux(packet)
    made = path.read_bytes()

    def mark(found):
        return b"DivX503b" + b"1" * (len(found[0]) - 9) + b"p"

    path.write_bytes(re.sub(rb"Lavc[0-9.]{6,}", mark, made))
    return path


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_packed_pictures_have_the_times_at_which_they_come(tmp_path, kind):
    path = packed(tmp_path / f"v.{kind}")
    with open_video(path) as reader:
        times = [k / 30 for k in range(90)]
        shown = [read_number(picture) for _, picture in reader.frames_at(times)]
        assert shown == list(range(90))
        for number in (70, 11, 35, 4):
            assert read_number(reader.clip(np.array([number / 30]))[0]) == number


def test_only_the_mark_of_divx_with_a_p_means_packed():
    assert is_packed("mpeg4", b"\0\0\1\xb2DivX503b1393p") and is_packed(
        "mpeg4", b"DivX501Build413p"
    )
    assert not is_packed("mpeg4", b"DivX503b1393") and not is_packed("h264", b"DivX503b1393p")
    assert not is_packed("mpeg4", b"\0\0\1\xb2XviD0046")
