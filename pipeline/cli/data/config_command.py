"""The command that says what a configuration holds and may hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import configured, echo, overrides
from pipeline.cli.paths import NamedPath

if TYPE_CHECKING:
    from pipeline.configuration.settings import Config


@click.command("config")
@click.option("--explain", metavar="KEY", help="Explain a key, or list those of a section.")
@click.option(
    "--schema", is_flag=True, help="Print the JSON Schema of a configuration, for editors."
)
@click.option("--changed", is_flag=True, help="Only keys whose value is not the default.")
@click.option(
    "--against",
    metavar="FILE",
    help="Only keys that differ from another configuration, or from a run folder's.",
)
@click.option(
    "--to", "target", type=NamedPath(), metavar="FILE", help="Write it to a file instead."
)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
@configured("annotations", "videos")
def config(
    explain: str | None,
    schema: bool,
    changed: bool,
    against: str | None,
    target: Path | None,
    force: bool,
    **options: Any,
) -> None:
    """Show the settings that a run will use, or explain a key.

    Prints YAML that can be a configuration again: that of --config, of a run folder, or of what the other commands would
    use here, with KEY=VALUE on top. Changes nothing.

    \b
    Example: tada-loc config --config hacs bmn.epochs=20 --changed
    Example: tada-loc config --explain bmn.window_step
    Example: tada-loc config --schema --to tada-loc.schema.json
    """
    asked = [
        name for name, given in (("--explain", explain is not None), ("--schema", schema)) if given
    ]
    _require_one(asked, {**options, "changed": changed, "against": against, "verbose": False})
    if force and target is None:
        raise click.UsageError("--force: overwrites the file of --to; add --to")
    if explain is not None:
        from pipeline.tools.config.explaining import explain as explained

        text = explained(explain)
    elif schema:
        import json

        from pipeline.tools.config.schema import configuration_schema

        text = json.dumps(configuration_schema(), indent=2, ensure_ascii=False)
    else:
        from pipeline.tools.config.resolved import text_of

        text = text_of(_chosen(options), only_changed=changed, against=against)
    _give(text, target, force=force)


def _require_one(asked: list[str], others: dict[str, Any]) -> None:
    """Refuse what would do nothing beside --explain and --schema. Raises UsageError."""
    from pipeline.errors import UsageError

    given = [name for name, value in others.items() if value not in (None, False, ())]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)}: give one of them")
    if asked and given:
        raise UsageError(
            f"{asked[0]} is about any configuration: leave out what chooses or sets one"
        )


def _chosen(options: dict[str, Any]) -> Config:
    """The configuration that the options name. Raises UsageError for what is wrong."""
    from pipeline.cli.choosing import choose
    from pipeline.configuration.reading import load_config
    from pipeline.progress import say

    path, _ = choose(options.pop("config"), options.pop("run_dir"))
    if options.pop("verbose"):
        say(f"configuration {path}")
    return load_config(path, overrides(None, options))


def _give(text: str, target: Path | None, *, force: bool) -> None:
    """Print a text, or write it to a file. Raises UserError for a file that exists, without `force`."""
    if target is None:
        echo(text)
        return
    from pipeline.run_folder.files import require_free, write_outside

    require_free(target, force=force)
    write_outside(target, f"{text}\n")
