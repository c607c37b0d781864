"""What a stage's folder says of itself: `manifest.json`, and the stage opened for work.

A stage's folder holds its outputs and the manifest. The manifest carries the *fields* the outputs
depend on (the stage's own settings, its inputs' fingerprints, its input files' digests); their digest is
the fingerprint. It is written `partial` before any output and turns `complete` last.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, cannot_read, cannot_write
from pipeline.run_folder.files import clear_temporary, sync_folder, write_json
from pipeline.run_folder.identity import Restate, field_differences, fingerprint, plain_fields

MANIFEST = "manifest.json"
_NOTES = (MANIFEST, "failures.json", ".lock")  # how the work went: no results


@dataclass(frozen=True)
class Stage:
    """A stage of a run: its folder, what its outputs depend on, and, once opened, whether they are complete.

    `outputs` are the files a complete stage has. `restate` says what an older program's manifest would
    hold today. Of several processes one `writes` the manifest.
    """

    name: str
    folder: Path
    outputs: tuple[str, ...]
    fields: Mapping[str, Any]
    restate: Restate
    writes: bool = True
    complete: bool = False

    @property
    def fingerprint(self) -> str:
        """Digest of the fields."""
        return fingerprint(self.fields)

    def why_again(self) -> str:
        """Why the stage would run again: the fields that differ from the manifest's, or an empty string."""
        old = read_manifest(self.folder)
        return "; ".join(self._differences(old)) if old else ""

    def open(self, *, force: bool = False, replace_outputs: bool = False) -> Stage:
        """Open the stage for work.

        The same fields: go on, or nothing to do. Other fields: UserError that prints the differing ones,
        unless `force`, which moves the old folder aside, or `replace_outputs`, which writes over it (for
        outputs that are made again in a moment). A stage that had not written anything is nobody's yet.
        """
        old = read_manifest(self.folder)
        differences = self._differences(old) if old is not None else []
        if differences and not (replace_outputs or _holds_nothing(self.folder)):
            if not force:
                raise UserError(
                    f"{self.folder}: made with other settings ({'; '.join(differences)}); use --force to "
                    "move it aside and start again, or another --run-dir"
                )
            _move_aside(self.folder)
        opened = self._opened(None if differences else old)
        try:
            opened.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(opened.folder, error) from error
        clear_temporary(opened.folder)
        if not opened.complete:
            opened._write("partial", {})
        return opened

    def follow(self) -> Stage:
        """The stage as another process has opened it: nothing is written here but outputs."""
        old = read_manifest(self.folder)
        same = old is not None and not self._differences(old)
        return replace(self._opened(old if same else None), writes=False)

    def progress(self, done: int, total: int) -> None:
        """Note how far the stage is, for `status`."""
        if self.writes:
            self._write("partial", {"progress": {"done": done, "total": total}})

    def finish(self, summary: Mapping[str, Any] | None = None) -> None:
        """Turn the manifest complete; call it after the last output is in place."""
        if self.writes:
            self._write("complete", {"summary": dict(summary or {})})

    def _differences(self, old: Mapping[str, Any]) -> list[str]:
        return field_differences(old["fields"], plain_fields(self.fields), self.restate)

    def _opened(self, old: Mapping[str, Any] | None) -> Stage:
        """With the fields of a manifest that says the same: an older program's fingerprint holds."""
        fields = plain_fields(self.fields) if old is None else old["fields"]
        return replace(self, fields=fields, complete=is_complete(self.folder, self.outputs, old))

    def _write(self, state: str, extra: Mapping[str, Any]) -> None:
        path = self.folder / MANIFEST
        try:
            started = json.loads(path.read_text(encoding="utf-8")).get("started")
        except (OSError, ValueError):
            started = None
        content = {
            "stage": self.name,
            "state": state,
            "fingerprint": self.fingerprint,
            "started": started or _now(),
            "updated": _now(),
            "fields": self.fields,
            **extra,
        }
        write_json(path, content)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a stage's folder, or None where there is none.

    Raises UserError where it is damaged or cannot be read.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = content["state"] in {"partial", "complete"}
        if not (known and isinstance(content["fields"], dict)):
            raise ValueError("unknown form")
        return dict(content)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise cannot_read(path, error) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: damaged ({error}); move the folder {folder} aside") from error


def is_complete(folder: Path, outputs: tuple[str, ...], manifest: Mapping[str, Any] | None) -> bool:
    """Whether a manifest says complete and the outputs are there."""
    done = manifest is not None and manifest["state"] == "complete"
    return done and all((folder / output).is_file() for output in outputs)


def _holds_nothing(folder: Path) -> bool:
    return not any(
        path.is_file() and path.name not in _NOTES and path.suffix != ".tmp"
        for path in folder.rglob("*")
    )


def _move_aside(folder: Path) -> None:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    target = folder.with_name(f"{folder.name}.{stamp}")
    number = 1
    while target.exists():
        target = folder.with_name(f"{folder.name}.{stamp}-{number}")
        number += 1
    try:
        folder.rename(target)
        sync_folder(folder.parent)
    except OSError as error:
        raise cannot_write(target, error) from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
