"""Names of videos: their one form in Unicode, the endings of video files, and files of names."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TypeVar
from unicodedata import normalize

from pipeline.errors import UsageError, UserError
from pipeline.plain_files import read_text

_Place = TypeVar("_Place", bound=Hashable)  # what as text is a path or an address

# Containers and raw streams that FFmpeg reads as video, by their usual endings; compared in any case.
VIDEO_ENDINGS = frozenset({
    ".mp4", ".m4v", ".mp4v", ".mpg4", ".mov", ".qt", ".3gp", ".3gpp", ".3g2", ".3gp2", ".f4v",
    ".ismv", ".mkv", ".mk3d", ".webm", ".avi", ".divx", ".wmv", ".asf", ".wm", ".flv", ".mpg",
    ".mpeg", ".mpe", ".m1v", ".m2v", ".mpv", ".m2p", ".ts", ".m2t", ".mts", ".m2ts", ".tp",
    ".trp", ".vob", ".vro", ".evo", ".tod", ".ogv", ".ogm", ".mxf", ".gxf", ".rm", ".rmvb",
    ".wtv", ".dv", ".dav", ".nut", ".nsv", ".ivf", ".y4m", ".h264", ".264", ".avc", ".h265",
    ".265", ".hevc", ".obu", ".mjpeg", ".mjpg", ".amv", ".lrv", ".insv", ".gif",
})  # fmt: skip
PREVIEWS = frozenset({".gif", ".lrv"})  # they count where no other video has the name


def one_form(name: str) -> str:
    """A name as names are compared: composed (NFC); a Mac writes the marks of letters apart."""
    return name if name.isascii() else normalize("NFC", name)


def without_ending(name: str) -> str:
    """A name without the ending of a video file, if it has one."""
    stem, ending = split_ending(name)
    return stem if ending in VIDEO_ENDINGS else name


def split_ending(name: str) -> tuple[str, str]:
    """A name before its last dot, and from there on in small letters; a name that is all ending has none."""
    stem, dot, ending = name.rpartition(".")
    return (stem, f".{ending.lower()}") if dot and stem.strip(".") else (name, "")


def other_prefix(video: str) -> str:
    """An id with `v_` taken away, or put before it where it has none."""
    return video[2:] if video.startswith("v_") else f"v_{video}"


def spelled(name: str) -> str:
    """A name for messages about two that look alike: letters beyond ASCII as their code points."""
    return name.encode("ascii", "backslashreplace").decode()


def require_one_each(matches: Mapping[str, list[_Place]]) -> None:
    """Refuse videos that several files may be, and files that several ids name. Raises UserError."""
    several = {video: paths for video, paths in matches.items() if len(paths) > 1}
    if several:
        video, paths = next(iter(several.items()))
        names = [str(path) for path in sorted(paths, key=str)[:2]]
        if one_form(names[0]) == one_form(names[1]):
            names = [spelled(name) for name in names]  # they look alike
        more = f", and {len(several) - 1} more videos have several" if len(several) > 1 else ""
        raise UserError(f"video {video}: more than one file ({', '.join(names)}){more}; keep one")
    ids: dict[_Place, str] = {}
    for video, paths in matches.items():
        first = ids.setdefault(paths[0], video)
        if first != video and without_ending(first) == without_ending(video):
            raise UserError(f"videos {first} and {video} are one file ({paths[0]}); write one id")


def skipped_ids(path: Path | None) -> frozenset[str]:
    """The ids in a `runtime.skip` file: one per line; empty lines and those that begin with # count for nothing.

    The name of a video's file stands for its id, too.

    Raises UsageError if the file cannot be read.
    """
    if path is None:
        return frozenset()
    try:
        lines = read_text(path, encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path}: cannot be read ({reason}); see --skip") from error
    ids = [one_form(line.strip()) for line in lines]
    ids = [video for video in ids if video and not video.startswith("#")]
    return frozenset(ids) | {without_ending(video) for video in ids}
