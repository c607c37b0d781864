"""Every command is in the README, with an example in its help; the README's tree is true."""

from __future__ import annotations

import re

import click
from helpers.paths import ROOT

from pipeline.cli.commands import main


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


def test_the_readmes_tree_is_true():
    text = (ROOT / "README.md").read_text()
    tree = re.search(r"^```text\n(pipeline/.*?)^```", text, re.MULTILINE | re.DOTALL).group(1)
    folder = ROOT
    for line in tree.splitlines():
        name = line.split()[0] if line.strip() else ""
        if not line.startswith(" ") and name:
            folder = ROOT / name
            assert folder.exists(), name
        elif name:
            assert (folder / name).exists(), f"{folder.name}/{name}"
