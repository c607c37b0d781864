"""What a stage's folder holds, compared with what the stage would make now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.run_folder.aside import moved_aside
from pipeline.run_folder.identity import (
    UNKNOWN,
    Restate,
    as_recorded,
    field_differences,
    fingerprint,
    plain_fields,
)
from pipeline.run_folder.manifests import (
    FORM,
    GONE,
    MANIFEST,
    Manifest,
    changed_outputs,
    hours_text,
    read_manifest,
    readable_manifest,
)


@dataclass(frozen=True)
class Wanted:
    """A stage as it would be made now: its folder, and what its outputs depend on.

    `outputs` are the files a complete stage has. `valuable`: files that are not discarded without --force
    (a training's); a stage without any is made again in place. `restate` says what an older manifest would hold
    today, `formerly` the fields an older program would record now, `weigh` gives the digest of trained weights.
    `because`: why what it reads is made again. `recipes`: what features it reads were made by and of. `verify`: bytes are compared always.
    """

    name: str
    folder: Path
    outputs: tuple[str, ...]
    fields: Mapping[str, Any]
    restate: Restate
    valuable: tuple[str, ...] = ()
    formerly: Callable[[], Mapping[str, Any]] | None = None
    weigh: Callable[[], str] | None = None
    verify: bool = False
    because: tuple[str, ...] = ()
    recipes: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Digest of the fields."""
        return fingerprint(self.fields)

    def differences(self, manifest: Manifest) -> list[str]:
        """Which inputs of a manifest's outputs are different now; for an older program, in its own terms."""
        wanted = self.fields
        if manifest.form < FORM and self.formerly is not None:
            wanted = self.formerly()
        return field_differences(manifest.fields, plain_fields(wanted), self.restate)

    def known_differences(self, manifest: Manifest) -> list[str]:
        """As `differences`, ignoring what is not known yet."""
        known = as_recorded(self.fields, manifest.fields, UNKNOWN)
        return replace(self, fields=known).differences(manifest)

    def why_again(self) -> list[str]:
        """Why the stage would do its work again: fields that differ, outputs that are not what was written.

        None if it would not, and where it has not been done. Raises UserError if it cannot be read.
        """
        manifest = read_manifest(self.folder)
        if manifest is None:
            return []
        return self.differences(manifest) or self.changed(manifest)

    def is_changed(self) -> bool:
        """Whether an output is there and changed since it was written."""
        manifest = self.readable()
        return manifest is not None and any(
            not text.endswith(GONE) for text in self.changed(manifest)
        )

    def loses(self) -> str | None:
        """The valuable output that is in the folder; None if there is none."""
        return next((name for name in self.valuable if (self.folder / name).is_file()), None)

    def aside(self) -> Path | None:
        """A training that was moved aside and is what the stage would make or resume now, if there is one.

        Inputs that are not known yet are ignored.
        """
        for path in moved_aside(self.folder) if self.valuable else ():
            kept = replace(self, folder=path)
            manifest = kept.readable()
            if manifest is None or kept.loses() is None:
                continue
            if not (kept.known_differences(manifest) or kept.changed(manifest)):
                return path
        return None

    def require_free(self, *, force: bool = False) -> None:
        """Refuse to discard a training. Raises UserError naming what differs, what it cost, and the flag."""
        reasons = self.against()
        name = self.loses()
        if not reasons or name is None or force or self.aside() is not None:
            return
        what, way = "of other inputs", "restore the earlier settings and inputs to use it"
        manifest = self.readable()
        if manifest is None or not self.differences(manifest):
            what, way = "not as it was left", "restore it to use it again"
        why = "; ".join(dict.fromkeys([*reasons, *self.because]))
        raise UserError(
            f"{self.name}: {self.folder / name} is {what} ({why}); it is kept: {way}, or use "
            f"--force to move it aside and train again{self._cost()}"
        )

    def require_files(self) -> None:
        """Refuse a folder in the place of an output. Raises UserError."""
        for name in (*self.outputs, MANIFEST):
            if (self.folder / name).is_dir():
                raise UserError(
                    f"{self.folder / name}: is a folder, but must be a file; move it away"
                )

    def readable(self) -> Manifest | None:
        """The manifest; none where it is damaged."""
        return readable_manifest(self.folder)

    def against(self) -> list[str]:
        """Why what is in the folder cannot be used or resumed."""
        try:
            manifest = read_manifest(self.folder)
        except UserError as error:
            if error.damaged is None:
                raise
            return [error.message]
        if manifest is None:
            return ["its manifest.json, which records what it was made with, is missing"]
        return self.differences(manifest) or [
            text for text in self.changed(manifest) if not text.endswith(GONE)
        ]

    def changed(self, manifest: Manifest) -> list[str]:
        """Which outputs of a complete manifest are gone or not what was written, a line each."""
        if not manifest.complete:
            return []
        return changed_outputs(self.folder, self.outputs, manifest, verify=self.verify)

    def _cost(self) -> str:
        manifest = self.readable()
        return f" (it took {hours_text(manifest.hours)})" if manifest and manifest.hours else ""
