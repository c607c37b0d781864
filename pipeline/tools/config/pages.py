"""The reference of all keys as Markdown, for pages that say where it goes (docs/reference/configuration)."""

from __future__ import annotations

import re

from pipeline.configuration.keys import sections
from pipeline.configuration.sections.base import PAPERS
from pipeline.tools.config.explaining import details, first_sentence
from pipeline.tools.config.facts import KeyFacts, keys_of, section_text

_KEYS = re.compile(r"^<!-- keys: ([a-z]+) -->$", re.MULTILINE)
_SECTIONS = re.compile(r"^<!-- sections -->$", re.MULTILINE)
_PAPERS = re.compile(r"^<!-- papers -->$", re.MULTILINE)


def with_keys(text: str) -> str:
    """A page with what its comments ask for: `keys: SECTION`, `sections` and `papers`. Raises KeyError for no section."""
    text = _KEYS.sub(lambda found: section_page(found[1]), text)
    text = _SECTIONS.sub(lambda _: _sections(), text)
    return _PAPERS.sub(lambda _: _papers(), text)


def section_page(name: str) -> str:
    """All keys of a section: a table of them, then each under a heading with an anchor of its own."""
    keys = keys_of(name)
    head = ["| key | default | unit | what it is |", "| --- | --- | --- | --- |"]
    table = [
        f"| [`{facts.key.removeprefix(f'{name}.')}`](#{anchor(facts.key)}) | {_default(facts)} | {facts.unit} "
        f"| {_cell(first_sentence(facts.description))} |"
        for facts in keys
    ]
    parts = [_text(section_text(sections()[name])), "\n".join([*head, *table])]
    return "\n\n".join([*parts, *map(_key, keys)])


def anchor(key: str) -> str:
    """Where a key is in its page: `bmn.window_step` at `bmn-window-step`."""
    return re.sub(r"[._]", "-", key)


def _key(facts: KeyFacts) -> str:
    values = {"Default": facts.default, "Former name": facts.former}
    rows = [
        f":{title}: `{text}`" if text == values.get(title) else f":{title}: {_text(text)}"
        for title, text in details(facts)
    ]
    head = [f"({anchor(facts.key)})=", f"## `{facts.key}`"]
    return "\n".join([*head, "", _text(facts.description), "", *rows])


def _default(facts: KeyFacts) -> str:
    return f"`{facts.default}`" if facts.default else "to be set"


def _sections() -> str:
    rows = [
        f"| [`{name}`]({name}.md) | {_cell(section_text(model))} |"
        for name, model in sections().items()
        if "." not in name
    ]
    return "\n".join(["| section | what it says |", "| --- | --- |", *rows])


def _papers() -> str:
    return "\n".join(f"- {name}: {title}." for name, title in PAPERS.items())


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


def _text(text: str) -> str:
    """Plain text as Markdown: a star is a star, and the name of a document is a link to it."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _linked(part) for part in parts)


def _linked(text: str) -> str:
    text = re.sub(r"([*<_])", r"\\\1", text)
    return re.sub(r"\bdocs/([\w/-]+\.md)", r"[](../../\1)", text)
