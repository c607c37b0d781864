"""`manifest.json`: what a stage's folder states about itself.

It holds the *fields* that the outputs depend on, and each output's size, time and SHA-256. It is written
`partial` before any output and turns `complete` last.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import UserError, cannot_read
from pipeline.plain_files import read_text
from pipeline.run_folder.files import write_json
from pipeline.run_folder.identity import FileRecord, fingerprint, is_as_recorded, plain_fields

MANIFEST = "manifest.json"
GONE = "is gone"
FORM = 2  # version of what is recorded; version 1 knew inputs by the settings of the stage that made them

Text = Annotated[str, Field(max_length=200)]


class WorkDone(BaseModel):
    """How complete a stage is."""

    model_config = ConfigDict(frozen=True)

    done: Annotated[int, Field(ge=0)]
    total: Annotated[int, Field(ge=0)]


class Manifest(BaseModel):
    """A manifest as it is read.

    `seconds`: of work so far; `weights`: digest of a trained network's; `former`: the fields as recorded
    by the older program that made the outputs; `recipes`: by video, what features it read were made by and of.
    """

    model_config = ConfigDict(frozen=True)

    stage: Text = ""
    state: Literal["partial", "complete"]
    fields: dict[str, Any]
    form: int = 1
    started: Text = ""
    updated: Text = ""
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    progress: WorkDone | None = None
    summary: dict[str, Any] = {}
    outputs: dict[str, FileRecord] = {}
    weights: Text | None = None
    former: dict[str, Any] | None = None
    recipes: dict[str, str] = {}

    @property
    def complete(self) -> bool:
        """Whether the stage finished; its outputs may have been removed since."""
        return self.state == "complete"

    @property
    def left_out(self) -> list[str]:
        """The videos that the outputs lack."""
        names = self.summary.get("left_out")
        return [str(name) for name in names] if isinstance(names, list) else []

    @property
    def hours(self) -> float:
        """Hours of work; of an older program's those from its first line to its last."""
        if self.seconds or self.form >= FORM:
            return self.seconds / 3600
        try:
            began, ended = (datetime.fromisoformat(t) for t in (self.started, self.updated))
            return max(0.0, (ended - began).total_seconds() / 3600)
        except (ValueError, TypeError):
            return 0.0


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a stage's folder, or None if there is none.

    Raises UserError if it is damaged or cannot be read.
    """
    path = folder / MANIFEST
    try:
        text = read_text(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise cannot_read(path, error) from error
    try:
        return Manifest.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise _damaged(path, f"{where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error


def readable_manifest(folder: Path) -> Manifest | None:
    """As `read_manifest`, a damaged one counted as none."""
    try:
        return read_manifest(folder)
    except UserError as error:
        if error.damaged is None:
            raise
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a folder's manifest. Raises UserError if it cannot be written."""
    content = manifest.model_dump(exclude_none=True)
    content["outputs"] = {name: asdict(record) for name, record in manifest.outputs.items()}
    plain = plain_fields(content)
    write_json(folder / MANIFEST, {"fingerprint": fingerprint(plain["fields"])} | plain)


def changed_outputs(
    folder: Path, names: tuple[str, ...], manifest: Manifest, *, verify: bool = False
) -> list[str]:
    """Which outputs of a complete stage are missing or changed since they were written, and which of the two.

    For an older program's manifest, which recorded none, only whether they exist is known. Raises
    UserError if one cannot be read.
    """
    found = []
    for name in names:
        path, record = folder / name, manifest.outputs.get(name)
        if not path.is_file():
            found.append(f"{name} {GONE}")
        elif record is not None and not is_as_recorded(path, record, verify=verify):
            found.append(f"{name} is not what was written")
    return found


def now() -> str:
    """The time, as manifests write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def hours_text(hours: float) -> str:
    """Hours as text for people."""
    if hours < 1 / 60:
        return f"{max(1, round(hours * 3600))} s"
    return f"{hours * 60:.0f} min" if hours < 1.5 else f"{hours:.1f} h"


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(f"{path}: damaged ({' '.join(reason.split())[:200]})", damaged=path)
