"""Every block of every document is what it says: commands and Python run, the rest is read.

A page is followed from its first block to its last in a folder of its own, as helpers/documents/world.py
fills it. What is not run says why in a comment before it (helpers/documents/reading.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.documents.forms import problem_of
from helpers.documents.reading import Block, DocumentError, blocks_of, name_of, pages
from helpers.documents.running import BlockError

PAGES = pages()


def read(path: Path) -> tuple[Block, ...]:
    try:
        return blocks_of(path)
    except DocumentError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_blocks_have_the_form_they_name(path):
    said = [f"{block.place}: {problem}" for block in read(path) if (problem := problem_of(block))]
    if said:
        pytest.fail("\n".join(said), pytrace=False)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_the_page_can_be_followed(path, page_folder):
    blocks = read(path)
    if not any(block.runs and block.language in {"sh", "python"} for block in blocks):
        return  # nothing in it runs
    page, said = page_folder(path.read_text("utf-8")), ""
    try:
        for block in blocks:
            page.follow(block)
    except BlockError as error:
        said = str(error)
    if said:
        pytest.fail(said, pytrace=False)
