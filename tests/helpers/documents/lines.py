"""Lines of commands in documents: where they stand, and whether tada-loc takes them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import click

from helpers.documents.reading import Block, blocks_of, name_of
from helpers.paths import ROOT
from pipeline.cli.commands import main
from pipeline.configuration.keys import known_keys
from pipeline.configuration.reading import SHIPPED, find_config, load_config, parse_overrides
from pipeline.errors import UserError

TADA = re.compile(r"(?:^|[\s'\"])(?:tada-loc|-m pipeline)(\s.*)$")
SHELL = ("|", ";", "&", ">", "<")  # what ends the words of a command
FORM = "tada-loc model"  # no command, but what a model file calls itself
INLINE = re.compile(rf"`(?!{FORM}`)tada-loc ([a-z][a-z-]*)((?: [^`]*)?)`")


@dataclass(frozen=True)
class Line:
    """A command as a document has it, its remark left out."""

    place: str  # page:line
    text: str


def lines_of(block: Block) -> list[Line]:
    """The commands of a block of sh: continued lines are one, remarks behind two blanks and # are gone."""
    found, first, text = [], 0, ""
    for number, line in enumerate(block.text.splitlines(), block.line):
        first = first if text else number
        line = re.split(r"(?:^|\s\s+)#(?!!)", line)[0].rstrip()
        if line.endswith("\\"):
            text += line[:-1].rstrip() + " "
            continue
        text = (text + line.strip()).strip()
        if text and not text.startswith("#"):
            found.append(Line(f"{block.page}:{first}", text))
        text = ""
    return found


def lines_of_comments(path: Path) -> list[Line]:
    """The commands at the head of a configuration."""
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        text = line.lstrip("# ").split("  #")[0].strip()
        if line.startswith("#") and text.startswith("tada-loc "):
            found.append(Line(f"{name_of(path)}:{number}", text))
    return found


def lines_of_page(path: Path) -> list[Line]:
    """The commands of all blocks of sh of a document, those that are not run too."""
    return [line for block in blocks_of(path) if block.language == "sh" for line in lines_of(block)]


def problem_of(text: str) -> str | None:
    """What click and the configuration say against a line's tada-loc or make; None where nothing."""
    words = shlex.split(text)
    if words and words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return None if words[1] in targets else f"the Makefile has no {words[1]}"
    match = TADA.search(text)
    return _problem(_words(match[1])) if match else None


def _words(text: str) -> list[str]:
    """The words of a command to its end: a pipe, a redirection, the quote it stands in."""
    quotes = [text.count(mark) % 2 for mark in "'\""]
    text = text.rstrip("'\"") if any(quotes) else text
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|;&><")
    lexer.whitespace_split, lexer.commenters = True, ""
    words = list(lexer)
    ends = [place for place, word in enumerate(words) if word and set(word) <= set(SHELL)]
    return words[: ends[0]] if ends else words


def _problem(words: list[str]) -> str | None:
    if words[0].startswith("-"):
        return None if words[0] in {"--help", "--version", "--debug"} else f"no option {words[0]}"
    if words[0] not in main.commands:
        return f"there is no command {words[0]}"
    if "--help" in words:
        return None
    try:
        context = main.commands[words[0]].make_context(words[0], words[1:])
    except click.ClickException as error:
        return error.format_message()
    given = [*context.params.get("assignments", ()), *context.params.get("keys", ())]
    unknown = {text.partition("=")[0] for text in given} - set(known_keys())
    if unknown:  # also a key's old name: documents use the new one
        return f"unknown key {', '.join(sorted(unknown))}"
    return None if words[0] == "sweep" else _value_problem(context.params.get("config"), given)


def _value_problem(config: str | None, given: list[str]) -> str | None:
    """What a configuration, that of the line where it is a shipped one, says against the values."""
    name = config if config and (SHIPPED / f"{config}.yaml").is_file() else "demo"
    given = [text for text in given if not text.startswith("backbone.name=hf:")]  # asks the Hub
    try:
        load_config(find_config(name), parse_overrides(given), quiet=True)
    except UserError as error:
        return error.message
    return None


def inline_problems(path: Path) -> list[str]:
    """Commands and options named inside sentences, `tada-loc eval --why`, that do not exist."""
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        for name, rest in INLINE.findall(line):
            command = main.commands.get(name)
            known = {o for p in command.params for o in p.opts} | {"--help"} if command else set()
            named = {word.split("=")[0] for word in rest.split() if word.startswith("--")}
            if command is None or named - known:
                found.append(f"{name_of(path)}:{number}: tada-loc {name}{rest}")
    return found
