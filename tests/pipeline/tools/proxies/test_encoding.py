"""A proxy shows the same moments as its source: every frame at its time, upright, and small."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from helpers.films import end_of, numbers_of, times_of
from helpers.numbered_videos import VIDEOS, encode, even_ticks, read_number, uneven_ticks

from feature_extraction.transforms import resize_short_side, to_tensor
from feature_extraction.video.opening import open_video, probe
from feature_extraction.video.reader import VideoError
from pipeline.data.proxies.form import KEY_EVERY, proxy_size
from pipeline.tools.proxies.encoding import encode_proxy

NAMES = ("variable.mp4", "variable.mkv", "late_start.ts", "b_pyramid_open_gop.mp4", "cut_by_edit_list.mp4",
         "odd_size.mp4", "mpeg4.avi", "vp9.webm", "one_frame.mp4")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_is_shown_when_it_is_in_the_source(tmp_path, name):
    ticks, options = VIDEOS[name]
    source, proxy = encode(tmp_path / name, ticks, **options), tmp_path / "proxy.mp4"
    made = encode_proxy(source, proxy, 64)
    with open_video(source) as reader:
        shown = [read_number(frame) for _, frame in reader.frames_at(times_of(source).tolist())]
    assert numbers_of(proxy) == shown and made.frames == len(shown)
    np.testing.assert_allclose(times_of(proxy), times_of(source), atol=1e-5)
    assert end_of(proxy) == pytest.approx(end_of(source), abs=1e-5) == made.seconds
    assert made.duration == (probe(source).duration or made.seconds)
    asked = np.random.default_rng(0).uniform(0, made.seconds, (6, 8))
    with open_video(source) as reader, open_video(proxy) as other:
        for times in asked.tolist():
            numbers = [[read_number(frame) for frame in one.clip(times)] for one in (reader, other)]
            assert numbers[0] == numbers[1]


def test_it_is_small_and_begins_anew_every_few_frames_and_has_no_sound(tmp_path):
    size = (192, 128)
    source = encode(tmp_path / "v.mp4", uneven_ticks(60), size=size, g="250", bf="3")
    proxy = tmp_path / "proxy.mp4"
    encode_proxy(source, proxy, 64)
    info = probe(proxy)
    assert (info.width, info.height) == proxy_size(*size, 64) == (96, 64)
    with av.open(str(proxy)) as container:
        stream = container.streams.video[0]
        assert len(container.streams) == 1 and stream.codec_context.pix_fmt == "yuv420p"
        packets = [p for p in container.demux(stream) if p.size]
        keys = [n for n, packet in enumerate(packets) if packet.is_keyframe]
        assert max(np.diff([*keys, len(packets)])) <= KEY_EVERY
        assert all(packet.pts == packet.dts for packet in packets)
    with open_video(proxy) as reader:
        frames = reader.clip(times_of(source).tolist())
    assert [read_number(f.repeat(2, 0).repeat(2, 1)) for f in frames] == list(range(60))


@pytest.mark.parametrize("name", ["video_90.mov", "no_duration.webm", "making_cake.mp4"])
def test_real_footage_looks_like_the_source_resized(tmp_path, name, real_data):
    source, proxy = real_data("videos", name), tmp_path / "proxy.mp4"
    made = encode_proxy(source, proxy, 160)
    times = np.linspace(0, made.seconds, 3, endpoint=False).tolist()
    with open_video(source) as reader, open_video(proxy) as other:
        large, small = to_tensor(reader.clip(times)), to_tensor(other.clip(times))
        assert min(small.shape[-2:]) == 160
    wanted = resize_short_side(large, 160)
    width = min(wanted.shape[-1], small.shape[-1])
    height = min(wanted.shape[-2], small.shape[-2])
    apart = wanted[..., :height, :width].float() - small[..., :height, :width].float()
    assert 10 * np.log10(255**2 / float(apart.square().mean())) > 30
    assert probe(proxy).fps == pytest.approx(probe(source).fps, rel=0.02)


def test_full_range_and_other_matrices_keep_their_colours(tmp_path):
    source, proxy = tmp_path / "v.mp4", tmp_path / "proxy.mp4"
    encode(source, even_ticks(10), pix_fmt="yuvj420p", size=(192, 128), colorspace="bt709", crf="5")
    encode_proxy(source, proxy, 128)
    with open_video(source) as reader, open_video(proxy) as other:
        apart = reader.clip([0.1]).astype(int) - other.clip([0.1])
    assert np.abs(apart).mean() < 4


def test_damaged_and_other_files_have_no_proxy(tmp_path):
    whole = encode(tmp_path / "v.mp4", even_ticks(60), g="60", container={"movflags": "faststart"})
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[:-500])
    with pytest.raises(VideoError, match="is truncated"):
        encode_proxy(tmp_path / "cut.mp4", tmp_path / "proxy.mp4", 64)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError, match="not a readable video"):
        encode_proxy(tmp_path / "text.mp4", tmp_path / "proxy.mp4", 64)


def test_a_tick_of_any_length_stays(tmp_path):
    tick = Fraction(1001, 30000)
    source = encode(tmp_path / "v.mkv", range(30), tick=tick)
    encode_proxy(source, tmp_path / "proxy.mp4", 64)
    np.testing.assert_allclose(times_of(tmp_path / "proxy.mp4"), times_of(source), atol=1e-6)
