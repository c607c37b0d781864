"""Whether two files hold the same pictures at the same times: found without decoding, and never claimed wrongly."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import pytest
from helpers.numbered_videos import encode, even_ticks, uneven_ticks

from feature_extraction.pictures import pictures_of

FPS = 15.0


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A file with B-frames, whose packets do not lie in the order they are shown in."""
    return encode(tmp_path_factory.mktemp("video") / "a.mp4", even_ticks(60), bf="2", g="20")


def remux(
    source: Path, target: Path, *, keep=lambda number: True, shift: int = 0, **container: str
) -> Path:
    """The same packets in another file, `shift` ticks later; those that `keep` says."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=container) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.size]
        order = sorted(packet.pts for packet in packets)
        delay = max(time - packet.pts for time, packet in zip(order, packets, strict=True))
        for number, packet in enumerate(packets):
            if keep(number):
                # Matroska does not say when each is to be decoded
                packet.pts, packet.dts = packet.pts + shift, order[number] - delay + shift
                packet.stream = stream
                new.mux(packet)
    return target


@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("b.mp4", {}),
        ("b.mp4", {"movflags": "faststart"}),
        ("b.mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("b.mov", {}),
        ("b.mkv", {}),
    ],
)
def test_a_file_that_was_packed_anew_is_the_same(video, tmp_path, name, container):
    other = remux(video, tmp_path / name, **container)
    assert other.read_bytes() != video.read_bytes()
    assert pictures_of(other, FPS) == pictures_of(video, FPS) is not None


def test_it_is_the_same_after_several_hands(video, tmp_path):
    there = remux(video, tmp_path / "b.mkv")
    back = remux(there, tmp_path / "c.mp4")
    assert pictures_of(remux(back, tmp_path / "d.mov"), FPS) == pictures_of(video, FPS)


def test_the_same_file_is_the_same_wherever_it_lies(video, tmp_path):
    other = tmp_path / "other.bin"
    other.write_bytes(video.read_bytes())
    assert pictures_of(other, FPS) == pictures_of(str(video), FPS)


def test_another_start_on_the_clock_is_no_other_time(video, tmp_path):
    for name in ("late.mp4", "late.mkv"):
        late = remux(video, tmp_path / name, shift=180000)
        with av.open(str(late)) as file:
            assert next(file.decode(video=0)).time > 1.9
        assert pictures_of(late, FPS) == pictures_of(video, FPS)


OTHER = {
    "other pictures": lambda path: encode(path, even_ticks(60), bf="2", g="20", crf="40"),
    "another size": lambda path: encode(path, even_ticks(60), bf="2", g="20", size=(128, 64)),
    "other times": lambda path: encode(path, uneven_ticks(60), bf="2", g="20"),
    "twice as slow": lambda path: encode(path, [2 * t for t in even_ticks(60)], bf="2", g="20"),
    "fewer frames": lambda path: encode(path, even_ticks(59), bf="2", g="20"),
    "another codec": lambda path: encode(
        path, list(range(60)), codec="mpeg4", tick=Fraction(1, 30), bf="2"
    ),
}


@pytest.mark.parametrize("how", OTHER)
def test_other_pictures_or_times_are_others(video, tmp_path, how):
    other = pictures_of(OTHER[how](tmp_path / "b.mp4"), FPS)
    assert other is not None and other != pictures_of(video, FPS)


def test_a_part_of_it_is_another(video, tmp_path):
    for number, keep in enumerate((lambda n: n < 40, lambda n: n != 59, lambda n: n >= 20)):
        part = remux(video, tmp_path / f"{number}.mkv", keep=keep)
        assert pictures_of(part, FPS) != pictures_of(video, FPS)


def test_the_same_pictures_in_another_order_are_others(tmp_path):
    """Every frame a picture of its own, so that any order is a sound file."""
    first = encode(tmp_path / "a.mkv", even_ticks(20), codec="mjpeg", pix_fmt="yuvj420p")
    with av.open(str(first)) as old:
        packets = [bytes(packet) for packet in old.demux(video=0) if packet.size]
        template = old.streams.video[0]
        unit = template.time_base

        def write(path, order):
            with av.open(str(path), "w") as new:
                stream = new.add_stream_from_template(template)
                for place, number in enumerate(order):
                    packet = av.Packet(packets[number])
                    packet.pts = packet.dts = round(place / 30 / unit)
                    packet.time_base, packet.stream = unit, stream
                    packet.is_keyframe = True
                    new.mux(packet)
            return pictures_of(path, FPS)

        forward = write(tmp_path / "b.mkv", range(20))
        assert forward == write(tmp_path / "c.mkv", range(20)) is not None
        assert forward != write(tmp_path / "d.mkv", [1, 0, *range(2, 20)])


def test_times_count_as_far_as_the_rate_that_is_asked_for_shows_them(tmp_path):
    """A frame a little later is shown at the same moments of a slow rate, and at others of a fast one."""
    ticks = even_ticks(30)
    moved = [*ticks[:10], ticks[10] + 200, *ticks[11:]]
    options = {"codec": "mjpeg", "pix_fmt": "yuvj420p"}
    one = encode(tmp_path / "a.mkv", ticks, **options)
    two = encode(tmp_path / "b.mkv", moved, **options)
    assert pictures_of(one, 10.0) == pictures_of(two, 10.0)
    assert pictures_of(one, 997.0) != pictures_of(two, 997.0)
    assert pictures_of(one, 10.0) != pictures_of(one, 20.0)


def test_turned_pictures_are_others(video, tmp_path):
    """A phone's file says beside the pictures which way up they are."""
    turned = tmp_path / "turned.mp4"
    content = video.read_bytes()
    upright = bytes.fromhex(
        "00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000"
    )
    quarter = bytes.fromhex(
        "00000000 00010000 00000000 ffff0000 00000000 00000000 00000000 00000000 40000000"
    )
    track = content.index(b"tkhd")
    place = content.index(upright, track)
    turned.write_bytes(content[:place] + quarter + content[place + len(upright) :])
    found = pictures_of(turned, FPS)
    assert found is not None and found != pictures_of(video, FPS)


def cut(video: Path, path: Path) -> None:
    path.write_bytes(video.read_bytes()[: video.stat().st_size // 2])


def sound(path: Path) -> None:
    with av.open(str(path), "w", format="wav") as file:
        stream = file.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.rate = 8000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


NOTHING = {
    "cut off": cut,
    "AVI, which tells no presentation times": lambda video, path: encode(
        path.with_suffix(".avi"), list(range(30)), codec="mpeg4", tick=Fraction(1, 30)
    ).rename(path),
    "text": lambda video, path: path.write_text("not a video"),
    "empty": lambda video, path: path.write_bytes(b""),
    "sound alone": lambda video, path: sound(path),
    "a folder": lambda video, path: path.mkdir(),
    "a link to nowhere": lambda video, path: path.symlink_to(path.with_name("nowhere")),
    "nothing": lambda video, path: None,
}


@pytest.mark.parametrize("how", NOTHING)
def test_of_what_tells_nothing_nothing_is_claimed(video, tmp_path, how):
    path = tmp_path / "b.mp4"
    NOTHING[how](video, path)
    assert pictures_of(path, FPS) is None


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    assert pictures_of(tmp_path / "a.mp4", FPS) is None
