"""Writes the keys of a configuration into the pages that ask for them, when the site is built."""

from collections.abc import Iterable
from typing import Any

from pipeline.tools.config.pages import with_keys

FOLDER = "reference/configuration/"


def _insert(app: Any, name: str, source: list[str]) -> None:
    if name.startswith(FOLDER):
        source[0] = with_keys(source[0])


def _always_read(app: Any, env: Any, *changes: Any) -> Iterable[str]:
    # Sphinx sees when a page changes, but not when a key does.
    return [name for name in env.found_docs if name.startswith(FOLDER)]


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _insert)
    app.connect("env-get-outdated", _always_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
