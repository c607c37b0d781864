"""The directive `command`: what a command of tada-loc takes, from the command itself.

    ```{command} extract
    ```

shows what `tada-loc extract --help` does: the description, the examples as a block to copy, and every option.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from pipeline import cli
from pipeline.cli.commands import main
from pipeline.cli.options import SharedOption
from pipeline.configuration.keys import known_keys

EXAMPLE = "Example: "
KEYS = frozenset(known_keys())
# Code, what may be a key, and options.
WORDS = re.compile(r"(`[^`]*`|[a-z_]+(?:\.[a-z_]+)+|--[a-z][a-z-]*)")
CONFIGURATION = Path(__file__).parents[1] / "reference" / "configuration"  # a page for each section
SOURCES = sorted(Path(cli.__file__).parent.rglob("*.py"))


class CommandDirective(SphinxDirective):
    """A command's description, examples and options; its argument is the command's name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if name not in main.commands:
            raise self.error(f"tada-loc has no command {name!r}")
        for path in SOURCES:  # the page is built again when a command has changed
            self.env.note_dependency(path)
        place = nodes.container()
        lines = list(described(name, main.commands[name]))
        self.state.nested_parse(StringList(lines, f"tada-loc {name}"), 0, place)
        return place.children


def described(name: str, command: click.Command) -> Iterator[str]:
    """A command as lines of MyST Markdown."""
    context = click.Context(command, info_name=f"tada-loc {name}")
    text = cleandoc(command.help or "").replace("\b\n", "").splitlines()
    yield from (_marked(line) for line in text if not line.startswith(EXAMPLE))
    yield from ("", "```sh")
    yield from (line.removeprefix(EXAMPLE) for line in text if line.startswith(EXAMPLE))
    yield from ("```", "", "```text", context.get_usage(), "```", "")
    yield from (f"```{{program}} tada-loc {name}", "```", "")
    options = [
        option
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    ]
    own = [option for option in options if not isinstance(option, SharedOption)]
    shared = [option for option in options if isinstance(option, SharedOption)]
    yield from _listed("Options", own, context)
    yield from _listed("Options that commands share", shared, context)


def _listed(title: str, options: Sequence[click.Option], context: click.Context) -> Iterator[str]:
    if options:
        yield from (f"```{{rubric}} {title}", "```", "")
    for option in options:
        yield from (
            f"````{{option}} {_signature(option, context)}",
            _text(option, context),
            "````",
            "",
        )


def _signature(option: click.Option, context: click.Context) -> str:
    """The names of an option, the long one first, with what each takes."""
    takes = "" if option.is_flag else f" {option.make_metavar(context).replace(' RANGE', '')}"
    return ", ".join(f"{name}{takes}" for name in sorted(option.opts, key=len, reverse=True))


def _text(option: click.Option, context: click.Context) -> str:
    """What an option does; its default, range and whether it must be given."""
    sentences = [_marked(option.help or "")]
    facts: dict[str, Any] = dict(option.get_help_extra(context))
    if "default" in facts:
        sentences.append(f"Default: `{facts['default']}`.")
    if "range" in facts:
        sentences.append(f"Range: `{facts['range']}`.")
    if "required" in facts:
        sentences.append("Required.")
    if option.multiple and "epeatable" not in sentences[0]:
        sentences.append("Repeatable.")
    return " ".join(sentences)


def _marked(text: str) -> str:
    """Plain text as Markdown: keys are links, options are code, and nothing else is marked by chance."""
    return "".join(_part(part) for part in WORDS.split(text))


def _part(text: str) -> str:
    if text in KEYS and (CONFIGURATION / f"{text.partition('.')[0]}.md").exists():
        return f"[`{text}`](#{re.sub('[._]', '-', text)})"
    if text in KEYS or text.startswith("--"):
        return f"`{text}`"
    return text if text.startswith("`") else _escaped(text)


def _escaped(text: str) -> str:
    return re.sub(r"([*_<\[\]])", r"\\\1", text)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("command", CommandDirective)
    return {"parallel_read_safe": True}
