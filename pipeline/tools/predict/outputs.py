"""The files of a video's predictions: written where they are not current, never over what a person has changed."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from feature_extraction.store import feature_path
from pipeline.data.videos.finding import Source
from pipeline.errors import UserError, cannot_write
from pipeline.prediction.choosing import Choice
from pipeline.prediction.found import Prediction
from pipeline.run_folder.files import remove
from pipeline.run_folder.identity import FileRecord, fingerprint, is_as_recorded, record_of
from pipeline.run_folder.ledger import Made
from pipeline.tools.predict.forms import FORMS, Form, Report

FILES = "videos"  # the folder of a video's files
_WRITTEN = 1  # the form of what is written; another makes files of before again
_NO_FILE = FileRecord(0, 0, "")


@dataclass
class Wrote:
    """What was written of a video: lines to be recorded, lines to be forgotten, and what was moved aside."""

    made: list[Made] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)


def forms_of(options: Sequence[str]) -> list[Form]:
    """The forms that are asked for."""
    return [form for form in FORMS if not form.option or form.option in options]


def name_of(video: str, form: Form) -> str:
    """The name of a video's file of a form, below the folder of files."""
    return (
        str(feature_path("", video).with_suffix("").parent / video.rpartition("/")[2]) + form.ending
    )


def require_distinct(videos: Sequence[str]) -> None:
    """Refuse videos whose files would have one name, as those of `a` and of `a.via` would. Raises UserError."""
    owners: dict[str, str] = {}
    for video in videos:
        for form in FORMS:
            name = name_of(video, form)
            if owners.setdefault(name, video) != video:
                raise UserError(
                    f"videos {owners[name]} and {video} would both write {name}; rename one, or give one at a time"
                )


def made_as(form: Form, choice: Choice, truth: pd.DataFrame | None, source: Source) -> str:
    """What a file depends on besides what was found."""
    shown = None if truth is None else truth.to_csv(index=False)
    return fingerprint(
        {
            "form": form.ending,
            "written": _WRITTEN,
            "choice": [choice.threshold, choice.top, sorted(choice.classes)],
            "truth": shown if form.option == "timeline" else None,
            "source": os.path.abspath(source) if form.option else None,
        }
    )


def is_written(folder: Path, name: str, line: Made | None, by: str, of: str) -> bool:
    """Whether a file is there and was made so; one that a person has changed since is."""
    return line is not None and (line.by, line.of) == (by, of) and (folder / name).exists()


def write_form(
    found: Prediction,
    source: Source,
    folder: Path,
    form: Form,
    lines: Mapping[str, Made],
    by: tuple[str, str],
    report: Report,
) -> Wrote:
    """Write a video's file, or folder of files, of a form; `lines`: what is recorded of files in `folder`.

    What lies there and is not as it was written is moved aside. Raises UserError where that cannot be done.
    """
    name = name_of(found.video, form)
    wrote = Wrote()
    if form.folder:
        _clear(folder, name, lines, wrote)
    else:
        _keep_changed(folder / name, lines.get(name), wrote)
    files = form.write(found, source, folder / name, report)
    if form.folder:
        wrote.made.append(_line(name, by, _NO_FILE))
    for path in [folder / name] if files is None else files:
        report(0.0)
        wrote.made.append(_line(path.relative_to(folder).as_posix(), by, record_of(path)))
    return wrote


def guarded(path: Path, line: Made | None) -> str | None:
    """Make room for a file: what lies there and is not as it was written is moved aside, to the name that is given."""
    wrote = Wrote()
    _keep_changed(path, line, wrote)
    return wrote.aside[0] if wrote.aside else None


def _line(name: str, by: tuple[str, str], file: FileRecord) -> Made:
    return Made(video=name, by=by[0], of=by[1], file=file, content=file.sha256)


def _clear(folder: Path, name: str, lines: Mapping[str, Made], wrote: Wrote) -> None:
    """Remove the files of a folder that are as they were written; the others stay."""
    place = folder / name
    if place.is_dir() and not place.is_symlink():
        for path in sorted(place.iterdir()):
            below = path.relative_to(folder).as_posix()
            line = lines.get(below)
            if line is not None and is_as_recorded(path, line.file):
                remove(path)
                wrote.gone.append(below)
            elif path.is_file():
                _keep_changed(path, line, wrote)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(place, error) from error


def _keep_changed(path: Path, line: Made | None, wrote: Wrote) -> None:
    if not os.path.lexists(path) or (line is not None and is_as_recorded(path, line.file)):
        return
    stamp = time.strftime("%Y%m%d-%H%M%S")
    target, number = path.with_name(f"{path.stem}.{stamp}{path.suffix}"), 1
    while os.path.lexists(target):
        target = path.with_name(f"{path.stem}.{stamp}-{number}{path.suffix}")
        number += 1
    try:
        path.rename(target)
    except OSError as error:
        raise cannot_write(target, error) from error
    wrote.aside.append(f"{path} was changed since, or is not ours: kept as {target.name}")
