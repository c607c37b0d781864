"""Other files with the same pictures, other pictures, and files that are no videos."""

from __future__ import annotations

import os
from pathlib import Path

import av


def reencode(path: Path) -> None:
    """The same video, encoded again at another quality."""
    other = path.with_name("new.mp4.partial")
    with av.open(str(path)) as source, av.open(str(other), "w", format="mp4") as target:
        shown = source.streams.video[0]
        stream = target.add_stream("libx264", rate=shown.average_rate)
        stream.width, stream.height, stream.pix_fmt = shown.width, shown.height, "yuv420p"
        stream.options = {"crf": "36", "preset": "ultrafast", "threads": "1"}
        for frame in source.decode(shown):
            frame.pict_type = 0
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    os.replace(other, path)


def shorten(path: Path, *, seconds: float) -> None:
    """Its first seconds, encoded again."""
    other = path.with_name("new.mp4.partial")
    with av.open(str(path)) as source, av.open(str(other), "w", format="mp4") as target:
        shown = source.streams.video[0]
        stream = target.add_stream("libx264", rate=shown.average_rate)
        stream.width, stream.height, stream.pix_fmt = shown.width, shown.height, "yuv420p"
        stream.options = {"crf": "18", "preset": "ultrafast", "threads": "1"}
        for frame in source.decode(shown):
            if frame.time < seconds:
                frame.pict_type = 0
                target.mux(stream.encode(frame))
        target.mux(stream.encode())
    os.replace(other, path)


def remux(path: Path, ending: str = ".mp4", **options: str) -> None:
    """The same pictures in another container; the old file is gone."""
    other = path.with_name("new.partial")
    form = {".mp4": "mp4", ".mkv": "matroska"}[ending]
    with (
        av.open(str(path)) as source,
        av.open(str(other), "w", format=form, options=options) as target,
    ):
        shown = source.streams.video[0]
        stream = target.add_stream_from_template(shown)
        for packet in source.demux(shown):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    path.unlink()
    os.replace(other, path.with_suffix(ending))


def as_frames(videos: Path, target: Path, pattern: str) -> None:
    """Each video as a folder of its frames, numbered from 1."""
    for path in sorted(videos.glob("*.mp4")):
        folder = target / path.stem
        folder.mkdir(parents=True)
        with av.open(str(path)) as source:
            for number, frame in enumerate(source.decode(video=0), start=1):
                frame.to_image().save(folder / (pattern % number), quality=90)


def renumber(folder: Path, pattern: str, first: int) -> None:
    """The frames of a folder under other names, in the same order."""
    for ending in (".aside", ""):
        for number, path in enumerate(sorted(folder.iterdir()), start=first):
            # wide at first, so that sorting is by number again
            path.rename(folder / (f"{number:09d}{ending}" if ending else pattern % number))


def flip_bit(path: Path, *, keep_time: bool = False) -> None:
    """Change one bit in the middle of a file."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(path: Path) -> None:
    """Only its first half stays."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def touch(path: Path) -> None:
    """Another time of writing, an hour ago."""
    then = path.stat().st_mtime - 3600
    os.utime(path, (then, then))


def link(path: Path) -> None:
    """A link to its own content, which is beside it."""
    real = path.with_name(f"real_{path.name}.moved")
    path.rename(real)
    path.symlink_to(real.name)


def swap(one: Path, other: Path) -> None:
    """Exchange two files."""
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
