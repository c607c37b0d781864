"""Every command is in the README, with an example in its help; the README is short."""

from __future__ import annotations

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


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 160
