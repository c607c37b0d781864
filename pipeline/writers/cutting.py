"""Each detection of a video cut out as an MP4 of its own, with sound."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import av

from feature_extraction.video.frame_folder import FrameFolder
from feature_extraction.video.frame_times import TIME_EPSILON
from pipeline.errors import cannot_write
from pipeline.prediction.found import Prediction
from pipeline.progress import say
from pipeline.run_folder.files import atomic_path
from pipeline.writers.film.clip_names import clip_name, is_clip_name
from pipeline.writers.film.encoding import Film
from pipeline.writers.film.sound import Heard, Piece, Track, cut
from pipeline.writers.film.sources import Look, Pictures, Shown, open_pictures

Progress = Callable[[float], object]  # the second of the video that it is at
OPEN_PIXELS = (
    8 * 1920 * 1080
)  # of pictures that are encoded at once: so much memory there is for encoders
MOST_OPEN = 64
GAP = 20.0  # seconds without a clip that are sought over rather than read


class Wanted(NamedTuple):
    """A clip to be cut: seconds of the video, that at `end` not included, and the file."""

    start: float
    end: float
    path: Path


def cut_clips(
    prediction: Prediction,
    folder: Path,
    *,
    source: Path | FrameFolder | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write each detection as an MP4 into a folder; give the files, best first.

    A clip holds the pictures whose times are in [start, end). Detections without one are counted and reported. Clips
    of other detections that were cut into this folder before are removed. `source` as of `render_video`.
    Raises VideoError, and UserError where a file cannot be written.
    """
    source = prediction.source if source is None else source
    wanted = _wanted(prediction, folder)
    made: set[Path] = set()
    for stretch in stretches(wanted, *_limits(source, prediction.duration)):
        with open_pictures(source, prediction.duration) as pictures:
            made |= _Cutter(pictures, stretch).run(progress)
    _clear(folder, made)
    lost = len(wanted) - len(made)
    if lost:
        say(
            f"{prediction.video}: {lost} of {len(wanted)} detections hold no picture (no length, or after "
            "the video's end); no clip is made of them"
        )
    return [clip.path for clip in wanted if clip.path in made]


def _wanted(prediction: Prediction, folder: Path) -> list[Wanted]:
    """A clip for each detection, best first."""
    found = prediction.detections.sort_values("score", ascending=False, kind="stable")
    digits = max(3, len(str(len(found))))
    wanted = []
    rows = zip(found["start"], found["end"], found["label"], found["score"], strict=True)
    for number, (start, end, label, score) in enumerate(rows, start=1):
        name = prediction.name_of(str(label))
        path = folder / clip_name(f"{number:0{digits}d}", name, (start, end), score)
        wanted.append(Wanted(float(start), float(end), path))
    return wanted


def _limits(source: Path | FrameFolder, duration: float) -> tuple[int, float]:
    """How many clips may be open at once, and over how many seconds without one it pays to seek."""
    with open_pictures(source, duration) as pictures:
        width, height = pictures.look.size
        most = OPEN_PIXELS // (width * height)
        return min(max(1, most), MOST_OPEN), GAP if pictures.seeks else math.inf


def stretches(wanted: Sequence[Wanted], most: int, gap: float) -> Iterator[list[Wanted]]:
    """Parts of the video to be read once each: never more than `most` clips at once, nor `gap` seconds without any.

    What is left over of a crowded part is read in a further pass.
    """
    rest = sorted((clip for clip in wanted if clip.end > clip.start), key=lambda clip: clip.start)
    while rest:
        taken: list[Wanted] = []
        left: list[Wanted] = []
        ends: list[float] = []  # of clips that are open
        newest = -math.inf
        for clip in rest:
            ends = [end for end in ends if end > clip.start]
            if len(ends) >= most:
                left.append(clip)
                continue
            if taken and clip.start > newest + gap:
                yield taken
                taken = []
            taken.append(clip)
            ends.append(clip.end)
            newest = max(newest, clip.end)
        yield taken
        rest = left


class _Cutter:
    """One pass over a part of a video, with the clips in it, the earliest first."""

    def __init__(self, pictures: Pictures, wanted: Sequence[Wanted]) -> None:
        self._pictures, self._ahead = pictures, list(wanted)
        self._since, self._end = wanted[0].start, max(clip.end for clip in wanted)
        self._open: list[_Clip] = []
        self._made: set[Path] = set()

    def run(self, progress: Progress | None = None) -> set[Path]:
        """Cut them; give the files that were made."""
        with ExitStack() as stack:
            stack.callback(self._give_up)
            sound = self._sound(stack)
            for shown in self._pictures.shown(self._since):
                self._hear(sound, shown.seconds)
                self._close(shown.seconds)
                if progress is not None:
                    progress(shown.seconds)
                if shown.seconds + TIME_EPSILON >= self._end:
                    break
                self._begin(shown.seconds, sound)
                if self._open:
                    frame = self._pictures.frame(shown)
                    for clip in self._open:
                        clip.show(frame, shown)
            self._hear(sound, max((clip.ends for clip in self._open), default=0.0))
            self._close(math.inf)
        return self._made

    def _sound(self, stack: ExitStack) -> Heard | None:
        pictures = self._pictures
        if pictures.file is None:
            return None
        origin = float(pictures.first_tick * pictures.look.tick)
        since = self._since if pictures.seeks else 0.0
        return stack.enter_context(Heard(pictures.file, origin, since=since))

    def _hear(self, sound: Heard | None, seconds: float) -> None:
        """Give the clips the sound before a time."""
        for piece in sound.until(seconds) if sound is not None else ():
            for clip in self._open:
                clip.hear(piece)

    def _begin(self, seconds: float, sound: Heard | None) -> None:
        """Open the clips that have begun and are not over."""
        while self._ahead and self._ahead[0].start <= seconds + TIME_EPSILON:
            wanted = self._ahead.pop(0)
            if seconds + TIME_EPSILON < wanted.end:
                self._open.append(_Clip(wanted, self._pictures.look, sound))

    def _close(self, seconds: float) -> None:
        """Close the clips that end at or before a time."""
        for clip in [one for one in self._open if one.wanted.end <= seconds + TIME_EPSILON]:
            self._open.remove(clip)
            clip.finish()
            self._made.add(clip.wanted.path)

    def _give_up(self) -> None:
        for clip in self._open:
            clip.give_up()


class _Clip:
    """A clip being written."""

    def __init__(self, wanted: Wanted, look: Look, sound: Heard | None) -> None:
        self.wanted, self.ends = wanted, wanted.end
        self._begun: Shown | None = None
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(wanted.path))
            self._film = stack.enter_context(Film(temporary, look, lean=True))
            self._rate = sound.rate if sound is not None and sound.there else 0
            self._track = (
                Track(self._film, sound.rate, sound.layout) if sound and self._rate else None
            )
            self._tick = float(look.tick)
            self._stack = stack.pop_all()

    def show(self, frame: av.VideoFrame, shown: Shown) -> None:
        if self._begun is None:
            self._begun = shown
        first = self._begun.tick
        last = math.ceil((self.wanted.end - self._begun.seconds) / self._tick)
        with _written(self.wanted.path):
            self._film.show(frame, shown.tick - first, min(shown.until_tick - first, last))
        self.ends = min(self.wanted.end, shown.until)

    def hear(self, piece: Piece) -> None:
        if self._track is None or self._begun is None:
            return
        inside = cut(cut(piece, self._begun.seconds, self._rate)[1], self.wanted.end, self._rate)[0]
        if inside.samples.size:
            with _written(self.wanted.path):
                self._track.put(inside._replace(seconds=inside.seconds - self._begun.seconds))

    def finish(self) -> None:
        with self._stack:
            if self._track is not None:
                self._track.finish()
            self._film.finish()

    def give_up(self) -> None:
        """Leave no file behind."""
        with suppress(Exception), self._stack:
            raise RuntimeError("given up")


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Turn what the system refuses while a file is written into the user's line."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def _clear(folder: Path, made: set[Path]) -> None:
    """Remove clips of an earlier cutting that are none now."""
    if folder.is_dir():
        for path in folder.iterdir():
            if path not in made and is_clip_name(path.name) and path.is_file():
                path.unlink()
