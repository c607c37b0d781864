"""What was found in files of other programs to the tables every stage takes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.data.annotations.columns.spelling import spelled_twice
from pipeline.data.annotations.dataset import (
    Dataset,
    Inputs,
    check_label,
    check_times,
    check_video_id,
)
from pipeline.data.annotations.foreign.found import Found, FoundSegment
from pipeline.data.annotations.parts.holding_out import HELD_OUT, held_out
from pipeline.data.annotations.parts.names import one_file_each
from pipeline.data.annotations.parts.rates import frames_to_seconds, no_frames
from pipeline.errors import UserError


def gather(
    founds: Sequence[Found], inputs: Inputs, *, pair: bool, names: tuple[str, ...]
) -> Dataset:
    """One data set of what was found in the files.

    Where no file names subsets: two files of a format of which each holds many videos (`pair`) are training and
    validation; else every fifth video, sorted by name, is held out. `names` are the classes, () those of
    the segments. Raises UserError naming file, place and value.
    """
    notes: Counter[str] = Counter()
    for found in founds:
        notes += found.notes
    one_file_each([item for f in founds for item in f.names.items()], str(founds[-1].file))
    videos = _videos(founds, inputs, pair=pair)
    nothing_happens = inputs.without_segments and len(videos) > 0
    if not any(found.segments for found in founds) and not nothing_happens:
        left = "; ".join(f"{count} {line}" for line, count in notes.items())
        raise UserError(f"{founds[0].file}: no segment in it{f' ({left})' if left else ''}")
    if videos["subset"].isna().any():
        if not videos["subset"].isna().all():
            video = videos.loc[videos["subset"].isna(), "video"].iloc[0]
            raise UserError(f"{founds[0].file}: video {video} has no subset, and others have one")
        apart = held_out(videos["video"])
        chosen = videos["video"].isin(apart)
        videos["subset"] = chosen.map({True: inputs.subsets[1], False: inputs.subsets[0]})
        notes[HELD_OUT] = len(apart)
    rates = dict(zip(videos["video"], videos["fps"], strict=True))
    segments = pd.concat([_segments(f, rates, inputs) for f in founds], ignore_index=True)
    subset_of = dict(zip(videos["video"], videos["subset"], strict=True))
    segments.insert(1, "subset", segments["video"].map(subset_of))
    if names:
        segments["label"] = _named(segments["label"], names, founds[-1].file)
    notes += spelled_twice(segments["label"].tolist())
    return Dataset(segments, videos, (names or tuple(sorted(set(segments["label"]))),), +notes)


def _videos(founds: Sequence[Found], inputs: Inputs, *, pair: bool) -> pd.DataFrame:
    """The videos of all files, once each. Raises UserError if one is in two subsets."""
    told = any(v.subset is not None for found in founds for v in found.videos.values())
    by_file = pair and len(founds) == 2 and not told
    rows: dict[str, dict[str, object]] = {}
    for place, found in enumerate(founds):
        for video, facts in found.videos.items():
            check_video_id(video, str(found.file))
            subset = inputs.subsets[place] if by_file else facts.subset
            before = rows.get(video)
            if before is None:
                rows[video] = {
                    "video": video,
                    "subset": subset,
                    "duration": facts.duration,
                    "fps": facts.fps,
                }
            elif before["subset"] != subset:
                raise UserError(f"{found.file}: video {video} is in two subsets; a video has one")
    columns = ["video", "subset", "duration", "fps"]
    frame = pd.DataFrame(list(rows.values()), columns=columns)
    return frame.astype({"duration": float, "fps": float, "subset": object})


def _segments(found: Found, rates: dict[str, float], inputs: Inputs) -> pd.DataFrame:
    """The segments of a file in seconds."""
    for segment in found.segments:
        _check(segment)
    columns = ["video", "start", "end", "label"]
    rows = [(s.video, s.start, s.end, s.label) for s in found.segments]
    frame = pd.DataFrame(rows, columns=columns).astype({"start": float, "end": float})
    counted = [segment.frames for segment in found.segments]
    if any(counted):
        in_frames = frame[counted]
        seconds = frames_to_seconds(in_frames, rates, inputs, found.file)
        frame.loc[counted, ["start", "end"]] = seconds
        last = frame.loc[counted, ["start", "end"]].max().max()
        if not math.isfinite(float(last)):
            raise UserError(f"{found.file}: frame numbers are too large to be frames")
    elif found.segments:
        no_frames(inputs, found.file)
    return frame


def _check(segment: FoundSegment) -> None:
    check_times(segment.start, segment.end, segment.where)
    if segment.end < segment.start:
        raise UserError(
            f"{segment.where}: video {segment.video} ends at {segment.end:g}, before its start "
            f"{segment.start:g}"
        )
    check_label(segment.label, segment.where)


def _named(labels: pd.Series, names: tuple[str, ...], file: Path) -> pd.Series:
    """Labels by the list of classes: names of it, or their numbers. Raises UserError for others."""
    known = {name: name for name in names}
    by_number = {str(number): name for number, name in enumerate(names)}
    # Class lists often begin a line with the number or the code: `0 Name`, `c000 Holding clothes`.
    by_code = {name.split()[0]: name for name in names if len(name.split()) > 1}
    if len(by_code) < len(names):  # not every line has one, or one twice
        by_code = {}
    all_labels = set(labels)
    way = max((known, by_code, by_number), key=lambda names: len(all_labels & names.keys()))
    other = sorted(all_labels - way.keys())
    if not other:
        return labels.map(way)
    raise UserError(f"{file}: label {other[0]!r} is not listed in dataset.classes")
