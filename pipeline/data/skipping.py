"""The videos a user asked to leave out (`--skip FILE`): counted, said, and never taken up silently."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.configuration.reading import Config
from pipeline.errors import UsageError
from pipeline.progress import say


def skipped_ids(config: Config) -> frozenset[str]:
    """The ids in `runtime.skip`: one a line; empty lines and those that begin with # count for nothing.

    Raises UsageError where the file cannot be read.
    """
    path: Path | None = config.runtime.skip
    if path is None:
        return frozenset()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path}: cannot be read ({reason}); see --skip") from error
    ids = (line.strip() for line in lines)
    return frozenset(video for video in ids if video and not video.startswith("#"))


def without_skipped(
    config: Config, videos: Iterable[str], stage: str
) -> tuple[list[str], list[str]]:
    """The videos to use and those skipped, in their order; skipped ones are counted and said."""
    skip = skipped_ids(config)
    videos = list(dict.fromkeys(videos))
    kept = [video for video in videos if video not in skip]
    left = [video for video in videos if video in skip]
    if left:
        shown = ", ".join(left[:5]) + (", ..." if len(left) > 5 else "")
        say(f"{stage}: {len(left)} videos of {config.runtime.skip} are left out: {shown}")
    return kept, left
