"""The class names of a training, kept beside its weights: a network's outputs are numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from pipeline.errors import UserError, cannot_read
from pipeline.plain_files import read_text
from pipeline.run_folder.files import write_json
from pipeline.run_folder.identity import fingerprint

CLASSES = "classes.json"
Heads = tuple[tuple[str, ...], ...]
_HEADS = TypeAdapter(
    Annotated[tuple[tuple[str, ...], ...], Field(min_length=1, max_length=2)],
)


def heads_digest(heads: Sequence[Sequence[str]]) -> str:
    """What names class names by content, as manifests record it."""
    return fingerprint({"heads": heads})


def write_class_names(folder: Path, heads: Heads) -> None:
    """Keep the class names of a training in its folder. Raises UserError if they cannot be written."""
    write_json(folder / CLASSES, heads)


def class_names_of(folder: Path, digest: object, of_annotations: Callable[[], Heads]) -> Heads:
    """The class names of the training in `folder`, whose `digest` its manifest has.

    Where it did not keep them, as older programs did not, those `of_annotations`. Raises UserError if neither
    are those of the training.
    """
    kept = _kept(folder / CLASSES)
    if kept is not None and heads_digest(kept) == digest:
        return kept
    try:
        heads = of_annotations()
    except UserError as error:
        raise UserError(
            f"{folder}: does not contain its class names, and the annotations do not give them: {error.message}"
        ) from error
    if digest is not None and heads_digest(heads) != digest:
        raise UserError(
            f"{folder}: was trained on other classes than the annotations have now; give those it was trained on "
            "(dataset.annotations, dataset.classes)"
        )
    return heads


def _kept(path: Path) -> Heads | None:
    """The class names of a file; none where it is not there or damaged."""
    try:
        return _HEADS.validate_json(read_text(path))
    except (FileNotFoundError, NotADirectoryError, ValidationError, UnicodeDecodeError):
        return None
    except OSError as error:
        raise cannot_read(path, error) from error
