"""`tada-loc config --explain`: one key, or a section, on a terminal."""

from __future__ import annotations

import textwrap

from pipeline.configuration.keys import known_keys, new_names, sections
from pipeline.tools.config.again import effect
from pipeline.tools.config.facts import (
    KeyFacts,
    facts_of,
    keys_of,
    required_name,
    section_text,
    whole_papers,
)

_WIDTH = 100


def explain(name: str) -> str:
    """What is known of a key or of a section, by its name of today or an old one. Raises UsageError for none."""
    found = required_name(name)
    renamed = [f"{name} is now {found}.", ""] if name in new_names() else []
    lines = _key(facts_of(found)) if found in known_keys() else _section(found)
    return "\n".join(renamed + lines)


def details(facts: KeyFacts) -> list[tuple[str, str]]:
    """What is said of a key besides its description: title and text."""
    only = facts.only_where
    rows = [
        ("Type", facts.kind),
        ("Unit", facts.unit),
        ("Default", facts.default or "none: it has to be set"),
        ("Why change it", facts.why),
        ("Results", effect(facts)),
        ("Only where", f"{only[0]} is {only[1]}" if only is not None else ""),
        ("Paper", facts.paper),
        ("Former name", facts.former),
    ]
    return [(title, text) for title, text in rows if text]


def first_sentence(text: str) -> str:
    """The beginning of a description, up to its first full stop."""
    first, found, _ = text.partition(". ")
    return f"{first}." if found else text


def _key(facts: KeyFacts) -> list[str]:
    rows = details(facts)
    width = max(len(title) for title, _ in rows) + 2
    lines = [facts.key, *_wrapped(facts.description, "  "), ""]
    for title, text in rows:
        lines += _wrapped(text, f"  {title.ljust(width)}", " " * (width + 2))
    papers = whole_papers(facts.paper)
    return lines + [line for paper in papers for line in _wrapped(paper, " " * (width + 2))]


def _section(name: str) -> list[str]:
    keys = keys_of(name)
    rows = [(facts.key, facts.default or "(to be set)", facts) for facts in keys]
    width = max(len(key) for key, _, _ in rows) + 2
    defaults = min(max(len(default) for _, default, _ in rows), 20) + 2
    lines = [name, *_wrapped(section_text(sections()[name]), "  "), ""]
    for key, default, facts in rows:
        shown = f"  {key.ljust(width)}{default.ljust(defaults)}"
        lines += _wrapped(first_sentence(facts.description), shown, " " * (2 + width + defaults))
    return [*lines, "", f"tada-loc config --explain {rows[0][0]} says all of a key."]


def _wrapped(text: str, first: str, later: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=first if later is None else later,
        break_long_words=False,
        break_on_hyphens=False,
    )
