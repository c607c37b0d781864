"""What a file is that no video could be read from, and what to do about it: found from its first bytes."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from feature_extraction.video.content.endings import boxes, is_whole

HEAD_BYTES = 4096
AGAIN = "get the file again or convert it"
_ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_PICTURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n": "PNG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"GIF8": "GIF",
    b"\0\0\1\0": "icon",
    b"P5\n": "PGM",
    b"P6\n": "PPM",
}
_SOUND = {
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"\xff\xf3": "MP3",
    b"fLaC": "FLAC",
    b"\xff\xf1": "AAC",
    b"\xff\xf9": "AAC",
    b"#!AMR": "AMR",
}
_CONTAINERS = (
    (b"\x1a\x45\xdf\xa3", "matroska", "a Matroska or WebM file"),
    (b"RIFF", "avi", "an AVI file"),
    (b"FLV", "flv", "an FLV file"),
    (b"\x30\x26\xb2\x75", "asf", "a WMV or ASF file"),
)
_BOXES = frozenset(
    b"ftyp mdat moov moof styp sidx free skip wide uuid pnot mfra emsg prft pdin meta".split()
)


def what_instead(path: Path, reason: str) -> tuple[str, str]:
    """What a file is that does not open as a video, and the fix; else the decoder's `reason`, and a general one."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        size = path.stat().st_size
        told = _text(head, size) or _binary(head) or _mp4(path, size) or _cut(path, head)
        return told or (reason, AGAIN)
    except OSError:
        return reason, AGAIN


def _text(head: bytes, size: int) -> tuple[str, str] | None:
    """Of pages, pointers, playlists and other text."""
    if head.startswith(b"%PDF"):
        return "a PDF document", "give the video"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = start[:1024].lower()
    if lower.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in lower:
        return (
            "a web page (HTML): the server sent a page, perhaps a login or error page, instead of the file",
            "get it again, signed in or from another address",
        )
    if start.startswith(b"version https://git-lfs"):
        found = re.search(rb"\nsize (\d{1,18})", head)
        stands = f" for a file of {int(found[1]):,} bytes" if found else ""
        return (
            f"a git-LFS pointer of {size} bytes that stands{stands}",
            "run `git lfs pull` where it was cloned",
        )
    if size < HEAD_BYTES and b"annex/objects/" in start:
        return "a git-annex pointer that stands for a file", "run `git annex get` on it"
    if lower.startswith((b"#extm3u", b"ffconcat", b"[playlist]", b"<mpd", b"<asx")):
        return "a playlist, which refers to other files", "get the video that it refers to"
    return ("text, not video", "get it again") if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head[: len(head) & ~1].decode("utf-16", "replace").encode()
    if not head or b"\0" in head:
        return False
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if len(head) < HEAD_BYTES or error.start < len(head) - 3:
            return False
        text = head[: error.start].decode()  # a letter that goes on behind it
    return all(letter.isprintable() or letter in "\r\n\t\x1b\f" for letter in text)


def _binary(head: bytes) -> tuple[str, str] | None:
    """Of archives, pictures, sound and bytes that say nothing."""
    for marks, what, fix in (
        (_ARCHIVES, "an archive ({})", "unpack it"),
        (_PICTURES, "a picture ({})", "give the video, or the folder of frames"),
        (_SOUND, "only sound ({}), without pictures", "give the video"),
    ):
        for mark, name in marks.items():
            if head.startswith(mark):
                return what.format(name), fix
    if head[257:262] == b"ustar":
        return "an archive (tar)", "unpack it"
    if head[:4] == b"RIFF" and head[8:12] in (b"WAVE", b"WEBP"):
        if head[8:12] == b"WAVE":
            return "only sound (WAV), without pictures", "give the video"
        return "a picture (WEBP)", "give the video, or the folder of frames"
    if head and not head.strip(b"\0"):
        return (
            f"it begins with {len(head)} zero bytes: space that a download or a copy never filled",
            "get it again",
        )
    return None


def _mp4(path: Path, size: int) -> tuple[str, str] | None:
    """Of an MP4 or MOV without its index."""
    names: list[bytes] = []
    place = 0
    with path.open("rb") as file:
        for name, length in islice(boxes(file, size), 10000):
            if name not in _BOXES:
                break
            names.append(name)
            if length >= 8:
                place += length
    if b"moov" in names and place > size:
        return _only(size, "an MP4"), "get it again"
    if not names or b"moov" in names:
        return None
    if b"moof" in names:
        return (
            "pieces of an MP4 without the first one, which describes them (no moov)",
            "put the first piece (init.mp4) in front of them",
        )
    if b"ftyp" not in names and b"mdat" not in names:
        return None
    cut = " it ends in the middle of its frames;" if place > size and b"mdat" in names else ""
    return (
        f"an MP4 without its index (no moov), which is written last:{cut} an interrupted recording or download",
        "get it again, or repair a recording with its camera or a tool for that",
    )


def _cut(path: Path, head: bytes) -> tuple[str, str] | None:
    """Of other containers of which too little is there to open them."""
    for mark, kind, name in _CONTAINERS:
        if head.startswith(mark) and is_whole(path, kind) is False:
            return _only(path.stat().st_size, name), "get it again"
    return None


def _only(size: int, name: str) -> str:
    return f"{name} of which only {size:,} bytes exist: an interrupted recording or download"
