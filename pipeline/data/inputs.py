"""Inputs known by their content: the segments of each video, initial weights."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pandas as pd

from feature_extraction.published.files import weight_files
from feature_extraction.published.names import PublishedError
from pipeline.configuration.settings import BackboneSettings
from pipeline.errors import UserError
from pipeline.plain_files import LARGEST_FILE
from pipeline.run_folder.identity import SHORT, file_digest, fingerprint

PUBLISHED = "published"  # initial weights that a network's publisher gives


def rows_by_video(rows: pd.DataFrame) -> dict[str, str]:
    """A digest of the segments of each video, in an order of their own."""
    texts: dict[str, list[str]] = {}
    columns = (rows[name].tolist() for name in ("video", "start", "end", "label"))
    for video, start, end, label in zip(*columns, strict=True):
        texts.setdefault(video, []).append(f"{float(start)!r} {float(end)!r} {label}")
    return {
        video: hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "replace")).hexdigest()[
            :SHORT
        ]
        for video, lines in texts.items()
    }


def initial_identity(backbone: BackboneSettings) -> str | None:
    """What the initial weights of a network are known by; None for random ones.

    Of a folder they are known by the digests of its weights, of the Hub by the commit. Raises UserError if
    they are not there.
    """
    published, given = backbone.of_others, backbone.pretrained
    if published is None:
        return None if given is None else weights_identity(given)
    if given is not None and (os.path.lexists(given) or not given.isidentifier()):
        return weights_identity(given, "published")
    if published.source != "hf" or given not in (None, PUBLISHED):
        return given
    folder = published.folder
    if folder is None:
        revision = None if backbone.description is None else backbone.description.revision
        return f"{published}@{revision}"
    try:
        files = weight_files(folder)
    except PublishedError as error:
        raise UserError(f"backbone.name: {error}") from error
    return fingerprint({path.name: file_digest(path, LARGEST_FILE) for path in files})


def weights_identity(weights: str, fetched: str = "imagenet") -> str:
    """What initial weights are known by: a file's digest, or the name of what is fetched."""
    path = Path(weights)
    if weights != fetched and not os.path.lexists(path):
        raise UserError(
            f"backbone.pretrained {path}: no such file; give a checkpoint, {fetched}, or null"
        )
    return file_digest(path, LARGEST_FILE) if weights != fetched or path.is_file() else weights
