"""Training segments read from proxies in place of the videos: all of them, or the training is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.data.clips.segments import Segments
from pipeline.data.proxies.standing import Standing, standing
from pipeline.data.videos.left_out import LeftOut, how_to_go_on, shown
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.progress import say

NO_PROXY = "no proxy"


def on_proxies(
    segments: Segments, folder: Path, side: int, identities: Mapping[str, str], left_out: LeftOut
) -> Segments:
    """The segments with the proxies in `folder` for their videos; folders of frames stay as they are.

    Videos without a current proxy are counted by `left_out`. Raises UserError if they are too many: none is
    read from the original in its place.
    """
    found = distributed.from_main_process(
        lambda: standing(folder, side, segments.videos, segments.paths, identities)
    )
    _require_few(found, folder, len(set(segments.videos)), left_out)
    if found.frames:
        say(f"finetune: {len(found.frames)} videos are folders of frames and read as they are")
    say(f"finetune: clips of {len(found.paths)} videos are read from proxies in {folder}")
    left = segments.only(~np.isin(np.array(segments.videos), list(found.why)))
    if not len(left):
        raise UserError(f"{folder}: no training segment has a proxy; run `tada-loc proxies`")
    paths = {**segments.paths, **found.paths}
    return replace(left, paths=paths, rates=found.rates, lengths=found.lengths)


def _require_few(found: Standing, folder: Path, total: int, left_out: LeftOut) -> None:
    count = len(left_out.reasons.keys() | found.why.keys())
    if not found.why:
        return
    videos = [f"{video} ({why})" for video, why in found.why.items()]
    line = f"no current proxy of {len(videos)} of {total} training videos: {shown(videos)}"
    if count > left_out.allowed:
        raise UserError(f"{folder}: {line}; run `tada-loc proxies`, {how_to_go_on(count)}")
    left_out.take(dict.fromkeys(found.why, NO_PROXY))
    say(f"finetune: {line}: left out")
