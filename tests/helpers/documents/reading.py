"""The documents, and their fenced blocks with what an HTML comment before a fence says of them.

<!-- needs: dataset -->      not run: a public data set or a full training (also gpu, cluster, network, person, checkout)
<!-- file: own.csv -->       written as that file, and not run itself
<!-- exits: 1 -->            the last command ends with that code
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from helpers.paths import ROOT

LANGUAGES = ("sh", "python", "yaml", "json", "csv", "bibtex", "text")
NEEDS = ("dataset", "gpu", "cluster", "network", "person", "checkout")
FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*(.*?)\s*$")
MARKER = re.compile(r"^\s*<!--\s*(.*?)\s*-->\s*$")
KNOWN = re.compile(r"(needs|file|exits):\s*(\S.*)$")


class DocumentError(Exception):
    """What is wrong with a document; the text begins with page:line."""


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is that of its first line of text, `page` the path from the repository's root."""

    page: str
    line: int
    language: str
    text: str
    needs: frozenset[str] = frozenset()
    file: str | None = None
    exits: int = 0

    @property
    def runs(self) -> bool:
        """Whether its lines are run: it is no file, and needs nothing that is not here."""
        return not self.needs and self.file is None

    @property
    def place(self) -> str:
        """page:line."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every document with blocks: README, CONTRIBUTING and the pages of the site."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(path: Path) -> str:
    """The path from the repository's root; of any other file its name."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def without_blocks(text: str) -> list[str]:
    """The lines of a document, those inside fences empty; the first line of a directive stays."""
    lines: list[str] = []
    fence = ""
    for line in text.splitlines():
        match = FENCE.match(line)
        if fence:
            fence = "" if match and not match[3] and match[2].startswith(fence) else fence
            lines.append("")
        elif match:
            fence = match[2]
            lines.append(line if match[3].startswith("{") else "")
        else:
            lines.append(line)
    return lines


@cache
def blocks_of(path: Path) -> tuple[Block, ...]:
    """The blocks of a document, in order. Raises DocumentError."""
    return tuple(_read(name_of(path), path.read_text("utf-8")))


def _read(page: str, text: str) -> list[Block]:
    reader = _Reader(page)
    for number, line in enumerate(text.splitlines(), 1):
        reader.take(number, line)
    reader.end()
    return reader.found


class _Reader:
    """Goes through the lines of a document; fences of directives, ```{...}, may hold others."""

    def __init__(self, page: str) -> None:
        self.page, self.found = page, []
        self.directives: list[str] = []  # the fences of those that are open
        self.block: tuple[str, str, str, int] | None = None  # indent, fence, language, line
        self.lines: list[str] = []
        self.comments: list[tuple[int, str]] = []  # before what comes next

    def take(self, number: int, line: str) -> None:
        fence = FENCE.match(line)
        if self.block is not None:
            if fence and not fence[3] and fence[2].startswith(self.block[1]):
                self._close()
            else:
                self.lines.append(line.removeprefix(self.block[0]))
        elif fence and not fence[3] and self.directives:
            if fence[2].startswith(self.directives[-1]):
                self.directives.pop()
        elif fence and fence[3].startswith("{"):
            self._not_before_a_block()
            self.directives.append(fence[2])
        elif fence:
            self._open(number, fence)
        elif comment := MARKER.match(line):
            self.comments.append((number, comment[1]))
        elif line.strip():
            self._not_before_a_block()

    def end(self) -> None:
        self._not_before_a_block()
        if self.block is not None:
            raise DocumentError(f"{self.page}:{self.block[3]}: a fence that is never closed")

    def _open(self, number: int, fence: re.Match[str]) -> None:
        language = fence[3]
        if language not in LANGUAGES:
            said = f"unknown language {language!r}" if language else "a fence without language"
            raise DocumentError(f"{self.page}:{number}: {said}; use one of {', '.join(LANGUAGES)}")
        self.block, self.lines = (fence[1], fence[2], language, number), []

    def _close(self) -> None:
        _, _, language, line = self.block
        marks: dict[str, object] = {}
        for number, text in self.comments:
            marks |= _mark(f"{self.page}:{number}", text)
        text = "".join(f"{line}\n" for line in self.lines)
        self.found.append(Block(self.page, line + 1, language, text, **marks))
        self.block, self.comments = None, []

    def _not_before_a_block(self) -> None:
        for number, text in self.comments:
            if KNOWN.match(text):
                raise DocumentError(f"{self.page}:{number}: <!-- {text} --> is before no block")
        self.comments = []


def _mark(place: str, text: str) -> dict[str, object]:
    """What a comment before a fence says, as fields of a Block. Raises DocumentError for an unknown one."""
    match = KNOWN.match(text)
    if match is None:
        raise DocumentError(f"{place}: unknown marker {text!r}; write needs: , file: or exits: ")
    if match[1] == "file":
        return {"file": match[2]}
    if match[1] == "exits":
        if not match[2].isdigit():
            raise DocumentError(f"{place}: exits: takes a number, not {match[2]!r}")
        return {"exits": int(match[2])}
    needs = frozenset(re.split(r"[,\s]+", match[2]))
    if unknown := needs - set(NEEDS):
        raise DocumentError(
            f"{place}: unknown need {', '.join(unknown)}; use one of {', '.join(NEEDS)}"
        )
    return {"needs": needs}
