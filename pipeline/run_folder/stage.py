"""A stage's folder opened for work: go on, nothing to do, start anew, or take back what was moved aside."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, cannot_write
from pipeline.progress import say
from pipeline.run_folder.aside import move_aside, moved_aside, take_back
from pipeline.run_folder.files import clear_temporary
from pipeline.run_folder.identity import (
    Restate,
    as_known,
    field_differences,
    fingerprint,
    plain_fields,
    record_of,
)
from pipeline.run_folder.manifests import (
    FORM,
    GONE,
    Manifest,
    WorkDone,
    changed_outputs,
    now,
    read_manifest,
    write_manifest,
)

_NOTE_SECONDS = 1.0


@dataclass(frozen=True)
class Stage:
    """A stage of a run: its folder, what its outputs depend on, and, once opened, how it stands.

    `outputs` are the files a complete stage has. `valuable`: files that are not thrown away unasked (a
    training's); one that has none is made again in place. `restate` says what an older manifest would hold
    today, `formerly` the fields an older program would record now, `weigh` gives the digest of trained weights.
    Of several processes one `writes`.
    """

    name: str
    folder: Path
    outputs: tuple[str, ...]
    fields: Mapping[str, Any]
    restate: Restate
    valuable: tuple[str, ...] = ()
    formerly: Callable[[], Mapping[str, Any]] | None = None
    weigh: Callable[[], str] | None = None
    writes: bool = True
    verify: bool = False
    complete: bool = False
    anew: bool = False
    form: int = FORM
    spent: float = 0.0  # seconds of work before it was opened
    began: float = 0.0
    because: tuple[str, ...] = ()  # why what it reads is made again
    displaced: Path | None = None  # what was moved aside for it
    noted: list[float] = field(default_factory=lambda: [-math.inf])

    @property
    def fingerprint(self) -> str:
        """Digest of the fields."""
        return fingerprint(self.fields)

    def differences(self, manifest: Manifest) -> list[str]:
        """What a manifest's outputs depend on that is otherwise now; of an older program's in its own terms."""
        wanted = self.fields
        if manifest.form < FORM and self.formerly is not None:
            wanted = self.formerly()
        return field_differences(manifest.fields, plain_fields(wanted), self.restate)

    def known_differences(self, manifest: Manifest) -> list[str]:
        """As `differences`, what is not known yet left aside."""
        known = as_known(self.fields, manifest.fields)
        return replace(self, fields=known).differences(manifest)

    def why_again(self) -> list[str]:
        """Why the stage would do its work again: fields that differ, outputs that are not what was written.

        None where it would not, and where it has not been done. Raises UserError where it cannot be read.
        """
        manifest = read_manifest(self.folder)
        if manifest is None:
            return []
        return self.differences(manifest) or self._changed(manifest)

    def is_changed(self) -> bool:
        """Whether an output is there and not what was written."""
        manifest = self._readable()
        return manifest is not None and any(
            not text.endswith(GONE) for text in self._changed(manifest)
        )

    def loses(self) -> str | None:
        """What of value is in the folder; None where nothing is."""
        return next((name for name in self.valuable if (self.folder / name).is_file()), None)

    def aside(self) -> Path | None:
        """A training that was moved aside and is what the stage would make now, or gone on with, if there is one.

        What is not known yet of the inputs speaks against none.
        """
        for path in moved_aside(self.folder) if self.valuable else ():
            kept = replace(self, folder=path)
            manifest = kept._readable()
            if manifest is None or kept.loses() is None:
                continue
            if not (kept.known_differences(manifest) or kept._changed(manifest)):
                return path
        return None

    def require_free(self, *, force: bool = False) -> None:
        """Refuse to throw away a training. Raises UserError saying what differs, what it cost, and the flag."""
        reasons = self._against()
        name = self.loses()
        if not reasons or name is None or force or self.aside() is not None:
            return
        why = "; ".join([*reasons, *self.because])
        raise UserError(
            f"{self.name}: {self.folder / name} is of other inputs ({why}); it is not thrown away unasked. "
            f"--force moves it aside and trains again{self._cost()}; with the former settings and inputs it "
            "is used as it is"
        )

    def open(self, *, force: bool = False) -> Stage:
        """Open the stage for work: go on, nothing to do, or, where its inputs are others now, anew.

        A training whose inputs are others is taken back from where it was moved aside, or moved aside with
        `force`. Raises UserError where it would be lost otherwise.
        """
        self.require_free(force=force)
        displaced = None
        if self._against():
            kept = self.aside()
            if kept is not None:
                take_back(kept, self.folder)
                say(f"{self.name}: {kept} has these settings and inputs and is taken back")
            elif self.loses() is not None:
                displaced = move_aside(self.folder)
        manifest = self._readable()
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
        """Where this stage failed for good: what was moved aside for it lies in its place again."""
        if self.writes and self.displaced is not None:
            take_back(self.displaced, self.folder)
            say(f"{self.name}: the former one is in its place again")

    def follow(self) -> Stage:
        """The stage as another process has opened it: nothing is written here but outputs."""
        manifest = read_manifest(self.folder)
        same = manifest is not None and not self.differences(manifest)
        opened = self._opened(manifest if same else None, anew=not same)
        return replace(opened, writes=False)

    def progress(self, done: int, total: int) -> None:
        """Note how far the stage is, for `status`; once a second is often enough."""
        if self.writes and time.monotonic() - self.noted[0] > _NOTE_SECONDS:
            self.noted[0] = time.monotonic()
            self._write("partial", progress=WorkDone(done=done, total=total))

    def finish(
        self, summary: Mapping[str, Any] | None = None, *, weights: str | None = None
    ) -> None:
        """Turn the manifest complete; call it after the last output is in place."""
        if self.writes:
            self._write("complete", summary=dict(summary or {}), weights=weights)

    def _readable(self) -> Manifest | None:
        """The manifest; none where it is damaged."""
        try:
            return read_manifest(self.folder)
        except UserError as error:
            if error.damaged is None:
                raise
            return None

    def _against(self) -> list[str]:
        """Why what is in the folder cannot be used or gone on with."""
        try:
            manifest = read_manifest(self.folder)
        except UserError as error:
            if error.damaged is None:
                raise
            return [error.message]
        if manifest is None:
            return ["its manifest.json, which says what it was made with, is gone"]
        return self.differences(manifest) or [
            text for text in self._changed(manifest) if not text.endswith(GONE)
        ]

    def _changed(self, manifest: Manifest) -> list[str]:
        if not manifest.complete:
            return []
        return changed_outputs(self.folder, self.outputs, manifest, verify=self.verify)

    def _cost(self) -> str:
        try:
            manifest = read_manifest(self.folder)
        except UserError:
            return ""
        return f" (it took {hours_text(manifest.hours)})" if manifest and manifest.hours else ""

    def _opened(self, manifest: Manifest | None, *, anew: bool) -> Stage:
        """With the fields of a manifest that says the same: a half-done training is known by them."""
        fields, form = plain_fields(self.fields), FORM
        complete = False
        if manifest is not None:
            complete = manifest.complete and not self._changed(manifest)
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
                **more,
            }
        )
        write_manifest(self.folder, manifest)


def hours_text(hours: float) -> str:
    """Hours as a person says them."""
    if hours < 1 / 60:
        return f"{max(1, round(hours * 3600))} s"
    return f"{hours * 60:.0f} min" if hours < 1.5 else f"{hours:.1f} h"
