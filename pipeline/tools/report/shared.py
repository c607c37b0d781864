"""What the reports of a run and of a file share: the first line, names of labels, the way to the videos."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from pipeline.data.annotations import Dataset
from pipeline.data.remote.videos import RemoteVideo
from pipeline.data.videos.finding import Source
from pipeline.prediction.found import names_of

_TIOU = 0.5  # the threshold of the second, where it is one of them


def numbers_of(results: dict[str, Any]) -> list[tuple[str, str]]:
    """Terms and values of `results.json`: the average mAP, that at a threshold, and the last AR@AN, where there is one."""
    leading, task = next(iter(results["tasks"].items()))
    place = results["iou"].index(_TIOU) if _TIOU in results["iou"] else 0
    found = [
        ("mAP" if leading == "mAP" else f"{leading} mAP", f"{task['average']:.1f}"),
        (f"@{results['iou'][place]:g}", f"{task['map'][place]:.1f}"),
    ]
    recall = results.get("average_recall", {})
    if recall:
        count = list(recall)[-1]
        found.append((f"AR@{count}", f"{recall[count]:.1f}"))
    return found


class Labels(TypedDict):
    """What a report calls labels, and all those of the model."""

    names: Mapping[str, str]
    all_labels: tuple[str, ...]


def labels_of(dataset: Dataset, *tables: pd.DataFrame) -> Labels:
    """The labels of some tables; a pair of a verb and a noun is called by their names."""
    named = names_of(dataset.heads, pd.concat([table[["label"]] for table in tables]))
    return {"names": named, "all_labels": dataset.heads[0] if len(dataset.heads) == 1 else ()}


def paths_from(folder: Path, sources: Mapping[str, Source]) -> dict[str, str]:
    """Where the videos that are files are, from the page's folder: by names, as a browser goes."""
    base = os.path.abspath(folder)
    files = {
        video: source.lies_at if isinstance(source, RemoteVideo) else source
        for video, source in sources.items()
    }
    return {
        video: os.path.relpath(os.path.abspath(file), base)
        for video, file in files.items()
        if isinstance(file, Path)
    }
