"""What is wrong with a dataset's videos: missing, not decoding, of other lengths, of few frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from feature_extraction.video.reader import VideoInfo
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.annotations import Dataset
from pipeline.data.videos.damage import extraction_takes_parts
from pipeline.data.videos.finding import Source, find_videos
from pipeline.data.videos.lengths import Measured
from pipeline.data.videos.near_misses import near_misses
from pipeline.data.videos.probing import Seen, look_at_all
from pipeline.errors import UserError
from pipeline.tools.doctor.findings import NOTE, OK, WRONG, Finding

DURATION_SECONDS, DURATION_SHARE = 1.0, 0.02
KEY_FRAME_SECONDS = 30.0


def look_at_videos(
    config: DetectionConfig,
    dataset: Dataset,
    ids: Sequence[str],
    findings: list[Finding],
    allowed: int,
    deep: bool,
) -> tuple[dict[str, Source], dict[str, VideoInfo]]:
    """The files of the videos and what they say of themselves; what is wrong goes to `findings`.

    That all are missing is a note where so many are `allowed`.
    """
    try:
        found, missing = find_videos(config.dataset, dataset, ids)
    except UserError as error:
        state = NOTE if len(ids) and allowed >= len(ids) else WRONG
        findings.append(Finding("videos", state, error.message))
        return {}, {}
    workers = config.runtime.workers
    takes = extraction_takes_parts(config)
    decoder = config.extract.decoder
    seen, failures = look_at_all(
        found,
        "pyav" if decoder == "nvdec" else decoder,
        deep=deep,
        workers=workers,
        takes_parts=takes,
    )
    state = OK if not missing else NOTE if len(missing) <= allowed else WRONG
    text = f"{len(missing)} of {len(missing) + len(found)} missing in {config.dataset.videos}"
    if near := near_misses(config.dataset.videos, missing, config.dataset.frames):
        text += f" ({near})"
    findings.append(Finding("videos", state, text, tuple(missing)))
    state = OK if not failures else NOTE if len(missing) + len(failures) <= allowed else WRONG
    how = "decoded to the end" if deep else "first frame decoded; --deep decodes all"
    reasons = tuple(f"{video} ({reason})" for video, reason in failures.items())
    text = f"{len(failures)} of {len(found)} do not decode ({how})"
    findings.append(Finding("decoding", state, text, reasons))
    findings += _damage(seen) + _key_frames(seen)
    return found, {video: one.info for video, one in seen.items()}


def _damage(seen: Mapping[str, Seen]) -> list[Finding]:
    """Videos that are taken in part, as `extract.allow_partial` says."""
    damaged = tuple(
        f"{video} ({sum(end - start for start, end in one.damaged):.2f} s)"
        for video, one in seen.items()
        if one.damaged
    )
    text = f"{len(damaged)} of {len(seen)} are truncated or do not decode in places, and are used as far as they decode"
    return [Finding("decoding", NOTE, text, damaged)] if damaged else []


def _key_frames(seen: Mapping[str, Seen]) -> list[Finding]:
    """Videos in which fine-tuning's seeks have far to go: all pictures from a key frame on are decoded for a clip."""
    far = {video: one.key_frame_seconds or 0.0 for video, one in seen.items()}
    slow = tuple(f"{v} ({gap:.0f} s)" for v, gap in far.items() if gap > KEY_FRAME_SECONDS)
    text = (
        f"{len(slow)} of {len(seen)} have key frames more than {KEY_FRAME_SECONDS:g} s apart: reading clips of them to "
        "fine-tune is slow; re-encode them with more (ffmpeg -i IN -g 60 OUT.mp4)"
    )
    return [Finding("key frames", NOTE, text, slow)] if slow else []


def compare_durations(
    dataset: Dataset, videos: pd.DataFrame, infos: Mapping[str, VideoInfo]
) -> list[Finding]:
    """Whether annotated durations are the videos'."""
    if not infos:
        return []
    differing, compared = [], 0
    for row in videos.itertuples(index=False):
        found = infos[row.video].duration if row.video in infos else None
        if found is None:
            continue
        allowed = min(DURATION_SECONDS, DURATION_SHARE * found)
        if row.duration > 0:
            compared += 1
            if abs(found - row.duration) > allowed:
                differing.append(f"{row.video} ({found:.2f} s, annotated {row.duration:.2f} s)")
    limit = f"more than {DURATION_SECONDS:g} s or {100 * DURATION_SHARE:g} %"
    return [
        Finding(
            "durations",
            WRONG if differing else OK,
            f"{len(differing)} of {compared} annotated durations differ from the video's by {limit}"
            + ("; training segments are cut at the earlier of the two" if differing else ""),
            tuple(differing),
        ),
    ]


def measured_of(infos: Mapping[str, VideoInfo]) -> dict[str, Measured]:
    """The lengths of the videos that say theirs."""
    return {
        video: Measured(info.duration, info.fps)
        for video, info in infos.items()
        if info.duration is not None
    }


def compare_rates(config: DetectionConfig, infos: Mapping[str, VideoInfo]) -> list[Finding]:
    """Whether the videos have as many frames per second as are sampled."""
    rates = {video: info.fps for video, info in infos.items()}
    if not rates:
        return []
    known = sorted({round(rate, 2) for rate in rates.values()})
    shown = ", ".join(f"{rate:g}" for rate in known[:6]) + (", ..." if len(known) > 6 else "")
    wanted = max(config.extract.fps, config.finetune.fps)
    slow = tuple(f"{v} ({rate:g})" for v, rate in rates.items() if rate < 0.95 * wanted)
    text = f"{shown} frames per second, sampled at {config.extract.fps:g} by time"
    if slow:
        text += f"; {len(slow)} videos have fewer, so their frames are repeated"
    return [Finding("fps", NOTE if slow else OK, text, slow)]


def known_durations(dataset: Dataset, infos: Mapping[str, VideoInfo]) -> dict[str, float]:
    """Seconds of every video: as found, else as annotated, else to the end of its last segment."""
    last = dataset.annotations.groupby("video")["end"].max()
    seconds = {}
    for row in dataset.videos.itertuples(index=False):
        found = infos[row.video].duration if row.video in infos else None
        annotated = row.duration if row.duration > 0 else float(last.get(row.video, 0.0))
        seconds[row.video] = found or annotated
    return seconds
