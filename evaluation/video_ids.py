"""Ids of videos in someone's file, found among those that are known: v_, Unicode forms, near misses."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Sequence

from evaluation.errors import SubmissionError

_ENDINGS = (".mp4", ".mkv", ".avi", ".webm", ".mov", ".m4v", ".mpg", ".mpeg", ".npy", ".json")
_CLOSE = 0.8  # how alike two ids are that may be one, of 1


def resolve_ids(names: Sequence[str], videos: Collection[str]) -> list[str | None]:
    """Each name as `videos` writes it, None if it is none of them.

    ActivityNet ids come with and without `v_`. Names are compared in Unicode NFC: what a Mac calls
    per file and what a table calls it may differ in bytes alone.
    """
    known = {_nfc(video): video for video in videos} | {video: video for video in videos}
    return [_found(name, known) for name in names]


def known_ids(names: Sequence[str], videos: Collection[str] | None, source: str) -> list[str]:
    """The ids of `names` as `videos` writes them.

    Raises SubmissionError for an id that is not among the videos, or two that are one.
    """
    if videos is None:
        return list(names)
    result = []
    for name, found in zip(names, resolve_ids(names, videos), strict=True):
        if found is None:
            raise SubmissionError(
                f"{source}: video {name} is not one of the {len(set(videos))} known videos; "
                "correct the id or leave its detections out"
            )
        result.append(found)
    require_once(result, source)
    return result


def require_once(ids: Sequence[str], source: str) -> None:
    """Refuse two names that were resolved to one id. Raises SubmissionError."""
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twice = next(name for name in ids if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise SubmissionError(
            f"{source}: video {twice} appears twice, with and without v_ or in two Unicode forms; "
            "give it once"
        )


def near_miss(name: str, videos: Collection[str]) -> str | None:
    """What is reported about an unknown id that is nearly a known one; None if none is near."""
    plain = {_plain(video): video for video in videos}
    if (found := plain.get(_plain(name))) is not None:
        stem = name.lower().endswith(_ENDINGS)
        return f"{found!r} without the ending" if stem else f"{found!r} but for the spelling"
    close = difflib.get_close_matches(name, list(videos), n=1, cutoff=_CLOSE)
    return f"perhaps {close[0]!r}" if close else None


def _found(name: str, known: dict[str, str]) -> str | None:
    for form in (name, _nfc(name)):
        for spelling in (form, form.removeprefix("v_"), f"v_{form}"):
            if spelling in known:
                return known[spelling]
    return None


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _plain(name: str) -> str:
    """A name without what people change: case, blanks, v_, a file's ending, - for _."""
    text = _nfc(name).strip().casefold()
    ending = next((end for end in _ENDINGS if text.endswith(end)), "")
    text = text.removesuffix(ending).replace("-", "_").replace(" ", "_")
    return text.removeprefix("v_")
