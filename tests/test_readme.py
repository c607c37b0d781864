"""What the documents tell a user to type exists: commands, options, configuration keys, files, make targets."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from pipeline.cli.commands import main
from pipeline.configuration.keys import known_keys

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "pipeline" / "configs").glob("*.yaml")),
]


def commands() -> list[tuple[str, str]]:
    found = []
    for path in DOCUMENTS:
        text = path.read_text()
        if path.suffix == ".md":
            blocks = re.findall(r"^```(?:sh|console)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
            lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
        else:
            lines = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
        for line in lines:
            line = line.removeprefix("$ ").split("  #")[0].strip()
            if line.startswith(("tada-loc ", "make ")):
                found.append((path.name, line))
    return sorted(set(found))


@pytest.mark.parametrize(("document", "line"), commands())
def test_commands_of_the_documents_exist(document, line):
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[1] in targets, f"{document}: {line}"
        return
    if words[1].startswith("--"):
        return
    command = main.commands[words[1]]
    context = command.make_context(
        words[1], words[2:], resilient_parsing=False, allow_interspersed_args=True
    )
    for assignment in (*context.params.get("assignments", ()), *context.params.get("keys", ())):
        assert assignment.partition("=")[0] in known_keys(), f"{document}: {line}"


def test_every_command_is_in_the_readme_and_has_an_example():
    text = (ROOT / "README.md").read_text()
    for name, command in main.commands.items():
        assert f"tada-loc {name}" in text, f"the README does not show {name}"
        assert f"Example: tada-loc {name}" in command.help, f"{name} --help has no example"


def test_every_option_has_a_help_text():
    for name, command in main.commands.items():
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{name} {option.name}"


def test_links_and_pictures_are_there():
    for path in DOCUMENTS:
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 160
