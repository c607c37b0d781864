"""docs/how-to/low-map.md quotes what the program says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from helpers.paths import ROOT

TEXT = (ROOT / "docs" / "how-to" / "low-map.md").read_text()


def quotes() -> list[str]:
    """Parts of the messages in code spans, of several words; `...` stands for a value."""
    prose = re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    spans = [span for span in re.findall(r"`([^`]+)`", prose) if not span.startswith("tada-loc ")]
    parts = [part.strip() for span in spans for part in re.split(r"\.\.\.|; ", span)]
    return sorted({part for part in parts if " " in part and not re.match(r"-|predict ", part)})


def texts() -> Iterator[str]:
    """All that the program's modules may say, without the values put in."""
    for path in [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "evaluation").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


SAID = "\0".join(texts())


def test_there_are_quotes():
    assert len(quotes()) > 12


@pytest.mark.parametrize("quote", quotes())
def test_the_program_says_so(quote):
    assert quote in SAID
