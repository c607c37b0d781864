"""What `sphinx-click` says of a command, as our pages show it.

A page has a heading for each command, and under it

    .. click:: pipeline.cli.commands:extract
       :prog: tada-loc extract

The handlers make the examples a block to copy, put the options that commands share last, add what an
option takes in sentences, and leave the heading of the page as the only one. Environment variables are
left to the index of the commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx_click.ext import ClickDirective

from pipeline import cli
from pipeline.cli.options import SharedOption
from pipeline.configuration.keys import known_keys
from pipeline.tools.config.pages import anchor

EXAMPLE = "Example: "
KEYS = frozenset(known_keys())
# Code, an option, and what may be a key.
WORDS = re.compile(r"(`[^`]*`|(?<![\w-])--[a-z][a-z-]*|[a-z_]+(?:\.[a-z_]+)+)")
SOURCES = [Path(__file__), *sorted(Path(cli.__file__).parent.rglob("*.py"))]


class UntitledCommand(ClickDirective):
    """The directive `click` without a title of its own: links and the list of a page need Markdown's.

    Also without its list of environment variables. That has only those with a name set by hand, and
    every option has one, by the rule that the index of the commands gives.
    """

    def run(self) -> list[nodes.Node]:
        (section,) = super().run()
        children = section.children[1:]
        variables = (n for n, node in enumerate(children) if _heads_variables(node))
        return children[: next(variables, len(children))]


def _heads_variables(node: nodes.Node) -> bool:
    return isinstance(node, nodes.rubric) and node.astext() == "Environment variables"


def _description(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    for path in SOURCES:  # the page is built again when a command has changed
        app.env.note_dependency(path)
    text = [line.removeprefix("| ") for line in lines]
    examples = [line.removeprefix(EXAMPLE) for line in text if line.startswith(EXAMPLE)]
    lines[:] = [_marked(line) for line in text if not line.startswith(EXAMPLE)]
    lines += [".. code-block:: sh", "", *(f"    {line}" for line in examples), ""]


def _usage(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    lines[0] = ".. code-block:: text"  # [OPTIONS] is no shell


def _options(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    names = [line for line in lines if line.startswith(".. option::")]
    shown = [
        param
        for param in context.command.params
        if isinstance(param, click.Option) and not param.hidden
    ]
    own: list[str] = []
    shared: list[str] = []
    for name, option in zip(names, shown, strict=True):
        place = shared if isinstance(option, SharedOption) else own
        name = re.sub("<.*>", option.make_metavar(context), name)  # as --help has it
        place += [name, "", f"    {' '.join(_sentences(option, context))}", ""]
    if own and shared:
        own += [".. rubric:: Options that commands share", ""]
    lines[:] = own + shared


def _arguments(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    lines.clear()  # the usage shows them, and the description says what they are


def _sentences(option: click.Option, context: click.Context) -> Iterator[str]:
    """What an option does, its default, its range, and whether it must be given."""
    yield _marked(option.help or "")
    facts: dict[str, Any] = dict(option.get_help_extra(context))
    if "default" in facts:
        yield f"Default: `{facts['default']}`."
    if "range" in facts:
        yield f"Range: `{facts['range']}`."
    if "required" in facts:
        yield "Required."


def _marked(text: str) -> str:
    """Plain text as reStructuredText: keys are links, options are code, and nothing else is marked by chance."""
    return "".join(_part(part) for part in WORDS.split(text))


def _part(part: str) -> str:
    if part.startswith("`"):
        return part
    if part in KEYS:
        return rf":ref:`{part} <{anchor(part)}>`\ "  # whatever follows, as in KEY=VALUE
    if part.startswith("--"):
        return f"`{part}`"
    return re.sub(r"([\\*_|`:])", r"\\\1", part)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.setup_extension("sphinx_click")
    app.add_directive("click", UntitledCommand, override=True)
    app.connect("sphinx-click-process-description", _description)
    app.connect("sphinx-click-process-usage", _usage)
    app.connect("sphinx-click-process-options", _options)
    app.connect("sphinx-click-process-arguments", _arguments)
    return {"parallel_read_safe": True}
