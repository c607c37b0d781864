"""What is in the place of videos that are missing: unfinished downloads, other spellings, dead links, ..."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from feature_extraction.frame_listing import FrameNamesError, chosen_set, list_folder
from feature_extraction.frame_names import PICTURES, is_numbered_picture
from pipeline.configuration.sections.urls import Url
from pipeline.data.names import VIDEO_ENDINGS, one_form, other_prefix, split_ending, without_ending
from pipeline.errors import cannot_read

# Endings that browsers and downloaders give to what is not finished.
UNFINISHED = frozenset({
    ".part", ".partial", ".crdownload", ".download", ".opdownload", ".filepart", ".tmp",
    ".temp", ".ytdl", ".aria2", ".aria2__temp", ".!ut", ".!qb", ".bc!",
})  # fmt: skip
_FRAGMENT = re.compile(r"\.part-frag[0-9]+", re.IGNORECASE)  # an ending
_STREAM = re.compile(
    r"\.f[0-9]+(-[0-9]+)?", re.IGNORECASE
)  # v00.f137.mp4: pictures without the sound
_APART = re.compile(r"[\s_.\-]+")
# What is reported about each kind; the first that is found of a video counts.
_SAID = {
    "unfinished": "an unfinished download",
    "link": "a link to {why}, which does not exist",
    "folder": "a folder {why}",
    "case": "{video} is spelled differently (upper and lower case)",
    "spelling": "{video} is spelled differently",
    "ending": "it does not have a video file extension (.mp4, .mkv, ...)",
    "longer": "a longer name that contains {video}",
}
_LEAST = 5  # letters of an id that is looked for in longer names
_MOST = 50  # videos that are


@dataclass
class _Lying:
    """What is below a folder, by the name a video would have: what to show, by kind."""

    unfinished: dict[str, str] = field(default_factory=dict)
    link: dict[str, os.DirEntry[str]] = field(default_factory=dict)
    folder: dict[str, Path] = field(default_factory=dict)
    case: dict[str, str] = field(default_factory=dict)
    spelling: dict[str, str] = field(default_factory=dict)
    ending: dict[str, str] = field(default_factory=dict)
    videos: list[str] = field(default_factory=list)


def near_misses(folder: Path | Url, missing: Sequence[str], pattern: str | None = None) -> str:
    """A sentence on what is below a folder where videos are missing, of each kind one and how many; "" for nothing.

    `pattern`: how frames are named (`dataset.frames`). Of an address nothing is reported. Raises UserError if one
    may not look.
    """
    if isinstance(folder, Url):
        return ""
    try:
        lying = _look(folder)
    except OSError as error:
        raise cannot_read(folder, error) from error
    kinds: dict[str, list[str]] = {}
    for place, video in enumerate(missing):
        found = _near(one_form(video), lying, pattern, longer=place < _MOST)
        if found is not None:
            kind, text = found
            kinds.setdefault(kind, []).append(text)
    order = [kind for kind in _SAID if kind in kinds]
    return "; ".join(
        kinds[kind][0] + (f" ({len(kinds[kind])} such)" if len(kinds[kind]) > 1 else "")
        for kind in order
    )


def _near(
    video: str, lying: _Lying, pattern: str | None, *, longer: bool
) -> tuple[str, str] | None:
    """The kind of what is there for a video, and what is reported about it."""
    stem = without_ending(video)
    names = dict.fromkeys((video, stem, other_prefix(video), other_prefix(stem)))
    for kind in ("unfinished", "link", "folder", "case", "spelling", "ending"):
        by_name: Mapping[str, str | Path | os.DirEntry[str]] = getattr(lying, kind)
        for name in names:
            key = {"case": _caseless, "spelling": _loose}.get(kind, str)(name)
            if (shown := by_name.get(key)) is not None:
                why = ""
                if not isinstance(shown, str):
                    linked = isinstance(shown, os.DirEntry)
                    why = os.readlink(shown) if linked else _why(Path(shown), pattern)
                text = _SAID[kind].format(video=video, why=why)
                return kind, f"{shown if isinstance(shown, str) else shown.name} exists: {text}"
    if longer and len(stem) >= _LEAST:
        for name in lying.videos:
            if stem in name:
                return "longer", f"{name} exists: {_SAID['longer'].format(video=video)}"
    return None


def _why(folder: Path, pattern: str | None) -> str:
    """Why a folder is not a video."""
    try:
        names = os.listdir(folder)
        if not names:
            return "that is empty"
        chosen_set(folder, pattern)
    except FrameNamesError:
        sets = list_folder(folder).sets
        if sets and pattern is not None:
            return (
                f"without frames {pattern} (dataset.frames): it holds {list_folder(folder).shown()}"
            )
        if not sets:
            return "that holds no numbered frames (img_00001.jpg, ...) and no video of this name"
    except OSError as error:
        return f"that cannot be read ({error.strerror})"
    return "of frames next to a video of another name; set dataset.frames if these are its frames"


def _look(folder: Path) -> _Lying:
    lying = _Lying()
    for path, entry in _everything(folder, set()):
        name = one_form(entry.name)
        if path is not None:
            lying.folder.setdefault(without_ending(name), path)
        elif entry.is_symlink() and not os.path.exists(entry.path):
            lying.link.setdefault(without_ending(name), entry)
        else:
            _file(name, lying)
    return lying


def _file(name: str, lying: _Lying) -> None:
    stem, unfinished = name.lstrip("."), False
    while True:
        rest, ending = split_ending(stem)
        if ending in UNFINISHED or _FRAGMENT.fullmatch(ending):
            unfinished, stem = True, rest
        elif ending in VIDEO_ENDINGS or (unfinished and _STREAM.fullmatch(ending)):
            stem = rest
            if not unfinished:
                break
        else:
            break
    if unfinished:
        lying.unfinished.setdefault(stem, name)
    elif stem != name.lstrip("."):
        lying.videos.append(name)
        lying.case.setdefault(_caseless(stem), name)
        lying.spelling.setdefault(_loose(stem), name)
    else:
        _no_video(name, lying)


def _no_video(name: str, lying: _Lying) -> None:
    stem, ending = split_ending(name)
    if ending in PICTURES:
        return
    blank = split_ending(name.strip())[1]
    if blank in VIDEO_ENDINGS:  # behind the ending
        lying.spelling.setdefault(_loose(without_ending(name.strip())), repr(name))
        return
    while True:
        lying.ending.setdefault(stem, name)
        if not ending:
            break
        stem, ending = split_ending(stem)  # v00.mp4.zip, v00.tar.gz


def _everything(folder: Path, seen: set[str]) -> Iterator[tuple[Path | None, os.DirEntry[str]]]:
    """Every entry below a folder but numbered pictures; of folders with their path."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    with os.scandir(folder) as listed:
        entries = sorted(listed, key=lambda entry: entry.name)
    for entry in entries:
        if is_numbered_picture(entry.name):
            continue
        if os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir():
            yield folder / entry.name, entry
            yield from _everything(folder / entry.name, seen)
        else:
            yield None, entry


def _caseless(name: str) -> str:
    return name.casefold()


def _loose(name: str) -> str:
    """A name without what people write in several ways: blanks, dashes, zeros in front, wide letters."""
    text = normalize("NFKC", name).casefold()
    text = re.sub(r"[0-9]+", lambda number: str(int(number[0])), text)
    return _APART.sub("", text)
