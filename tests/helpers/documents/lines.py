"""Lines of commands in documents: where they stand, and whether tada-loc takes them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from helpers.documents.reading import Block, blocks_of, name_of, without_blocks
from helpers.paths import ROOT
from pipeline.cli.commands import main
from pipeline.configuration.keys import known_keys, sections
from pipeline.configuration.reading import SHIPPED, find_config, load_config, parse_overrides
from pipeline.errors import UserError

TADA = re.compile(r"(?:^|[\s'\"])(?:tada-loc|-m pipeline)(\s.*)$")
SHELL = ("|", ";", "&", ">", "<")  # what ends the words of a command
FORM = "tada-loc model"  # no command, but what a model file calls itself
SPAN = re.compile(r"`([^`\n]+)`")
SECTIONS = sorted({key.partition(".")[0] for key in known_keys()})
KEY = re.compile(rf"((?:{'|'.join(SECTIONS)})(?:\.[a-z_]\w*)+)(?:(?:: |=)(.*))?$")
FILES = (".csv", ".json")  # proposals.csv is no key
# Of these programs are the options between the same backticks.
OTHERS = re.compile(r"(pip|docker|hf|python|git|sbatch|ffmpeg|wandb|nvidia-smi|ulimit)\b")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
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
            known = options_of(command) if command else set()
            named = {word.split("=")[0] for word in rest.split() if word.startswith("--")}
            if command is None or named - known:
                found.append(f"{name_of(path)}:{number}: tada-loc {name}{rest}")
    return found


def options_of(command: click.Command) -> set[str]:
    """The options that a command takes."""
    named = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
    return named | {"--help"}


def spans_of(path: Path) -> list[str]:
    """The code between backticks in sentences and tables of a document."""
    return SPAN.findall("\n".join(without_blocks(path.read_text("utf-8"))))


def keys_in(spans: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """The keys that code is, `bmn.mode` or `bmn.mode: windows` or `bmn.mode=windows`, and their values."""
    for span in spans:
        words = span.split()
        several = len(words) > 1 and all("=" in word for word in words)
        for part in words if several else [span.strip()]:
            match = KEY.fullmatch(part)
            if match and not part.endswith(FILES):
                yield match[1], match[2]


def key_problem(key: str, value: str | None) -> str | None:
    """What the configuration says against a key, or a section in another, or a value of it; None where nothing."""
    if key not in known_keys():
        return None if key in sections() and value is None else f"there is no key {key}"
    if value is None or value.isupper() or value.endswith(("FILE", "DIR", "...")):
        return None
    actionformer = key.startswith(("actionformer.", "detections."))
    return _value_problem("ek100_actionformer" if actionformer else "ek100", [f"{key}={value}"])


def option_problem(span: str) -> str | None:
    """What no command has of the options in code, `--fps 30 --stride 4`: one takes them all; None where nothing."""
    named = set() if OTHERS.match(span) else set(OPTION.findall(span))
    known = [options_of(command) for command in [main, *main.commands.values()]]
    return None if any(named <= options for options in known) else f"no command takes {span}"
