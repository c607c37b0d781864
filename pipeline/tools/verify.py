"""Every byte of a run compared with what was written: what `tada-loc verify` prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.proxies.form import proxies_folder, proxy_path
from pipeline.errors import UserError
from pipeline.progress import Progress
from pipeline.results.tables import MAPS
from pipeline.run_folder.identity import FileRecord, is_as_recorded
from pipeline.run_folder.ledger import Ledger
from pipeline.run_folder.manifests import read_manifest
from pipeline.runs.graph import STAGES
from pipeline.runs.run import Run


@dataclass(frozen=True)
class Checked:
    """How many files were compared, and a line for each that is not what was written."""

    files: int
    faults: tuple[str, ...]

    @property
    def text(self) -> str:
        """What a user sees."""
        if not self.faults:
            return f"{self.files} files are as they were written"
        return "\n".join(
            [*self.faults, f"{len(self.faults)} of {self.files} files are not as they were written"]
        )


def verify_run(run: Run) -> Checked:
    """Compare every output that was recorded. Raises UserError if there is none."""
    faults: list[str] = []
    records = list(_records(run, faults))
    if not records and not faults:
        raise UserError(f"{run.folder}: nothing is recorded here; check --run-dir")
    with Progress(len(records), "verify", unit="file") as bar:
        for path, record in records:
            try:
                if not path.is_file():
                    faults.append(f"{path}: is missing")
                elif not is_as_recorded(path, record, verify=True):
                    faults.append(f"{path}: is not as it was written")
            except UserError as error:
                faults.append(error.message)
            bar.update(1)
    return Checked(len(records), tuple(faults))


def _records(run: Run, faults: list[str]) -> Iterator[tuple[Path, FileRecord]]:
    """Every output that was recorded; a manifest that cannot be used is a fault."""
    folder = proxies_folder(run.config, run.folder)
    for video, line in Ledger(folder).lines.items():
        path = proxy_path(folder, video)
        if path.exists():  # they can be made again
            yield path, line.file
    for stage in (one for one in STAGES if not one.alone):
        folder = run.path(stage.name)
        try:
            manifest = read_manifest(folder)
        except UserError as error:
            faults.append(error.message)
            continue
        if manifest is None:
            continue
        for name, record in manifest.outputs.items():
            yield folder / name, record
        if stage.part:
            for video, line in Ledger(folder).lines.items():
                yield folder / stage.part_of(video), line.file
        for video, line in Ledger(folder / MAPS).lines.items():
            path = folder / MAPS / f"{video}.npz"
            if path.exists():  # nothing is lost if they are missing
                yield path, line.file
