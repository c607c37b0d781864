"""Reads a model from one file, which may be untrusted: nothing in it is used before it is checked.

In order: the header against the file's size, the metadata, the configuration's sizes, the names and shapes of the
tensors against the networks. Only then are tensors read, compared with their digests, and checked for values that
are not finite.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from feature_extraction.tensor_file import Header, TensorFileError, opened
from pipeline.configuration.model_content import content_of, not_a_model
from pipeline.configuration.settings import DetectionConfig
from pipeline.configuration.stored import from_store
from pipeline.errors import UserError, cannot_read, was_refused
from pipeline.model_files.content import Content, checked
from pipeline.prediction.model import Model

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ModelFile:
    """A model file that was read: the model, what the file says of itself, and its size in bytes."""

    model: Model
    content: Content
    size: int


def read_model(path: Path) -> Model:
    """The model of a file. Raises UserError, one line naming the file, where anything in it cannot be."""
    return read_file(path).model


def read_file(path: Path) -> ModelFile:
    """The model of a file, with what the file says of itself. Raises UserError as `read_model`."""
    with _one_line(path):
        with opened(path) as (stream, header):
            content = checked(content_of(header, path), path)
            config = from_store(content.configuration)
            _require_fits(header, content, config)
            from feature_extraction.weights.tensors import CLASSIFIER, read_tensors

            tensors = read_tensors(stream, header.blocks, content.sha256)
        _require_variances(tensors)
        model = Model(
            name=path.stem,
            config=config,
            heads=tuple(tuple(names) for names in content.classes),
            classifier=_of(tensors, CLASSIFIER),
            detector=_of(tensors, f"{config.detector.name}."),
            results=content.results,
            note=content.note,
        )
        return ModelFile(
            model, content, sum(b.size for b in header.blocks) + header.blocks[0].begin
        )


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """What is wrong with a file as one line that begins with its name."""
    try:
        yield
    except UserError as error:
        if error.message.startswith(f"{path}: "):
            raise
        raise UserError(f"{path}: {error.message}") from error
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except TensorFileError as error:
        raise not_a_model(path, error) from error
    except OSError as error:
        if not was_refused(error):
            raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
        raise cannot_read(path, error) from error


def _require_fits(header: Header, content: Content, config: DetectionConfig) -> None:
    """Refuse tensors that are not the networks', or have no digest. Raises UserError."""
    from pipeline.model_files.fitting import Form, require_fits

    forms = {block.name: Form(block.kind, block.shape) for block in header.blocks}
    if content.sha256.keys() != forms.keys():
        raise UserError("it does not have one SHA-256 per tensor")
    require_fits(forms, config, content.classes)


def _require_variances(tensors: dict[str, Tensor]) -> None:
    """Refuse a batch norm whose variance is below zero: its square root would be NaN. Raises UserError."""
    for name, tensor in tensors.items():
        if name.endswith("running_var") and bool((tensor < 0).any()):
            raise UserError(f"the tensor {name} has a variance below zero")


def _of(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors of one network by its own names."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
