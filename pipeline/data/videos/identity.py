"""Which video a file is: known by its content, wherever it is and whenever it was written.

Size and time are a quick look; where they differ from what was seen before, a digest of the size and of
a fixed sample of the bytes decides. Of a folder of frames it is how many there are, which are missing, and a
sample: how they are named, and what else is there, changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from feature_extraction.frame_listing import chosen_set
from feature_extraction.frame_names import FrameSet
from feature_extraction.video.frame_folder import FrameFolder
from pipeline.data.remote.videos import RemoteVideo
from pipeline.data.videos.finding import Source
from pipeline.run_folder.files import write_json

SOURCES = "sources.json"
_WHOLE = 4 << 20  # bytes; a file up to this size is read whole
_PIECE, _PIECES = 64 << 10, 16  # of a larger one: bytes, and how many, from start to end
_FRAMES = 16  # of a folder: frames whose bytes are read
_ONCE = "frame_%010d.jpg"  # how all frames were named once; an older memory does not say it
_READERS = 16  # threads, which wait for disks and stores
_AT_ONCE = 32  # videos that a thread takes at a time


@dataclass(frozen=True)
class Sighting:
    """A video file as it was seen: bytes, time of change [ns], and the digest that says which video it is.

    Of a folder of frames `size` counts them, and `names` is their pattern.
    """

    size: int
    mtime_ns: int
    digest: str
    names: str = ""


_SIGHTINGS = TypeAdapter(dict[str, Sighting])


def identify(
    sources: Mapping[str, Source], before: Mapping[str, Sighting], *, verify: bool = False
) -> dict[str, Sighting]:
    """Each video as it is now; the bytes of one that looks as `before` are not read, unless to `verify`.

    One that cannot be read is not there: the stage that reads it says why.
    """
    if not sources:
        return {}
    items = list(sources.items())

    def look(first: int) -> list[Sighting | None]:
        part = items[first : first + _AT_ONCE]
        return [_look(source, None if verify else before.get(video)) for video, source in part]

    with ThreadPoolExecutor(_READERS) as pool:
        found = chain.from_iterable(pool.map(look, range(0, len(items), _AT_ONCE)))
        seen = dict(zip(sources, found, strict=True))
    return {video: sighting for video, sighting in seen.items() if sighting is not None}


def read_sightings(folder: Path) -> dict[str, Sighting]:
    """The videos as a run saw them last; none where that is not known. It is a memory, and no result."""
    try:
        return _SIGHTINGS.validate_json((folder / SOURCES).read_bytes())
    except (OSError, ValidationError, ValueError):
        return {}


def write_sightings(folder: Path, sightings: Mapping[str, Sighting]) -> None:
    """Remember them. Raises UserError if the folder cannot be written."""
    write_json(folder / SOURCES, {video: asdict(seen) for video, seen in sightings.items()})


def _look(source: Source, before: Sighting | None) -> Sighting | None:
    if isinstance(source, FrameFolder):
        return _look_at_frames(source, before)
    if isinstance(source, RemoteVideo):
        if source.lies_at is None:
            return _look_in_store(source, before)
        source = source.lies_at
    try:
        found = os.stat(source)
        if before is not None and (before.size, before.mtime_ns) == (
            found.st_size,
            found.st_mtime_ns,
        ):
            return before
        digest = _sampled(source, found.st_size) if stat.S_ISREG(found.st_mode) else "no file"
        return Sighting(found.st_size, found.st_mtime_ns, digest)
    except OSError:
        return None


def _sampled(path: Path, size: int) -> str:
    with path.open("rb") as stream:
        return _digest(
            size, (os.pread(stream.fileno(), end - start, start) for start, end in _sample(size))
        )


def _sample(size: int) -> list[tuple[int, int]]:
    """Where the bytes [start, end) lie that distinguish a file of a given size from others."""
    if size <= _WHOLE:
        return [(0, size)]
    starts = [(size - _PIECE) * piece // (_PIECES - 1) for piece in range(_PIECES)]
    return [(start, start + _PIECE) for start in starts]


def _digest(size: int, pieces: Iterable[bytes]) -> str:
    state = hashlib.sha256(str(size).encode())
    for piece in pieces:
        state.update(piece)
    return state.hexdigest()


def _look_in_store(source: RemoteVideo, before: Sighting | None) -> Sighting | None:
    """The same digest as of a file; its version in the store is the quick look."""
    try:
        known = source.known()
        version = int.from_bytes(hashlib.sha256(known.tag.encode()).digest()[:6], "big")
        if before is not None and (before.size, before.mtime_ns) == (known.size, version):
            return before
        digest = _digest(known.size, source.pieces(_sample(known.size)))
        return Sighting(known.size, version, digest)
    except ValueError:  # the store does not give it: reading it says why
        return None


def _look_at_frames(source: FrameFolder, before: Sighting | None) -> Sighting | None:
    """The folder's time changes with the names in it, a sampled frame's with its bytes."""
    told = json.dumps([source.rates, source.duration])
    try:
        folder = os.stat(source.folder)
        frames = chosen_set(source.folder, source.pattern)
        size = len(frames.numbers)
        count = min(_FRAMES, size)
        places = [(size - 1) * k // max(1, count - 1) for k in range(count)]
        sample = [source.folder / frames.pattern.name(frames.numbers[k]) for k in places]
        stats = [os.stat(path) for path in sample]
        newest = max([folder.st_mtime_ns, *(found.st_mtime_ns for found in stats)])
        names = str(frames.pattern)
        if (
            before is not None
            and (before.size, before.mtime_ns) == (size, newest)
            and (before.names or _ONCE) == names
            and before.digest.startswith(_rates(told))
        ):
            return before
        state = hashlib.sha256(told.encode() + _as_first_named(frames))
        for path, found in zip(sample, stats, strict=True):
            if stat.S_ISREG(found.st_mode):
                state.update(path.read_bytes())
        return Sighting(size, newest, _rates(told) + state.hexdigest(), names)
    except (OSError, ValueError):  # several patterns, none: the reader says it
        return None


def _as_first_named(frames: FrameSet) -> bytes:
    """The frames' names as they would be if counted from 1 and named as EPIC-KITCHENS-100 names them."""
    first = frames.numbers[0] - 1
    return "\0".join(f"frame_{number - first:010d}.jpg" for number in frames.numbers).encode()


def _rates(told: str) -> str:
    return hashlib.sha256(told.encode()).hexdigest()[:8] + "-"
