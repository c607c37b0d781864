"""The run folder: stage manifests, fingerprints and atomic writes.

A stage's folder holds its outputs and `manifest.json`. The manifest carries the *fields* the outputs
depend on (the stage's own settings, its inputs' fingerprints, its input files' digests); their digest is
the fingerprint. The manifest is written `partial` before any output and turns `complete` last.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, cannot_write
from pipeline.run_folder.identity import Restate, field_differences, plain_fields

# In the order they run; a folder each, the command that makes it, and the folders it reads.
STAGES = ("finetune", "extract", "bmn", "bmn/proposals", "classify", "eval")
COMMANDS = {"bmn/proposals": "bmn"}
INPUTS = {
    "finetune": (),
    "extract": ("finetune",),
    "bmn": ("extract",),
    "bmn/proposals": ("bmn",),
    "classify": ("finetune", "bmn/proposals"),
    "eval": ("classify",),
    "eval-classifier": ("finetune",),
}


# What a complete stage has; one of them gone, it is not complete.
OUTPUTS = {
    "finetune": ("model.pt", "history.json"),
    "extract": (),
    "bmn": ("model.pt",),
    "bmn/proposals": ("proposals.csv",),
    "classify": ("detections.csv",),
    "eval": ("results.json",),
    "eval-classifier": ("results.json",),
}


@dataclass(frozen=True)
class Stage:
    """A stage opened for work: where to write, and whether anything is left to do."""

    name: str
    folder: Path
    fields: Mapping[str, Any]
    complete: bool
    leads: bool = True  # of several processes one writes the manifest

    @property
    def fingerprint(self) -> str:
        """Digest of the fields."""
        return fingerprint(self.fields)

    def progress(self, done: int, total: int) -> None:
        """Note how far the stage is, for `status`."""
        if self.leads:
            _write_manifest(self, "partial", {"progress": {"done": done, "total": total}})

    def finish(self, summary: Mapping[str, Any] | None = None) -> None:
        """Turn the manifest complete; call it after the last output is in place."""
        if self.leads:
            _write_manifest(self, "complete", {"summary": dict(summary or {})})


def fingerprint(fields: Mapping[str, Any]) -> str:
    """SHA-256 of a mapping of JSON values, independent of the order of its keys."""
    text = json.dumps(fields, sort_keys=True, allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes.

    Raises UserError where it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def read_manifest(run: Path, stage: str) -> dict[str, Any] | None:
    """A stage's manifest, or None where there is none.

    Raises UserError where it is damaged.
    """
    path = run / stage / "manifest.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content["fields"], dict) or content["state"] not in {
            "partial",
            "complete",
        }:
            raise ValueError("unknown form")
        return content
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path}: damaged ({error}); move the folder {path.parent} aside"
        ) from error


def is_complete(run: Path, name: str, manifest: Mapping[str, Any] | None) -> bool:
    """Whether a stage's manifest says complete and its outputs are there."""
    done = manifest is not None and manifest["state"] == "complete"
    return done and all((run / name / output).is_file() for output in OUTPUTS[name])


def open_stage(
    run: Path,
    name: str,
    fields: Mapping[str, Any],
    *,
    force: bool = False,
    replace: bool = False,
    restate: Restate | None = None,
) -> Stage:
    """Open a stage for work.

    The same fields: go on, or nothing to do. Other fields: UserError that prints the differing ones,
    unless `force`, which moves the old folder aside, or `replace`, which writes over it (for outputs
    that are made again in a moment). A stage that had not written anything is nobody's yet. `restate` says
    an older program's fields as they would be recorded today.
    """
    fields = plain_fields(fields)
    old = read_manifest(run, name)
    if old is not None and not field_differences(old["fields"], fields, restate):
        fields = old["fields"]
    if old is not None and old["fields"] != fields:
        if not (replace or _holds_nothing(run / name)):
            if not force:
                raise UserError(_difference(run, name, old["fields"], fields, restate))
            _move_aside(run / name)
        old = None
    stage = Stage(name, run / name, fields, is_complete(run, name, old))
    try:
        stage.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(stage.folder, error) from error
    clear_litter(stage.folder.rglob("*.tmp"))
    if not stage.complete:
        _write_manifest(stage, "partial", {})
    return stage


def follow_stage(
    run: Path, name: str, fields: Mapping[str, Any], restate: Restate | None = None
) -> Stage:
    """The stage another process has opened: nothing is written here but outputs."""
    opened = read_manifest(run, name)
    if opened is not None and not field_differences(
        opened["fields"], plain_fields(fields), restate
    ):
        fields = opened["fields"]
    return Stage(name, run / name, fields, is_complete(run, name, opened), False)


def input_fields(run: Path, name: str) -> dict[str, str]:
    """The fingerprints of a stage's inputs, as fields.

    Raises UserError naming the command that makes an input which is not there or not complete.
    """
    fields = {}
    for source in INPUTS[name]:
        manifest = read_manifest(run, source)
        command = COMMANDS.get(source, source)
        if manifest is None or not is_complete(run, source, manifest):
            state = "has not been done" if manifest is None else "is not complete"
            raise UserError(f"{run}: stage {source} {state}; run `tada-loc {command}` first")
        # What a stage had to leave out is part of what it made.
        left_out = manifest.get("summary", {}).get("left_out") or []
        fields[f"input.{source}"] = fingerprint(
            manifest["fields"] | ({"left_out": left_out} if left_out else {})
        )
    return fields


def clear_litter(files: Iterable[Path]) -> None:
    """Remove what a killed process left under temporary names.

    Raises UserError where the folder cannot be written.
    """
    for path in list(files):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name in the same folder, flushed and renamed into place when the block succeeds."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # a file system turned read-only refuses even this
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def why_again(
    run: Path, name: str, fields: Mapping[str, Any], restate: Restate | None = None
) -> str:
    """Why a stage would run again with these fields: the fields that differ, or an empty string.

    `restate` is that of `open_stage`.
    """
    old = read_manifest(run, name)
    return "; ".join(field_differences(old["fields"], plain_fields(fields), restate)) if old else ""


def _difference(
    run: Path,
    name: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    restate: Restate | None,
) -> str:
    lines = "; ".join(field_differences(old, new, restate))
    return (
        f"{run / name}: made with other settings ({lines}); use --force to move it aside and "
        "start again, or another --run-dir"
    )


def _holds_nothing(folder: Path) -> bool:
    return not any(
        path.is_file() and path.name != "manifest.json" and path.suffix != ".tmp"
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
    except OSError as error:
        raise cannot_write(target, error) from error


def _write_manifest(stage: Stage, state: str, extra: Mapping[str, Any]) -> None:
    path = stage.folder / "manifest.json"
    try:
        started = json.loads(path.read_text(encoding="utf-8")).get("started")
    except (OSError, ValueError):
        started = None
    content = {
        "stage": stage.name,
        "state": state,
        "fingerprint": stage.fingerprint,
        "started": started or _now(),
        "updated": _now(),
        "fields": stage.fields,
        **extra,
    }
    write_json(path, content)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
