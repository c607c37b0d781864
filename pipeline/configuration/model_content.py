"""What a model file says of itself, as far as it can be read without torch: JSON beside its tensors.

The file is in the safetensors form; docs/reference/formats/model-file.md has what is in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feature_extraction.tensor_file import (
    OURS,
    Header,
    TensorFileError,
    is_tensor_file,
    opened,
    strict_json,
)
from pipeline.errors import UserError, cannot_read

ENDING = ".tada"
FORMAT = "tada-loc model"
# Of what is in it: 1 with BMN, 2 with another head, which a reader of 1 would take for something else.
VERSION = 2
CHECKSUM = "checksum"
MOST_SETTINGS = 200_000  # characters of the configuration; a shipped one has 4,000


def is_model_file(path: Path) -> bool:
    """Whether a path is to be read as a model file: by its content, or by its name."""
    return path.suffix == ENDING or is_tensor_file(path)


def read_content(path: Path) -> dict[str, Any]:
    """What a model file holds besides tensors. Raises UserError as `content_of` does, and where it cannot be read."""
    try:
        with opened(path) as (_, header):
            return content_of(header, path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except TensorFileError as error:
        raise not_a_model(path, error) from error
    except OSError as error:
        raise cannot_read(path, error) from error


def content_of(header: Header, path: Path) -> dict[str, Any]:
    """What the metadata of a model file holds; only that its sections are mappings is checked.

    Raises UserError if it is not one, was changed, or was written by a newer program.
    """
    text = header.metadata.get(OURS)
    if text is None:
        raise UserError(
            f"{path}: a safetensors file, but not a model of tada-loc (use it as weights with backbone.pretrained)"
        )
    try:
        content = strict_json(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: its metadata is not JSON ({str(error)[:120]})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(
            f"{path}: its metadata is not that of a tada-loc model; export the model again"
        )
    _require_version(content.get("version"), path)
    if content.get(CHECKSUM) != checksum(content):
        raise UserError(
            f"{path}: damaged, or changed by hand: its metadata does not match its checksum; get the file again"
        )
    sections = content.get("configuration")
    if not isinstance(sections, dict) or not all(isinstance(v, dict) for v in sections.values()):
        raise UserError(f"{path}: its configuration has no sections")
    if len(written(sections)) > MOST_SETTINGS:
        raise UserError(f"{path}: its configuration is longer than {MOST_SETTINGS} characters")
    return content


def version_of(configuration: Mapping[str, Any]) -> int:
    """The version of a file that holds these sections of a configuration: the lowest that readers of it know."""
    return VERSION if "detector" in configuration else 1


def checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 of all that is in the metadata but the checksum itself, written in canonical form."""
    rest = {key: value for key, value in content.items() if key != CHECKSUM}
    return hashlib.sha256(written(rest).encode("utf-8", "surrogatepass")).hexdigest()


def written(value: Any) -> str:
    """JSON in canonical form: sorted keys, no spaces, letters unescaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def not_a_model(path: Path, error: TensorFileError) -> UserError:
    """What to say of a file that is not in the form of a model file."""
    return UserError(f"{path}: not a model file of tada-loc: {error}")


def _require_version(version: object, path: Path) -> None:
    if type(version) is not int or version < 1:
        raise UserError(f"{path}: its format {str(version)[:40]!r} is not a format number")
    if version > VERSION:
        raise UserError(
            f"{path}: made by a newer tada-loc (format {version}; this one reads {VERSION}): update tada-loc"
        )
