"""`tada-loc compare`: results side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import JSON, SET, echo, start
from pipeline.cli.paths import NamedPath

if TYPE_CHECKING:
    from pipeline.tools.compare.results import Result


@click.command()
@click.argument("results", nargs=-1, required=True, type=NamedPath(), metavar="RUN...")
@click.option(
    "--at",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    metavar="TIOU",
    help="The tIoU at which errors and videos are compared.",
)
@click.option(
    "--resamples",
    type=click.IntRange(20, 100_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="Bootstrap samples of the videos, from which intervals are computed.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Random seed of the bootstrap samples.",
)
@click.option(
    "--config", metavar="FILE", help="For result files: the configuration to score them with."
)
@click.option(
    "--annotations", metavar="FILE", help="For result files: the annotations (dataset.annotations)."
)
@SET
@JSON
@click.option("--page", type=NamedPath(), metavar="FILE", help="Also write an HTML page.")
def compare(
    results: tuple[Path, ...],
    at: float,
    resamples: int,
    seed: int,
    json_file: Path | None,
    page: Path | None,
    **options: Any,
) -> None:
    """Compare runs, with confidence intervals of differences.

    RUN are folders of evaluated runs, or result files and tables of detections as `tada-loc score` reads them. The first is the
    one that the others are compared with, on the videos that all were evaluated on. Shows mAP, AR, kinds of errors and classes
    with bootstrap intervals over videos, the settings that differ, and the videos that changed most.

    \b
    Example: tada-loc compare runs/tsn runs/tada2d --page compared.html
    Example: tada-loc compare a.json b.json --config thumos14 --annotations thumos14.json
    """
    from pipeline.tools.compare.comparison import comparison
    from pipeline.tools.compare.tables import comparison_table

    values = comparison(_results(results, options), at=at, resamples=resamples, seed=seed)
    if json_file is not None:
        from pipeline.run_folder.files import write_report

        write_report(json_file, values)
    if page is not None:
        from pipeline.pages.comparison import write_comparison

        write_comparison(values, page)
    echo(comparison_table(values))


def _results(paths: tuple[Path, ...], options: dict[str, Any]) -> list[Result]:
    """What is compared; files are scored as the options say, beside runs as the first run is."""
    from pipeline.errors import UsageError
    from pipeline.tools.compare.results import result_of_file, result_of_run

    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such run folder or result file")
    of_runs = {path: result_of_run(path) for path in paths if path.is_dir()}
    files = [path for path in paths if path not in of_runs]
    if not files:
        given = [name for name, value in options.items() if value]
        if given:
            option = given[0].replace("assignments", "set")
            raise UsageError(
                f"--{option}: applies to result files only; runs have their own settings. Leave it out"
            )
        return [of_runs[path] for path in paths]
    if of_runs and not any(options.values()):
        settings = next(iter(of_runs.values())).config
    else:
        settings = start("eval", {**options, "verbose": False}).given.detection()
    return [of_runs[path] if path in of_runs else result_of_file(settings, path) for path in paths]
