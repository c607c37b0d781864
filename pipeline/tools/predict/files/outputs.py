"""The files of a video's predictions: written where they are not current, never over what a user has changed."""

from __future__ import annotations

import filecmp
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from feature_extraction.store import MAX_NAME_BYTES, feature_path
from pipeline.configuration.reading import RUN_CONFIG
from pipeline.data.videos.finding import Source
from pipeline.errors import UserError, cannot_write
from pipeline.prediction.choosing import Choice
from pipeline.prediction.found import Prediction
from pipeline.run_folder.files import remove
from pipeline.run_folder.identity import FileRecord, fingerprint, is_as_recorded, record_of
from pipeline.run_folder.ledger import Ledger, Made
from pipeline.tools.predict.files.forms import FORMS, Form, Report
from pipeline.writers.film.clip_names import is_clip_name

FILES = "videos"  # the folder of a video's files
_WRITTEN = 1  # the form of what is written; another makes files of before again
_NO_FILE = FileRecord(0, 0, "")


def forms_of(options: Sequence[str]) -> list[Form]:
    """The forms that are asked for."""
    return [form for form in FORMS if not form.option or form.option in options]


def name_of(video: str, form: Form) -> str:
    """The name of a video's file of a form, below the folder of files."""
    return (
        str(feature_path("", video).with_suffix("").parent / video.rpartition("/")[2]) + form.ending
    )


def require_place(folder: Path) -> None:
    """Refuse the folder of a run, which records its own videos. Raises UserError."""
    if (folder / RUN_CONFIG).is_file() and (folder / "finetune").is_dir():
        raise UserError(
            f"{folder}: is the folder of a run; write predictions to another: --to {folder / 'predictions'}"
        )


def require_names(videos: Sequence[str], options: Sequence[str]) -> None:
    """Refuse videos whose files would have one name, as those of `a` and of `a.via` would, or one too long.

    Raises UserError.
    """
    owners: dict[str, str] = {}
    for video in videos:
        for form in FORMS:
            name = name_of(video, form)
            if owners.setdefault(name, video) != video:
                raise UserError(
                    f"videos {owners[name]} and {video} would both write {name}; rename one, or give one at a time"
                )
        longest = max((form.ending for form in forms_of(options)), key=len)
        size = len(f"{video.rpartition('/')[2]}{longest}".encode())
        if size > MAX_NAME_BYTES:
            raise UserError(
                f"video {video}: its {longest} would have a name of {size} bytes, more than {MAX_NAME_BYTES}; "
                "rename the video"
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


def is_written(ledger: Ledger, name: str, by: str, of: str) -> bool:
    """Whether a file is there and was made so; one that a user has changed since is."""
    line = ledger.get(name)
    return line is not None and (line.by, line.of) == (by, of) and (ledger.folder / name).exists()


def write_form(
    found: Prediction,
    source: Source,
    ledger: Ledger,
    form: Form,
    by: tuple[str, str],
    report: Report,
) -> list[str]:
    """Write a video's file, or folder of files, of a form into the ledger's folder, and record it there.

    What is there and is not as it was written is moved aside; what is reported about that is given. Raises UserError if a
    file cannot be written.
    """
    name = name_of(found.video, form)
    place = ledger.folder / name
    moved = _clear(place, ledger) if form.folder else _keep_changed(place, ledger.get(name))
    files = form.write(found, source, place, report)
    for path in [place] if files is None else files:
        report(0.0)
        _note(ledger, path, by)
    if form.folder:  # last: it says that all are there
        ledger.note(_line(name, by, _NO_FILE))
    return _said(moved)


def write_guarded(
    path: Path, ledger: Ledger, by: str, write: Callable[[Path], object]
) -> list[str]:
    """Write a file of the ledger's folder and record it; what is there is guarded as by `write_form`."""
    moved = _keep_changed(path, ledger.get(path.name))
    write(path)
    _note(ledger, path, (by, ""))
    return _said(moved)


def _note(ledger: Ledger, path: Path, by: tuple[str, str]) -> None:
    ledger.note(_line(path.relative_to(ledger.folder).as_posix(), by, record_of(path)))


def _line(name: str, by: tuple[str, str], file: FileRecord) -> Made:
    return Made(video=name, by=by[0], of=by[1], file=file, content=file.sha256)


def _clear(place: Path, ledger: Ledger) -> dict[Path, Path]:
    """Remove the files of a folder that are as they were written; others are moved aside, to where it says.

    What has no name of ours, as what was moved aside before, stays.
    """
    moved: dict[Path, Path] = {}
    if place.is_dir():
        for path in sorted(place.iterdir()):
            line = ledger.get(path.relative_to(ledger.folder).as_posix())
            if line is not None and is_as_recorded(path, line.file):
                remove(path)
            elif line is not None or is_clip_name(path.name):
                moved |= _keep_changed(path, line)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(place, error) from error
    return moved


def _keep_changed(path: Path, line: Made | None) -> dict[Path, Path]:
    """Move a file aside that is not as it was written; where it is now, by where it lay."""
    if not os.path.lexists(path) or (line is not None and is_as_recorded(path, line.file)):
        return {}
    stamp = time.strftime("%Y%m%d-%H%M%S")
    target, number = path.with_name(f"{path.stem}.{stamp}{path.suffix}"), 1
    while os.path.lexists(target):
        target = path.with_name(f"{path.stem}.{stamp}-{number}{path.suffix}")
        number += 1
    try:
        path.rename(target)
    except OSError as error:
        raise cannot_write(target, error) from error
    return {path: target}


def _said(moved: Mapping[Path, Path]) -> list[str]:
    """The lines about files moved aside; one that is written again unchanged, as after a kill, is removed."""
    said = []
    for path, target in moved.items():
        if path.is_file() and target.is_file() and filecmp.cmp(path, target, shallow=False):
            remove(target)
        else:
            said.append(
                f"{path}: what was there was changed by hand or is not ours; it was renamed to {target.name}"
            )
    return said
