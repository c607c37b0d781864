"""Inputs known by their content: the segments of each video, initial weights."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pandas as pd

from pipeline.errors import UserError
from pipeline.plain_files import LARGEST_FILE
from pipeline.run_folder.identity import SHORT, file_digest


def rows_by_video(rows: pd.DataFrame) -> dict[str, str]:
    """A digest of the segments of each video, in an order of their own."""
    texts: dict[str, list[str]] = {}
    for video, start, end, label in zip(
        rows["video"], rows["start"], rows["end"], rows["label"], strict=True
    ):
        texts.setdefault(video, []).append(f"{float(start)!r} {float(end)!r} {label}")
    return {
        video: hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "replace")).hexdigest()[
            :SHORT
        ]
        for video, lines in texts.items()
    }


def weights_identity(weights: str) -> str:
    """What initial weights are known by: a file's digest, or the name of what is fetched."""
    path = Path(weights)
    if weights != "imagenet" and not os.path.lexists(path):
        raise UserError(
            f"backbone.pretrained {path}: no such file; give a checkpoint, imagenet, or null"
        )
    return file_digest(path, LARGEST_FILE) if weights != "imagenet" or path.is_file() else weights
