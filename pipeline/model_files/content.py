"""What a model file says of itself, checked: class names, digests, results, note."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline.configuration.model_content import CHECKSUM, FORMAT, checksum, version_of
from pipeline.errors import UserError
from pipeline.results.figures import Figures

MOST_CLASSES = 20_000  # of a head
LONGEST_CLASS = 1000  # characters of a name
LONGEST_NOTE = 200_000  # characters; a long licence has 35,000
_NO_TEXT = ("Cc", "Cs")  # control characters and half characters, by their Unicode category

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Short = Annotated[str, Field(max_length=200)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_CLASS)]
Head = Annotated[list[Name], Field(min_length=1, max_length=MOST_CLASSES)]


class Content(BaseModel):
    """The metadata of a model file.

    `program` is the tada-loc that wrote it; `trained` the day (UTC) its training ended, empty where that is
    not known; `digest` names the model by content, as predictions do; `sha256` is of the bytes of each tensor.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    format: Literal["tada-loc model"] = "tada-loc model"
    version: Literal[1, 2] = 1
    program: Short
    trained: Annotated[str, Field(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")] = ""
    digest: Digest
    configuration: dict[str, dict[str, Any]]
    classes: Annotated[list[Head], Field(min_length=1, max_length=2)]
    sha256: dict[str, Digest]
    results: dict[str, Any] = {}
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] = ""
    checksum: Digest

    @field_validator("classes")
    @classmethod
    def _names_are_text(cls, heads: list[list[str]]) -> list[list[str]]:
        for names in heads:
            if len(set(names)) < len(names):
                raise ValueError(f"the class {_first_twice(names)[:80]!r} appears twice")
            for name in names:
                if not is_text(name):
                    raise ValueError(
                        f"the class {name[:80]!r} is not plain text (a control character)"
                    )
        return heads

    @field_validator("note")
    @classmethod
    def _note_is_text(cls, note: str) -> str:
        if not is_text(note, but="\n\r\t\f"):
            raise ValueError("it is not plain text (a control character)")
        return note

    @field_validator("results")
    @classmethod
    def _results_are_figures(cls, results: dict[str, Any]) -> dict[str, Any]:
        if results:
            Figures.model_validate(results)
        return results


def checked(values: Mapping[str, Any], path: Path) -> Content:
    """The content of a model file. Raises UserError naming the file, and what in it is invalid."""
    try:
        return Content.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part)[:60] for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise UserError(f"{path}: {where}: {said[:1].lower()}{said[1:]}") from error


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a file to be written: with its format version, which program wrote it, and its checksum."""
    version = version_of(values["configuration"])
    content = {"format": FORMAT, "version": version, "program": program(), **values}
    return content | {CHECKSUM: checksum(content)}


def program() -> str:
    """The version of this program."""
    try:
        return version("tada-loc")
    except PackageNotFoundError:  # run from a folder, not installed
        return "unknown"


def is_text(text: str, but: str = "") -> bool:
    """Whether a text has no control characters apart from those named, and no lone surrogates."""
    return not any(mark not in but and unicodedata.category(mark) in _NO_TEXT for mark in text)


def _first_twice(names: Iterable[str]) -> str:
    seen: set[str] = set()
    return next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
