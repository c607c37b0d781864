"""What the documents tell a user to type exists, run or not: commands, options, configuration keys, make targets."""

from __future__ import annotations

import pytest
from helpers.documents.lines import (
    inline_problems,
    key_problem,
    keys_in,
    lines_of_comments,
    lines_of_page,
    option_problem,
    problem_of,
    spans_of,
)
from helpers.documents.reading import name_of, pages

from pipeline.configuration.reading import SHIPPED

# Keys of other programs, of which tests/docs/test_migration.py knows the columns that are ours.
THEIRS = ("from-opentad", "from-mmaction2", "from-actionformer")
# Options of other programs, and of benchmarks.
OTHER_OPTIONS = (*THEIRS, "peers", "reproducibility")
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


@pytest.mark.parametrize("path", [path for path in pages() if path.stem not in THEIRS], ids=name_of)
def test_keys_named_in_sentences_exist_and_take_their_values(path):
    named = set(keys_in(spans_of(path)))
    assert not [problem for key, value in named if (problem := key_problem(key, value))]


@pytest.mark.parametrize(
    "path", [path for path in pages() if path.stem not in OTHER_OPTIONS], ids=name_of
)
def test_options_named_in_sentences_exist(path):
    assert not [problem for span in spans_of(path) if (problem := option_problem(span))]


def test_keys_and_options_that_are_none_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "| `bmn.none` | `bmn.mode: sideways` `proposals.csv` `finetune.augment` `finetune.augment.no=1`\n"
        "```text\n`bmn.of_a_block`\n```\n`--run-dir DIR --wrong`, `pip --quiet`, `a--b`\n"
    )
    spans = spans_of(page)
    assert [key for key, value in keys_in(spans) if key_problem(key, value)] == [
        "bmn.none",
        "bmn.mode",
        "finetune.augment.no",
    ]
    assert [option_problem(span) for span in spans if "--" in span] == [
        "no command takes --run-dir DIR --wrong",
        None,
        None,
    ]
    assert option_problem("--fps 30 --engine slurm")  # of two commands
