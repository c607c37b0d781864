"""Keys, commands and options that the pages of docs/help name are those of the program."""

from __future__ import annotations

import re

import pytest
from helpers.paths import ROOT

from pipeline.cli.commands import main
from pipeline.configuration.settings import Config

PAGES = sorted((ROOT / "docs" / "help").glob("*.md"))
SECTIONS = Config.model_fields
# Options of pip, docker, sacct and so on, after the name of their program in the same piece of code.
OTHERS = re.compile(r"^(pip|docker|hf|python|git|sbatch|ffmpeg|wandb|nvidia-smi|ulimit)\b")


def pieces(page):
    """The pieces of code in running text and tables."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", text)


def keys_of(section):
    annotation = SECTIONS[section].annotation
    models = [annotation, *getattr(annotation, "__args__", ())]
    return {name for model in models for name in getattr(model, "model_fields", {})}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_key_exists(page):
    named = [re.match(r"(\w+)\.(\w+)", piece) for piece in pieces(page)]
    keys = {(match[1], match[2]) for match in named if match and match[1] in SECTIONS}
    assert {key for key in keys if key[1] not in keys_of(key[0])} == set()
    if page.stem == "faq":
        assert len(keys) > 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_and_option_exists(page):
    options = {
        name
        for command in main.commands.values()
        for option in command.params
        for name in (*option.opts, *option.secondary_opts)
    } | {name for option in main.params for name in option.opts}
    for piece in pieces(page):
        if OTHERS.match(piece):
            continue
        if match := re.match(r"tada-loc ([a-z][a-z-]*)", piece):
            assert match[1] in main.commands, piece
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", piece):
            assert option in {*options, "--help", "--version"}, piece


def test_each_question_has_an_answer():
    text = (ROOT / "docs" / "help" / "faq.md").read_text()
    parts = re.split(r"^### (.+)$", text, flags=re.MULTILINE)
    questions = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert len(questions) >= 15 and all(question.endswith("?") for question in questions)
    assert all(answer.strip() for answer in questions.values())
    assert max(len(answer.split()) for answer in questions.values()) < 100
