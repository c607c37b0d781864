"""A stage's folder opened for work: resume, nothing to do, start from scratch, or take back what was moved aside."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, cannot_write
from pipeline.progress import say
from pipeline.run_folder.aside import move_aside, take_back
from pipeline.run_folder.files import clear_temporary, remove
from pipeline.run_folder.identity import plain_fields, record_of
from pipeline.run_folder.manifests import (
    FORM,
    MANIFEST,
    Manifest,
    WorkDone,
    now,
    read_manifest,
    write_manifest,
)
from pipeline.run_folder.wanted import Wanted

_NOTE_SECONDS = 1.0


@dataclass(frozen=True)
class Stage(Wanted):
    """A stage of a run and, once opened, its state. One of several processes `writes`."""

    writes: bool = True
    complete: bool = False
    anew: bool = False
    form: int = FORM
    spent: float = 0.0  # seconds of work before it was opened
    began: float = 0.0
    displaced: Path | None = None  # what was moved aside for it
    former_config: str | None = None  # the run's settings before
    noted: list[float] = field(default_factory=lambda: [-math.inf])

    def open(self, *, force: bool = False) -> Stage:
        """Open the stage for work: resume, nothing to do, or, if its inputs are different now, start from scratch.

        A training whose inputs are others is taken back from where it was moved aside, or moved aside with
        `force`. Raises UserError if it would otherwise be lost.
        """
        self.require_files()
        self.require_free(force=force)
        displaced = None
        if self.against():
            kept = self.aside()
            if kept is not None:
                take_back(kept, self.folder)
                say(f"{self.name}: {kept} matches these settings and inputs and is restored")
            elif self.loses() is not None:
                displaced = move_aside(self.folder)
        manifest = self.readable()
        anew = manifest is None or bool(self.differences(manifest))
        opened = replace(self._opened(None if anew else manifest, anew=anew), displaced=displaced)
        try:
            opened.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(opened.folder, error) from error
        clear_temporary(opened.folder)
        if not opened.complete:
            opened._write("partial")
        elif manifest is not None and manifest.form < FORM:
            opened._restate(manifest)
        return opened

    def put_back(self) -> None:
        """Call if this stage failed for good: what was moved aside for it is in its place again."""
        if self.writes and self.displaced is not None:
            if self.loses() is None:  # it produced nothing
                remove(self.folder / MANIFEST)
            take_back(self.displaced, self.folder)
            say(f"{self.name}: the earlier one was restored")

    def follow(self) -> Stage:
        """The stage as another process has opened it: nothing is written here but outputs."""
        manifest = read_manifest(self.folder)
        same = manifest is not None and not self.differences(manifest)
        opened = self._opened(manifest if same else None, anew=not same)
        return replace(opened, writes=False)

    def progress(self, done: int, total: int) -> None:
        """Record the progress of the stage, for `status`; at most once per second."""
        if self.writes and time.monotonic() - self.noted[0] > _NOTE_SECONDS:
            self.noted[0] = time.monotonic()
            self._write("partial", progress=WorkDone(done=done, total=total))

    def finish(
        self, summary: Mapping[str, Any] | None = None, *, weights: str | None = None
    ) -> None:
        """Turn the manifest complete; call it after the last output is in place."""
        if self.writes:
            self._write("complete", summary=dict(summary or {}), weights=weights)

    def _opened(self, manifest: Manifest | None, *, anew: bool) -> Stage:
        """With the fields of a manifest that says the same: a half-done training is known by them."""
        fields, form = plain_fields(self.fields), FORM
        complete = False
        if manifest is not None:
            complete = manifest.complete and not self.changed(manifest)
            if not manifest.complete and self.valuable:  # what a checkpoint belongs to
                fields, form = manifest.fields, manifest.form
        return replace(
            self,
            fields=fields,
            form=form,
            complete=complete,
            anew=anew,
            spent=0.0 if manifest is None else manifest.seconds,
            began=time.monotonic(),
        )

    def _restate(self, manifest: Manifest) -> None:
        """Record what an older program made as it would be recorded now: it is known to be current."""
        outputs = {name: record_of(self.folder / name) for name in self.outputs}
        update = {
            "form": FORM,
            "fields": dict(self.fields),
            "outputs": outputs,
            "seconds": manifest.hours * 3600,
            "former": manifest.fields,
            "weights": manifest.weights or (self.weigh() if self.weigh else None),
        }
        write_manifest(self.folder, manifest.model_copy(update=update))

    def _write(self, state: str, **more: Any) -> None:
        try:
            before = read_manifest(self.folder)
        except UserError:
            before = None
        complete = state == "complete"
        outputs = {name: record_of(self.folder / name) for name in self.outputs} if complete else {}
        manifest = Manifest.model_validate(
            {
                "stage": self.name,
                "state": state,
                "fields": dict(self.fields),
                "form": self.form,
                "started": (before.started if before and not self.anew else "") or now(),
                "updated": now(),
                "seconds": self.spent + time.monotonic() - self.began,
                "outputs": outputs,
                "recipes": dict(self.recipes) if complete else {},
                **more,
            }
        )
        write_manifest(self.folder, manifest)
