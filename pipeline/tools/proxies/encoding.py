"""One video to its proxy: every frame of it at its time, small, with key frames close together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from feature_extraction.video.content.pictures import CONVERT_OPTIONS
from feature_extraction.video.opening import check_file
from feature_extraction.video.pyav_file import VideoFile
from feature_extraction.video.pyav_opening import open_container
from feature_extraction.video.reader import VideoError
from pipeline.data.proxies.form import OPTIONS, proxy_size
from pipeline.writers.film.encoding import Film
from pipeline.writers.film.sources import MOST_RATE, USUAL_RATE, Look
from pipeline.writers.film.upright import FORMAT, FULL, OLD_FULL, Upright, planes, turned_plane

Shown = tuple[av.VideoFrame, int, int]  # from which tick until which, from the first frame on
_BEAT_FRAMES = 32


@dataclass(frozen=True)
class Encoded:
    """A proxy that was written: its frames and seconds.

    And what its source says of itself: frames per second (0.0: not known), and seconds, else those of the proxy.
    """

    frames: int
    seconds: float
    fps: float
    duration: float


def encode_proxy(
    source: Path, target: Path, side: int, heartbeat: Callable[[], object] = lambda: None
) -> Encoded:
    """Write the proxy of a video, its shorter side `side` pixels where the video's is larger.

    Every frame is there, shown as long as in the source, turned and mirrored as that says, without sound. Raises
    VideoError if the source is damaged, and where what was written does not hold its times; OSError.
    """
    check_file(source)
    with closing(VideoFile(source, allow_partial=False, threads=1)) as video:
        smaller = Smaller(video.first_frame, side)
        look = _look(video, smaller)
        ticks: list[int] = []
        until = 0
        with Film(target, look, options=OPTIONS) as film:
            for frame, tick, until in shown_frames(video):
                film.show(smaller(frame), tick, until)
                ticks.append(tick)
                if len(ticks) % _BEAT_FRAMES == 0:
                    heartbeat()
            film.finish()
        video.check_end(until * video.head.tick)
        if any(video.damaged(until * video.head.tick)):
            raise VideoError(f"{source}: is damaged; get the file again")
        _require_times(source, target, np.array(ticks), look.tick)
        seconds = until * video.head.tick
        duration = video.head.known_duration()
        return Encoded(
            len(ticks), seconds, video.head.fps, seconds if duration is None else duration
        )


def shown_frames(video: VideoFile) -> Iterator[Shown]:
    """Every frame of an open file, with the ticks from which and until which it is shown."""
    held: tuple[av.VideoFrame, int] | None = None
    gap = 0
    for frame in (frame for item in video.items() for frame in video.decode(item)):
        tick = video.ticks(frame) - video.head.first
        if held is not None:
            gap = tick - held[1]
            yield (*held, tick)
        held = frame, tick
    if held is not None:
        seconds = video.shown_seconds(held[0], gap * video.head.tick)
        yield (*held, held[1] + max(1, round(seconds / video.head.tick)))


class Smaller:
    """Frames as displayed, yuv420p in limited range, of the size of a proxy; by the first frame's size and tags."""

    def __init__(self, first: av.VideoFrame, side: int) -> None:
        upright = Upright(first)
        self.turned, self.colours = upright.turned, upright.colours
        stored = (first.width, first.height)
        self.size = proxy_size(*(stored[::-1] if self.turned[0] else stored), side)
        self._scaled = self.size[::-1] if self.turned[0] else self.size
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A frame of its own."""
        options: dict[str, Any] = dict(CONVERT_OPTIONS)
        if int(frame.color_range) == FULL or frame.format.name.startswith(OLD_FULL):
            options |= {"dst_color_range": "MPEG"}
        width, height = self._scaled
        plain = self._reformatter.reformat(
            frame, width=width, height=height, format=FORMAT, interpolation="BICUBIC", **options
        )
        made = av.VideoFrame(*self.size, FORMAT)
        for source, target in zip(planes(plain), planes(made), strict=True):
            target[:] = turned_plane(source, self.turned)
        return made


def _look(video: VideoFile, smaller: Smaller) -> Look:
    rate = Fraction(video.head.fps).limit_denominator(1001)
    return Look(
        smaller.size,
        Fraction(video.head.stream.time_base or 0),
        rate if 0 < rate <= MOST_RATE else USUAL_RATE,
        None,  # pixels are taken as they are stored, as all readers take them
        smaller.colours,
    )


def _require_times(source: Path, proxy: Path, ticks: np.ndarray, tick: Fraction) -> None:
    """Hold the times in a written file against those of its source. Raises VideoError."""
    with open_container(proxy) as container:
        stream = container.streams.video[0]
        written = [p.pts for p in container.demux(stream) if p.pts is not None]
        unit = Fraction(stream.time_base or 0) / tick
    same = len(written) == len(ticks)
    if not same or np.abs(np.array(written) * float(unit) - ticks).max() > 0.5 * float(unit):
        raise VideoError(
            f"{source}: its frames' times cannot be kept in a proxy; re-encode it (ffmpeg -i IN OUT.mp4)"
        )
