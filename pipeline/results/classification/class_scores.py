"""Class scores by video: one part file per video, recorded once written, read back when all are fused."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.array_files import open_npz
from pipeline.errors import UserError, cannot_read, was_refused
from pipeline.run_folder.files import atomic_path
from pipeline.run_folder.identity import record_of
from pipeline.run_folder.ledger import Ledger, Made, is_current

PARTS = "videos"


@dataclass(frozen=True)
class Parts:
    """Scores by video in `folder`/videos: arrays [rows, classes], one per head.

    `by` is what all are made by, `of` what each video's is made of; others are not current.
    """

    folder: Path
    by: str
    of: Mapping[str, str]
    verify: bool = False

    def todo(self, videos: Sequence[str], ledger: Ledger) -> list[str]:
        """The videos whose part is not there or not current."""
        return [video for video in videos if not self._is_current(video, ledger.get(video))]

    def write(self, video: str, scores: Sequence[np.ndarray]) -> Made:
        """Write a video's scores; returns what is to be recorded. Raises UserError if they cannot be written."""
        path = self._path(video)
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, *scores)
        file = record_of(path)
        return Made(
            video=video, by=self.by, of=self.of.get(video, ""), file=file, content=file.sha256
        )

    def read(self, video: str) -> list[np.ndarray]:
        """A video's scores, one array per head. Raises UserError if there is no whole part."""
        path = self._path(video)
        try:
            with open_npz(path) as archive:
                return [archive[f"arr_{head}"] for head in range(len(archive.files))]
        except FileNotFoundError as error:
            raise UserError(f"{path}: no such file; run `tada-loc classify`") from error
        except OSError as error:
            if was_refused(error):
                raise cannot_read(path, error) from error
            raise UserError(
                f"{path}: damaged ({error}); run `tada-loc classify` to make it again"
            ) from error
        except (ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            raise UserError(
                f"{path}: damaged ({error}); run `tada-loc classify` to make it again"
            ) from error

    def _is_current(self, video: str, line: Made | None) -> bool:
        of = self.of.get(video, "")
        return is_current(self._path(video), line, self.by, of, verify=self.verify)

    def _path(self, video: str) -> Path:
        return self.folder / PARTS / f"{video}.npz"
