"""Every page says in its first sentence, directly under its title, what it is for."""

from __future__ import annotations

import re

import pytest
from helpers.documents.reading import name_of, pages

# No table, block, list, quotation, picture or heading begins so.
PROSE = re.compile(r"(?!```)[A-Za-z`*[]")
LIST = re.compile(r"[*-] |\d+\. ")


def problem_of(text: str) -> str | None:
    """What is wrong with the first paragraph under the title of a document; None where nothing is."""
    lines = text.splitlines()
    if lines[:1] and lines[0].startswith("```{include}"):
        return None  # another document, which is looked at where it is
    titles = [number for number, line in enumerate(lines) if line.startswith("# ")]
    if not titles:
        return "no title"
    below = titles[0] + 1
    if [line.strip() for line in lines[below : below + 1]] != [""] or not lines[
        below + 1 : below + 2
    ]:
        return "no sentence after an empty line under the title"
    first = lines[below + 1]
    if not PROSE.match(first) or LIST.match(first):
        return f"no sentence under the title, but {first!r}"
    paragraph = " ".join(
        line.strip() for line in "\n".join(lines[below + 1 :]).split("\n\n")[0].split("\n")
    )
    sentence = re.split(r"(?<=[.:?!])(?:\s|$)", paragraph)[0]
    if sentence[-1] not in ".:" or len(sentence.split()) < 4:
        return f"no whole sentence under the title: {sentence!r}"
    return None


@pytest.mark.parametrize("path", pages(), ids=name_of)
def test_the_page_says_what_it_is_for(path):
    assert problem_of(path.read_text("utf-8")) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# Title\n\nThis page says how.\n", None),
        ("# Title\n\ntada-loc finds actions in videos.\n", None),
        ("# Title\n\n`tada-loc run` does all stages:\n\n```sh\n", None),
        ("# Title\n\n```sh\nls\n```\n", "no sentence under the title, but"),
        ("# Title\n\n| a | b |\n", "no sentence under the title, but"),
        ("# Title\n\n- This is a list.\n", "no sentence under the title, but"),
        ("# Title\n\n## More\n", "no sentence under the title, but"),
        ("# Title\nThis page says how.\n", "no sentence after an empty line"),
        ("# Title\n\n\nThis page says how.\n", "no sentence under the title, but ''"),
        ("# Title\n\nHow it works\n\nThis page.\n", "no whole sentence"),
        ("Text without a title.\n", "no title"),
    ],
)
def test_what_is_wrong_is_found(text, said):
    found = problem_of(text)
    assert (found is None) if said is None else (found or "").startswith(said)
