"""The commands around a model file: exported from a run, and described."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import JSON, NamedPath, echo


@click.command()
@click.option(
    "--run-dir", type=NamedPath(), metavar="DIR", help="The run. Default: the only one in runs/."
)
@click.option(
    "--to", "target", type=NamedPath(), required=True, metavar="FILE", help="The file to write."
)
@click.option(
    "--note",
    metavar="TEXT",
    help="What goes with it, such as a licence: the text itself, or a file that holds it.",
)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def export(run_dir: Path | None, target: Path, note: str | None, force: bool) -> None:
    """Write all that `predict` needs of a run into one file.

    Settings, class names, weights and results; no path of this machine, and nothing that runs. Without a new training
    the same file is written again, to the last byte.

    Example: tada-loc export --run-dir runs/own --to own.tada --note LICENSE
    """
    from pipeline.cli.choosing import chosen_run
    from pipeline.model_files.exporting import export_run

    echo(export_run(chosen_run(run_dir), target, note=note, force=force))


@click.command()
@click.argument("model", type=NamedPath())
@JSON
def info(model: Path, json_file: Path | None) -> None:
    """Tell what a model detects, of what it was made, and how good it is.

    MODEL is a file that `tada-loc export` wrote, of which every byte is checked, or the folder of a run.

    Example: tada-loc info own.tada
    """
    from pipeline.model_files.info import describe, info_table

    found = describe(model)
    if json_file is not None:
        from pipeline.run_folder.files import write_report

        write_report(json_file, found)
    echo(info_table(found))
