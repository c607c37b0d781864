"""Docstrings of the libraries as Sphinx reads them, and which members of a module are shown.

Ours are plain text. A line `name: what it is`, or `first, second [N, 2]: what they are`, whose names are parameters or fields
becomes an entry of a list; lines that follow belong to it until the paragraph ends, or a line begins
with a new sentence. Indented lines after an empty one are Python.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

NAMES = r"[a-z_]\w*(?:, [a-z_]\w*)*"
ENTRY = re.compile(rf"({NAMES})( [A-Za-z]| \[[^\]]*\])?: (.*)")
WITHIN = re.compile(
    rf"[;.] (?=({NAMES})(?: [A-Z]| \[[^\]]*\])?: )"
)  # where one line says two things
LIBRARIES = ("tada_loc", "feature_extraction", "bmn", "actionformer", "evaluation")


def as_entries(lines: list[str], names: set[str]) -> Iterator[str]:
    """The lines with what is said of `names` as entries of a list; all else as it is."""
    inside, former = False, ""
    for line in _one_each(lines, names):
        found = ENTRY.fullmatch(line)
        if found and set(found[1].split(", ")) <= names:
            if not inside:
                yield ""
            inside = True
            said = ", ".join(f"**{name}**" for name in found[1].split(", "))
            yield f"- {said}{found[2] or ''}: {found[3]}"
        elif inside and (not line.strip() or (former.endswith(".") and line[0].isupper())):
            inside = False
            yield from ("", line)
        else:
            yield f"  {line.strip()}" if inside else line
        former = line


def _one_each(lines: list[str], names: set[str]) -> Iterator[str]:
    """The lines; one that begins an entry and says what another name is becomes two."""
    for line in lines:
        found = ENTRY.fullmatch(line)
        if found and set(found[1].split(", ")) <= names:
            start = 0
            for mark in WITHIN.finditer(line):
                if set(mark[1].split(", ")) <= names:
                    yield line[start : mark.start()]
                    start = mark.end()
            yield line[start:]
        else:
            yield line


def with_code(lines: list[str]) -> Iterator[str]:
    """The lines with indented ones after an empty one as a block of Python, and a list as one."""
    block, former = False, ""
    for line in lines:
        if line.startswith("- ") and former.strip() and not former.startswith(("- ", "  ")):
            yield ""
        if line.strip():
            if line.startswith("    ") and not former.strip() and not block:
                block = True
                yield from (".. code-block:: python", "")
            elif not line.startswith(" "):
                block = False
        yield line
        former = line


def _names(shown: Any) -> set[str]:
    """The parameters of a function, or the fields of a class."""
    try:
        return set(inspect.signature(shown).parameters)
    except (TypeError, ValueError):
        return set()


def _process(app: Sphinx, what: str, name: str, shown: Any, options: Any, lines: list[str]) -> None:
    lines[:] = with_code(lines)
    names = _names(shown)
    if names:
        lines[:] = as_entries(lines, names)


def _skip(app: Sphinx, what: str, name: str, shown: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what a page shows already under its package's name, and fields that say nothing."""
    if (getattr(shown, "__doc__", None) or "").startswith("Alias for field number"):
        return True
    if what == "module":
        home = (getattr(shown, "__module__", None) or "").partition(".")[0]
        if home in LIBRARIES:
            public = importlib.import_module(home)
            return True if getattr(public, name, None) is shown else None
    return None


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True}
