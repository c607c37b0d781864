"""The id of a video from what annotation files call it: a file name, a path, a URL, an upload's name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qs, unquote, urlsplit

from pipeline.data.names import VIDEO_ENDINGS, without_ending
from pipeline.errors import UserError

# Files beside videos that tools annotate in their place.
_SOUND = (".wav", ".mp3", ".m4a", ".flac", ".ogg", ".oga", ".aac")
_UPLOADED = re.compile(
    r"^[0-9a-f]{6,8}-(?=.)"
)  # what Label Studio puts before an uploaded file's name
_FOLDERS = re.compile(r"[/\\]")


def id_of_file(name: str) -> str:
    """A video's name without its folder and ending, where it has the ending of a video; else as it is."""
    stem = without_ending(name)
    return name if stem == name else _FOLDERS.split(stem)[-1]


def plain_id(written: str) -> str:
    """The id of a video that a tool names by a path or a URL: the file's name without folder and ending."""
    text = written.strip()
    path = _path_of_url(text)
    name = _FOLDERS.split(path.rstrip("/\\"))[-1]
    if "/upload/" in path:
        name = _UPLOADED.sub("", name)
    stem, dot, ending = name.rpartition(".")
    known = f"{dot}{ending}".lower()
    return stem if stem and (known in VIDEO_ENDINGS or known in _SOUND) else name


def is_media(text: object) -> bool:
    """Whether a value names a video or sound file."""
    if not isinstance(text, str) or len(text) > 4096:
        return False
    dot, ending = _path_of_url(text.strip()).rpartition(".")[1:]
    return f"{dot}{ending}".lower() in {*VIDEO_ENDINGS, *_SOUND}


def one_file_each(written: Iterable[tuple[str, str]], where: str) -> None:
    """Refuse two files that become one id; `written` are names as they were written, and their ids.

    A name with and without its ending, or its folder, is one file. Raises UserError naming both.
    """
    known: dict[str, str] = {}
    for name, video in written:
        if name == video:
            continue
        before = known.setdefault(video, name)
        if before != name and not _ends_alike(before, name):
            raise UserError(
                f"{where}: {before!r} and {name!r} are both video {video}; give the files "
                "different names"
            )


def _ends_alike(one: str, other: str) -> bool:
    """Whether the longer of two paths ends in the shorter."""
    short, long = sorted((_FOLDERS.split(one), _FOLDERS.split(other)), key=len)
    return long[-len(short) :] == short


def _path_of_url(text: str) -> str:
    """The path of a URL, or the file a local-files address of Label Studio asks for; another text as it is."""
    if "://" not in text and not text.startswith("/data/"):
        return text
    try:
        parts = urlsplit(text)
        asked = parse_qs(parts.query).get("d")
    except ValueError:
        return text
    return (asked[0] if asked else unquote(parts.path)) or text
