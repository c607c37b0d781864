"""Docstrings of the libraries as Sphinx reads them, and which members of a module are shown.

Ours are plain text. A line `name: what it is`, or `first, second: what they are`, whose names are parameters or fields
becomes an entry of the list of parameters; lines that follow belong to it until the paragraph ends.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

ENTRY = re.compile(r"((?:[a-z_]\w*)(?:, [a-z_]\w*)*)(?: [A-Z])?: (.*)")
LIBRARIES = ("tada_loc", "feature_extraction", "bmn", "actionformer", "evaluation")


def as_fields(lines: list[str], names: set[str], field: str) -> Iterator[str]:
    """The lines with what is said of `names` as fields; all else as it is."""
    inside = False
    for line in lines:
        found = ENTRY.fullmatch(line)
        said = found[1].split(", ") if found else []
        if found and set(said) <= names:
            if not inside:
                yield ""
            inside = True
            for name in said[:-1]:
                yield f":{field} {name}:"
            yield f":{field} {said[-1]}: {found[2]}"
        elif not line.strip():
            inside = False
            yield line
        else:
            yield f"    {line.strip()}" if inside else line


def _names(shown: Any) -> set[str]:
    """The parameters of a function, or the fields of a class."""
    try:
        return set(inspect.signature(shown).parameters)
    except (TypeError, ValueError):
        return set()


def _process(app: Sphinx, what: str, name: str, shown: Any, options: Any, lines: list[str]) -> None:
    names = _names(shown)
    if names:
        is_record = inspect.isclass(shown) and (
            hasattr(shown, "__dataclass_fields__") or hasattr(shown, "_fields")
        )
        lines[:] = as_fields(lines, names, "ivar" if is_record else "param")


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
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True}
