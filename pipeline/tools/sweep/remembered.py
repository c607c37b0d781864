"""`sweep/figures.json` of a run: the figures of settings that were tried, so that a stopped sweep resumes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pipeline.configuration.keys import result_fields
from pipeline.data.annotations.class_names import heads_digest
from pipeline.data.inputs import rows_by_video
from pipeline.plain_files import read_json
from pipeline.run_folder.files import write_json
from pipeline.run_folder.identity import fingerprint
from pipeline.runs.run import Run
from pipeline.tools.sweep.figures import Halves, Measured
from pipeline.tools.sweep.settings import Setting, finding_section

FOLDER, FILE = "sweep", "figures.json"
_WRITE_SECONDS = 2.0


class Remembered:
    """Figures by what they depend on: a setting, and `of`, what all settings of a sweep have in common.

    Those of anything else are dropped when the file is written. It is only read where it is not `written`.
    """

    def __init__(self, run: Run, of: str, *, written: bool) -> None:
        self._path, self._of, self._writes = run.folder / FOLDER / FILE, of, written
        self._section = finding_section(run.detection)
        self._found = self._read()
        self._saved = time.monotonic()

    def get(self, setting: Setting) -> Measured | None:
        """The figures of a setting, where it has been tried."""
        try:
            return Measured.from_json(self._found[self._key(setting)])
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def note(self, setting: Setting, measured: Measured) -> None:
        """Remember a setting's figures. Raises UserError if they cannot be written."""
        self._found[self._key(setting)] = measured.as_json()
        if time.monotonic() - self._saved > _WRITE_SECONDS:
            self.write()

    def write(self) -> None:
        """Write what is known. Raises UserError if it cannot be written."""
        if self._writes and self._found:
            write_json(self._path, {"of": self._of, "figures": self._found})
        self._saved = time.monotonic()

    def _read(self) -> dict[str, Any]:
        try:
            content = read_json(self._path)
            return dict(content["figures"]) if content["of"] == self._of else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}  # not there, or damaged: tried again

    def _key(self, setting: Setting) -> str:
        fields = result_fields(self._section, setting.finding)
        return fingerprint(fields | result_fields("classify", setting.classify))


def depends_on(run: Run, fields: Mapping[str, Any], halves: Halves | None) -> str:
    """What all figures of a sweep depend on; `fields` are those of the stage that the head finds with."""
    facts, config, ways = run.facts(), run.detection, run.ways
    swept = f"{finding_section(config)}."
    classes = None
    if not ways.own_classes:
        classes = facts.given_scores() if ways.given_scores else facts.weights("finetune")
    return fingerprint(
        {
            "proposals": {k: v for k, v in fields.items() if not k.startswith(swept)},
            "classes": classes,
            "class names": heads_digest(run.dataset.heads),
            "segments": rows_by_video(run.dataset.all_rows(run.subsets[1])),
            "videos": sorted(run.dataset.video_ids(run.subsets[1])),
            "eval": result_fields("eval", config.eval),
            "halves": None if halves is None else sorted(halves.chosen_on),
        }
    )
