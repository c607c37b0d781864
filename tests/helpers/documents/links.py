"""The links and pictures of a document, and what is wrong with one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from helpers.documents.reading import name_of, without_blocks
from helpers.paths import ROOT

CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(\s*<?([^)\s>]+)")
LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|!?\[[^\]]*\](?:\([^)]*\))?)*\]\(\s*<?([^)\s>]+)")
DEFINED = re.compile(r"^\s*\[[^\]^][^\]]*\]:\s+<?(\S+?)>?(?:\s|$)")  # a footnote, [^1]:, is none
TAG = re.compile(r"<(img|a|source)\b([^>]*)>")
ATTRIBUTE = re.compile(r"(src|srcset|href|alt)=\"([^\"]*)\"")
BARE = re.compile(r"(?<![\w(<\"])(https?://[^\s<>)\]\"`|]+)")
HEADING = re.compile(r"^#{1,4}\s+(.*?)\s*#*$")
DIRECTIVE = re.compile(r"^\s*(?:```+|:::+)\{(.+?)\}\s*(.*)$")
TARGET = re.compile(r"^\(([\w.-]+)\)=$|<a\s+(?:id|name)=\"([^\"]+)\"")
LOCAL = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Link:
    """A link, or with an alternative text a picture, and the line it is in."""

    line: int
    target: str
    alternative: str | None = None


def links_of(path: Path) -> list[Link]:
    """Every link and picture of a document; what is in code is none."""
    found = []
    for number, line in enumerate(without_blocks(path.read_text("utf-8")), 1):
        text = CODE.sub(lambda code: "`" + " " * (len(code[0]) - 2) + "`", line)
        found += [Link(number, target, alt) for alt, target in PICTURE.findall(text)]
        found += [Link(number, target) for target in LINK.findall(text)]
        found += [Link(number, target) for target in [*DEFINED.findall(text), *BARE.findall(text)]]
        for tag, inside in TAG.findall(text):
            values = dict(ATTRIBUTE.findall(inside))
            target = values.get("src") or values.get("srcset") or values.get("href")
            if target:
                alt = values.get("alt", "") if tag == "img" else None
                found.append(Link(number, target, alt))
    return list(dict.fromkeys(found))


def problem_of(path: Path, link: Link) -> str | None:
    """What is wrong with a link of a document; None where nothing is."""
    if link.alternative is not None and len(link.alternative.split()) < 2:
        return f"{link.target}: a picture needs an alternative text, not {link.alternative!r}"
    if re.match(r"[a-z][a-z+.-]*:", link.target):
        return _external(link.target)
    file, _, anchor = unquote(link.target).partition("#")
    there = (path.parent / file).resolve() if file else path
    if not there.is_relative_to(ROOT.resolve()) or not there.exists():
        return f"{link.target} is not there"
    if anchor and there.suffix == ".md":
        known = anchors_of(there)
        if known is not None and anchor not in known:
            return f"{link.target}: {name_of(there)} has no heading #{anchor}"
    return None


def _external(target: str) -> str | None:
    """An address cannot be asked for here; `make links` does. mailto: is none."""
    if target.startswith("mailto:"):
        return None
    try:
        parts = urlsplit(target)
        host = parts.hostname or ""
    except ValueError as error:
        return f"{target}: {error}"
    if parts.scheme == "http" and host in LOCAL:
        return None
    if parts.scheme != "https" or not re.fullmatch(r"[\w-]+(\.[\w-]+)+", host):
        return f"{target} is no https address"
    return None


@cache
def anchors_of(path: Path) -> frozenset[str] | None:
    """What can be linked to in a document, by GitHub's rule; None where the build of the site adds to it."""
    found: list[str] = []
    for line in without_blocks(path.read_text("utf-8")):
        if (directive := DIRECTIVE.match(line)) and directive[1] == "include":
            found += anchors_of((path.parent / directive[2]).resolve()) or ()
        elif directive and directive[1] != "toctree":
            return None  # its anchors are checked by `make docs`
        if heading := HEADING.match(line):
            found.append(slug(heading[1], found))
        found += [one or two for one, two in TARGET.findall(line)]
    return frozenset(found)


def slug(heading: str, earlier: list[str] | None = None) -> str:
    """A heading as GitHub and MyST make an anchor of it; the second of one name ends in -1."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    base = re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")
    name, count = base, 0
    while name in (earlier or ()):
        count += 1
        name = f"{base}-{count}"
    return name
