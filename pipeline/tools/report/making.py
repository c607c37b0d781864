"""The report made: of a run in its folder, whole or in the small form, and of a file of detections."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.configuration.settings import DetectionConfig
from pipeline.errors import UserError
from pipeline.pages.report import PAGE, made_of, write_report_page
from pipeline.progress import say
from pipeline.results.scoring.unknown_videos import UnknownVideos
from pipeline.run_folder.identity import fingerprint
from pipeline.run_folder.manifests import readable_manifest
from pipeline.runs.run import Run
from pipeline.tools.report.of_file import report_of_file
from pipeline.tools.report.of_run import report_of_run
from pipeline.tools.report.what_ran import program
from pipeline.tools.why.analysis import kept_why
from pipeline.tools.why.analysis import why as why_of

FOLDER = "report"  # below the run's
_WHOLE, _SMALL = "whole", "small"


def make_report(run: Run, folder: Path | None = None) -> Path:
    """Write the whole report of a run, by default into its folder, and give the path of the page.

    Raises UserError if the run is not evaluated, or no longer as its settings say.
    """
    if not run.folder.is_dir():
        raise UserError(f"{run.folder}: no such run folder")
    state = run.state("eval")
    if state.state != "complete":
        why = f" ({state.why})" if state.why else ""
        raise UserError(
            f"{run.folder}: its results are {state.state}{why}; run `tada-loc eval --run-dir {run.folder}` first"
        )
    folder = folder or run.folder / FOLDER
    known = None
    try:
        known = why_of(run)
    except UserError as error:
        say(f"report: the gain of each stage is not known: {error.message}")
    report = report_of_run(run, folder, frames=True, why=known)
    return write_report_page(replace(report, made_of=f"{_identity(run)} {_WHOLE}"), folder)


def make_small_report(run: Run) -> Path | None:
    """See that the run's folder holds a report of its results: the small form, unless one of them is there.

    None if it cannot be written, which is reported: the results are there all the same.
    """
    folder = run.folder / FOLDER
    try:
        identity, known = _identity(run), kept_why(run)
        # With what each stage could give it is another one.
        small = f"{identity} {_SMALL}{'' if known is None or not known['stages'] else ', stages'}"
        if made_of(folder / PAGE) in {f"{identity} {_WHOLE}", small}:
            return folder / PAGE
        report = report_of_run(run, folder, frames=False, why=known)
        return write_report_page(replace(report, made_of=small), folder)
    except UserError as error:
        say(f"report: not written: {error.message}")
        return None


def make_file_report(
    settings: DetectionConfig, path: Path, folder: Path, unknown_videos: UnknownVideos = "refuse"
) -> Path:
    """Write the report of a result file or a table of detections, and give the path of the page.

    `unknown_videos`: how to treat rows of videos that are not evaluated. Raises UserError if it cannot be scored.
    """
    report = report_of_file(settings, path, folder, unknown_videos=unknown_videos)
    return write_report_page(report, folder)


def _identity(run: Run) -> str:
    """What the report of a run is of: what its results are of, and the program that makes it."""
    manifest = readable_manifest(run.path("eval"))
    fields = {} if manifest is None else manifest.fields
    return fingerprint({"results": fields, "program": program()})
