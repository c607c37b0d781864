"""Frames for the encoder are the pictures that the project's reader gives."""

from __future__ import annotations

import av
import numpy as np
import pytest
from helpers.films import found_in, pictures_at, times_of
from helpers.numbered_videos import encode, even_ticks

from feature_extraction.video.opening import probe
from pipeline.writers.cutting import cut_clips
from pipeline.writers.film.sources import open_pictures
from pipeline.writers.rendering import render_video


def turned(source, target, angle, mirrored):
    """The same packets with a display matrix."""
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(container.streams.video[0])
        if not hasattr(stream, "set_display_rotation"):
            pytest.skip("this PyAV cannot write a rotation")
        stream.set_display_rotation(angle, mirrored)
        for packet in container.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return target


@pytest.mark.parametrize("size", [(96, 64), (97, 65), (96, 65)])
@pytest.mark.parametrize(("angle", "mirrored"), [(90, False), (180, False), (270, True), (0, True)])
def test_turned_and_mirrored(size, angle, mirrored, tmp_path):
    plain = encode(tmp_path / "a.mp4", even_ticks(4), size=size, pix_fmt="yuv444p", qp="0")
    source = turned(plain, tmp_path / "b.mp4", angle, mirrored)
    info = probe(source)
    with open_pictures(source, 1.0) as pictures:
        made = [pictures.frame(one).to_ndarray(format="rgb24") for one in pictures.shown()]
    assert made[0].shape[:2] == (info.height + info.height % 2, info.width + info.width % 2)
    for one, other in zip(pictures_at(source, times_of(source)), made, strict=True):
        # grey pictures: nothing is lost by fewer samples of chroma
        assert np.abs(one.astype(int) - other[: info.height, : info.width]).max() <= 3
        assert np.array_equal(other[-1], other[-2]) or not info.height % 2


def test_no_rotation_is_left_in_what_is_written(tmp_path):
    plain = encode(tmp_path / "a.mp4", even_ticks(30), size=(160, 96))
    source = turned(plain, tmp_path / "b.mp4", 180, False)
    found = found_in(source, (0.2, 0.6, "a", 0.5), duration=1.0)
    render_video(found, tmp_path / "c.mp4")
    for path in (tmp_path / "c.mp4", *cut_clips(found, tmp_path / "clips")):
        with av.open(str(path)) as container:
            assert next(container.decode(video=0)).rotation == 0
    with av.open(str(tmp_path / "clips" / "001_a_0.20-0.60s_0.500.mp4")) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    (original,) = pictures_at(source, [0.2])
    assert np.abs(picture.astype(int) - original).mean() < 8


def test_pictures_that_change_their_size(tmp_path):
    one = encode(tmp_path / "a.ts", even_ticks(10), size=(96, 64))
    two = encode(tmp_path / "b.ts", [9e4 // 3 + tick for tick in even_ticks(10)], size=(192, 128))
    both = tmp_path / "both.ts"
    both.write_bytes(one.read_bytes() + two.read_bytes())
    with open_pictures(both, 1.0) as pictures:
        sizes = {(frame.width, frame.height) for frame in map(pictures.frame, pictures.shown())}
    assert sizes == {(96, 64)}


def test_tags_of_colours_are_kept_and_full_range_becomes_limited(tmp_path):
    source = encode(
        tmp_path / "a.mp4", even_ticks(5), pix_fmt="yuv420p",
        colorspace="bt709", color_primaries="bt709", color_trc="bt709",
    )  # fmt: skip
    render_video(found_in(source, duration=0.2), tmp_path / "b.mp4")
    full = encode(tmp_path / "c.mp4", even_ticks(5), pix_fmt="yuvj420p")
    render_video(found_in(full, duration=0.2), tmp_path / "d.mp4")
    for name, tags in (("b.mp4", (1, 1, 1)), ("d.mp4", (2, 2, 2))):
        with av.open(str(tmp_path / name)) as container:
            head = container.streams.video[0].codec_context
            found = (head.colorspace, head.color_primaries, head.color_trc)
            assert found == tags or (
                found[0] == tags[0] and not hasattr(av.VideoFrame, "color_trc")
            )
            assert head.color_range != 2  # H.264 need not say that it is limited
    for one, other in zip(
        *(pictures_at(tmp_path / name, [0.1]) for name in ("c.mp4", "d.mp4")), strict=True
    ):
        assert np.abs(one.astype(int) - other)[:32].mean() < 8
