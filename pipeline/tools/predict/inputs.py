"""What `predict` is given: files, folders, patterns and lists of paths, as videos with a name each."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from feature_extraction.frame_listing import FrameNamesError, chosen_set
from feature_extraction.plain_files import what_else
from feature_extraction.store import FeatureFileError, feature_path
from feature_extraction.video.frame_folder import FrameFolder
from pipeline.data.names import PREVIEWS, VIDEO_ENDINGS, one_form, split_ending, without_ending
from pipeline.data.videos.finding import Source
from pipeline.errors import UserError, cannot_read
from pipeline.plain_files import read_text
from pipeline.tools.predict.written import Written

LISTS = frozenset({".txt", ".lst", ".list"})  # files of paths, one per line
_WILD = ("*", "?", "[")


@dataclass(frozen=True)
class Frames:
    """How folders of frames are read: frames per second, and how frames are named; None: not said."""

    fps: float | None = None
    pattern: str | None = None


def find_inputs(
    given: Sequence[str], frames: Frames | None = None, *, aside: Path | None = None
) -> dict[str, Source]:
    """The videos that are meant, by name: a file's name without its ending, with folders before it where two are equal.

    A folder stands for the videos in it and below, or is a folder of frames; a pattern (`*`, `**`) for what
    matches; a file ending in .txt for the paths in it. What `predict` wrote, into `aside` and before, is left alone
    unless it is named itself. Raises UserError for what is not there, is not a video, or cannot have a name.
    """
    frames, written = frames or Frames(), Written(aside)
    paths = list(dict.fromkeys(path for text in given for path in _meant(text, frames, written)))
    distinct = {os.path.realpath(path): path for path in reversed(paths)}
    kept = [path for path in paths if distinct[os.path.realpath(path)] == path]
    names = _names(kept)
    return {name: _source(path, frames) for name, path in names.items()}


def _meant(text: str, frames: Frames, written: Written) -> Iterator[Path]:
    """The video files and folders of frames that a word of the command line means."""
    _require_no_stream(text)
    path = Path(text)
    if not os.path.lexists(path):
        if any(sign in text for sign in _WILD):
            yield from _matching(text, frames, written)
            return
        raise UserError(f"{text}: no such file or folder")
    if path.is_dir():
        yield from _below(path, frames, written)
    elif path.suffix.lower() in LISTS:
        yield from _listed(path, frames, written)
    else:
        other = what_else(path)
        if other is not None:
            raise UserError(f"{text}: is {other}, not a video file")
        yield path


def _require_no_stream(text: str) -> None:
    """Refuse what is not a file: an address, a camera, standard input. Raises UserError."""
    if not text.strip():
        raise UserError("a video's path is empty; name a file or a folder")
    if "://" in text and not os.path.lexists(text):
        raise UserError(
            f"{text}: an address or a live source is not a video file; save it to a file and give that file"
        )
    if text == "-":
        raise UserError(
            "-: standard input is not a video file; save it to a file and give that file"
        )
    if (text.isdigit() and not os.path.lexists(text)) or text.startswith("/dev/"):
        raise UserError(
            f"{text}: a camera or device is not a video file; record it to a file and give that file"
        )


def _matching(pattern: str, frames: Frames, written: Written) -> Iterator[Path]:
    paths = [Path(text) for text in sorted(glob.glob(pattern, recursive=True))]
    root = _before_signs(pattern)
    videos = [
        path for path in paths if path.is_dir() or split_ending(path.name)[1] in VIDEO_ENDINGS
    ]
    own = [path for path in videos if written.has(path, root)]
    videos = [path for path in videos if path not in set(own)]
    if not videos:
        of_predict = f", and {len(own)} were written by predict (to use these, name them)"
        what = f"none of the {len(paths)} matches is a video" if paths else "nothing matches"
        what += of_predict * bool(own)
        raise UserError(f"{pattern}: {what}; quote the pattern, and use ** for subfolders")
    for path in videos:
        if not path.is_dir():
            yield path
        elif not any(other != path and other.is_relative_to(path) for other in videos):
            yield from _below(path, frames, written)


def _before_signs(pattern: str) -> Path:
    """The folder that a pattern looks in: what stands before its first sign."""
    parts = Path(pattern).parts
    place = next(i for i, part in enumerate(parts) if any(sign in part for sign in _WILD))
    return Path(*parts[:place])


def _listed(path: Path, frames: Frames, written: Written) -> Iterator[Path]:
    """What the lines of a file mean: paths from the working folder, or from the file's."""
    try:
        lines = read_text(path).splitlines()
    except OSError as error:
        raise cannot_read(path, error) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not a text file of paths, one per line ({error})") from error
    texts = [line.strip() for line in lines]
    texts = [text for text in texts if text and not text.startswith("#")]
    if not texts:
        raise UserError(f"{path}: names no video; write one path per line")
    for text in texts:
        beside = path.parent / text
        if Path(text).suffix.lower() in LISTS:
            raise UserError(f"{path}: {text}: a list inside a list is not read; give it separately")
        try:
            yield from _meant(
                str(beside) if not os.path.lexists(text) and beside.exists() else text,
                frames,
                written,
            )
        except UserError as error:
            raise UserError(f"{path}: {error.message}") from error


def _below(folder: Path, frames: Frames, written: Written) -> Iterator[Path]:
    """The videos in a folder and below; where there is none, the folder as one of frames, or those below."""
    files, folders, own = _walked(folder, written)
    names = {str(path.with_suffix("")) for path in files if path.suffix.lower() not in PREVIEWS}
    files = [
        path
        for path in files
        if path.suffix.lower() not in PREVIEWS or str(path.with_suffix("")) not in names
    ]
    if files:
        yield from files
        return
    of_frames = [path for path in folders if _holds_frames(path, frames)]
    if not of_frames:
        but = f" but {own} that predict wrote (name those that are meant)" if own else ""
        raise UserError(f"{folder}: holds no video{but}, and no numbered frames")
    yield from of_frames


def _walked(folder: Path, written: Written) -> tuple[list[Path], list[Path], int]:
    """The video files in a folder and below, all folders, and how many of both `predict` wrote; no hidden ones."""
    files: list[Path] = []
    own = 0
    folders: list[Path] = []

    def refuse(error: OSError) -> None:
        raise cannot_read(Path(error.filename or folder), error) from error

    for place, inside, names in os.walk(folder, onerror=refuse):
        here = Path(place)
        shown = sorted(n for n in inside if not n.startswith("."))
        inside[:] = [n for n in shown if not written.has(here / n, folder)]
        folders.append(here)
        videos = [
            here / name
            for name in sorted(names)
            if split_ending(name)[1] in VIDEO_ENDINGS and not name.startswith(".")
        ]
        mine = [path for path in videos if not written.has(path, folder)]
        files += mine
        own += len(shown) - len(inside) + len(videos) - len(mine)
    return files, folders, own


def _holds_frames(folder: Path, frames: Frames) -> bool:
    try:
        chosen_set(folder, frames.pattern)
    except FrameNamesError as error:
        return "patterns" in str(error)  # which reading it says
    return True


def _source(path: Path, frames: Frames) -> Source:
    if not path.is_dir():
        return path
    if frames.fps is None:
        raise UserError(
            f"{path}: is a folder of frames whose rate is not known; give --frame-fps RATE"
        )
    return FrameFolder(path, (frames.fps,), None, frames.pattern)


def _names(paths: Sequence[Path]) -> dict[str, Path]:
    """A name for each path: its own, or with as many folders before it as tell equal ones apart.

    In one folder the ending does: `match.avi` and `match.mp4` keep theirs.
    """
    parts = {path: _name_parts(path) for path in paths}
    count = Counter(parts.values())
    for path in [path for path in paths if count[parts[path]] > 1]:
        parts[path] = (*parts[path][:-1], one_form(path.name))
    depth = dict.fromkeys(paths, 1)
    while True:
        called: dict[str, list[Path]] = {}
        for path in paths:
            called.setdefault("/".join(parts[path][-depth[path] :]), []).append(path)
        equal = [path for group in called.values() if len(group) > 1 for path in group]
        deeper = [path for path in equal if depth[path] < len(parts[path])]
        if not deeper:
            break
        for path in deeper:
            depth[path] += 1
    if equal:
        some = ", ".join(str(path) for path in equal[:2])
        raise UserError(f"{some}: videos with the same name; rename one, or give one at a time")
    for name, (path, *_) in called.items():
        try:
            feature_path("", name)
        except FeatureFileError as error:
            raise UserError(f"{path}: {error}") from error
    return {name: path for name, (path, *_) in called.items()}


def _name_parts(path: Path) -> tuple[str, ...]:
    """The folders of a path and its name without the ending of a video."""
    whole = Path(os.path.abspath(path))
    name = whole.name if path.is_dir() else without_ending(whole.name)
    return tuple(one_form(part) for part in (*whole.parts[1:-1], name))
