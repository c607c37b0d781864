"""What stages made, by content: as it is there, and as it will be once it is made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.data.videos.failures import Failure
from pipeline.errors import UserError
from pipeline.run_folder.identity import UNKNOWN, UNSURE
from pipeline.run_folder.ledger import Made
from pipeline.run_folder.manifests import MANIFEST, Manifest, readable_manifest
from pipeline.runs.graph import row
from pipeline.runs.inputs.asking import Digests
from pipeline.runs.inputs.fields import FEATURES_READ
from pipeline.runs.ways import Ways

READERS = ("bmn", "proposals", "actionformer", "segments", "detections")  # of features


def current(lines: Mapping[str, Made], by: str, of: Mapping[str, str | None]) -> Digests:
    """The content of what was made `by` this and `of` these videos (None: of any)."""
    return {
        video: lines[video].content
        for video, identity in of.items()
        if video in lines and _is_of(lines[video], by, identity)
    }


def foreseen(
    lines: Mapping[str, Made],
    by: str,
    of: Mapping[str, str | None],
    failures: Mapping[str, Failure],
) -> Digests:
    """The content of what is or will be made: UNKNOWN of other inputs, UNSURE where nothing is recorded.

    Videos that are known to fail, and those that are not there, have none.
    """
    found = {}
    for video, identity in of.items():
        line = lines.get(video)
        if line is not None:
            found[video] = line.content if _is_of(line, by, identity) else UNKNOWN
        elif identity is not None and not (video in failures and failures[video].of == identity):
            found[video] = UNSURE
    return found


def remembered(readers: Sequence[Manifest], video: str, recipe: str, content: str) -> str:
    """What features made again will be, where a stage has read such, made by and of the same; else `content`.

    UNKNOWN if what it read was made differently.
    """
    for manifest in readers:
        former = manifest.recipes.get(video)
        if former is None:
            continue
        if former != recipe:
            content = UNKNOWN
            continue
        for name in FEATURES_READ:
            read = manifest.fields.get(name)
            if isinstance(read, dict) and isinstance(read.get(video), str):
                return str(read[video])
    return content


def names_classes(folder: Path, ways: Ways) -> bool:
    """Whether anything gives a run's proposals classes: a file, or a classifier that is or will be trained."""
    told = not ways.imported or ways.given_scores or ways.head_on_features or ways.own_classes
    return told or (folder / row("finetune").folder / MANIFEST).exists()


def no_classes(folder: Path, ways: Ways) -> UserError:
    """What to say of a run whose features were imported and whose proposals nothing gives classes."""
    return UserError(
        f"{folder}: its features were imported, and nothing names classes: set classify.scores=FILE (class scores "
        "of the videos, made elsewhere), or finetune.source=features (a linear classifier on the features); "
        f"until then {row(ways.proposing).folder}/proposals.csv is its result"
    )


def values_of(fields: Mapping[str, Any]) -> set[object]:
    """Every value of fields, those by video among them."""
    found: set[object] = set()
    for value in fields.values():
        found |= set(value.values()) if isinstance(value, dict) else {str(value)}
    return found


def manifest_of(folder: Path, name: str) -> Manifest | None:
    """The manifest of a stage of the run in `folder`, None if it is not there or damaged."""
    return readable_manifest(folder / row(name).folder)


def weights_in(folder: Path, manifest: Manifest) -> str:
    """Digest of the weights that a complete training left in its folder."""
    return manifest.weights or weigh(folder)


def weigh(folder: Path) -> str:
    """Digest of the weights that a training left in its folder. Raises UserError if they are damaged."""
    from feature_extraction.weights.loading import state_digest
    from pipeline.training.checkpoints import MODEL_FILE, saved_weights

    return state_digest(saved_weights(folder / MODEL_FILE))


def _is_of(line: Made, by: str, identity: str | None) -> bool:
    return line.by == by and (identity is None or line.of == identity)
