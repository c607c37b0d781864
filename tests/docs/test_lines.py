"""What the documents tell a user to type exists, run or not: commands, options, configuration keys, make targets."""

from __future__ import annotations

import pytest
from helpers.documents.lines import inline_problems, lines_of_comments, lines_of_page, problem_of
from helpers.documents.reading import name_of, pages

from pipeline.configuration.reading import SHIPPED

DOCUMENTS = [*pages(), *sorted(SHIPPED.glob("*.yaml"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_commands_of_the_documents_exist(path):
    lines = lines_of_page(path) if path.suffix == ".md" else lines_of_comments(path)
    said = [
        f"{line.place}: {line.text}\n    {problem}"
        for line in lines
        if (problem := problem_of(line.text))
    ]
    assert not said, "\n".join(said)


@pytest.mark.parametrize("path", pages(), ids=name_of)
def test_commands_named_in_sentences_exist(path):
    assert not inline_problems(path)
