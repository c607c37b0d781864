"""The commands around a model file: exported from a run, and described."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import JSON, RUN, echo
from pipeline.cli.paths import NamedPath


@click.command()
@RUN
@click.option(
    "--to", "target", type=NamedPath(), required=True, metavar="FILE", help="The file to write."
)
@click.option(
    "--note",
    metavar="TEXT",
    help="A text to store in the file, such as a licence: the text itself, or a file that holds it.",
)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def export(run_dir: Path | None, target: Path, note: str | None, force: bool) -> None:
    """Write a trained model into one file.

    The file holds what `tada-loc predict` needs: settings, class names, weights and results. It holds no code and no path of this
    machine. The same run gives the same file, byte for byte, until it is trained again.

    Example: tada-loc export --run-dir runs/own --to own.tada --note LICENSE
    """
    from pipeline.cli.choosing import chosen_run
    from pipeline.model_files.exporting import export_run

    echo(export_run(chosen_run(run_dir), target, note=note, force=force))


@click.command()
@click.argument("model", type=NamedPath())
@JSON
def info(model: Path, json_file: Path | None) -> None:
    """Show what a model detects, its origin, and its results.

    MODEL is a file that `tada-loc export` wrote, every byte of which is checked, or a run folder.

    Example: tada-loc info own.tada
    """
    from pipeline.model_files.info import describe, info_table

    found = describe(model)
    if json_file is not None:
        from pipeline.run_folder.files import write_report

        write_report(json_file, found)
    echo(info_table(found))
