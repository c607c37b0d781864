"""Which training videos train, and which are held out to choose the epoch that is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pipeline.config import Config


def hold_out_videos(videos: Sequence[str], share: float, seed: int) -> tuple[list[str], list[str]]:
    """The videos that train and those held out, each in the order given.

    A video is held out where a number in [0, 1) made of `seed` and its id alone is below `share`:
    so the order of the videos does not matter, and one that is added or removed moves no other.
    Hence `share` of them are held out on average, not exactly. Two things come before that: with a
    share above 0 at least one of two or more videos is held out (the lowest number), and at least
    one always trains (the highest).
    """
    numbers = {video: _number(video, seed) for video in dict.fromkeys(videos)}
    chosen = {video for video, number in numbers.items() if number < share}
    if share > 0 and len(numbers) > 1 and not chosen:
        chosen = {min(numbers, key=numbers.__getitem__)}
    if len(chosen) == len(numbers):
        chosen -= {max(numbers, key=numbers.__getitem__, default="")}
    return (
        [video for video in videos if video not in chosen],
        [video for video in videos if video in chosen],
    )


def chosen_by(config: Config, videos: int) -> str:
    """What chooses the epoch to keep: videos held out, or those the reported number comes from, said as such."""
    if config.dataset.hold_out:
        return f"the epoch is chosen by {videos} training videos held out (dataset.hold_out)"
    return (
        f"the epoch is chosen by the {videos} videos of {config.dataset.eval_subset}, which flatters the "
        "figures measured on them; dataset.hold_out=0.2 chooses by a part of the training videos"
    )


def _number(video: str, seed: int) -> float:
    digest = hashlib.sha256(f"{seed}\0{video}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
