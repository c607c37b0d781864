"""The reader of documents: which blocks it sees, what it refuses, and what it lets a document do."""

from __future__ import annotations

import pytest
from helpers.documents import forms
from helpers.documents.guard import refusal
from helpers.documents.lines import inline_problems, lines_of, problem_of
from helpers.documents.reading import Block, DocumentError, blocks_of
from helpers.documents.running import BlockError, Page, small
from helpers.documents.world import SMALL


def page_of(tmp_path, text):
    path = tmp_path / "page.md"
    path.write_text(text)
    return path


def test_blocks_with_their_lines_and_markers(tmp_path):
    path = page_of(
        tmp_path,
        "# A\n\n<!-- exits: 1 -->\n\n```sh\ntada-loc status\n```\n\n"
        "<!-- needs: gpu, network -->\n<!-- file: a.sh -->\n```sh\nx\n```\n\n"
        "- in a list\n\n  ```python\n  if a:\n      b\n  ```\n\n"
        "````{tab-set}\n```{tab-item} pip\n```\n```csv\na,b\n```\n````\n\n<!-- a remark -->\n\ntext\n",
    )
    one, two, three, four = blocks_of(path)
    assert (one.language, one.line, one.exits, one.runs) == ("sh", 6, 1, True)
    assert (two.needs, two.file, two.runs) == ({"gpu", "network"}, "a.sh", False)
    assert (three.text, three.place) == ("if a:\n    b\n", "page.md:18")
    assert (four.language, four.text) == ("csv", "a,b\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```\nls\n```\n", "page.md:1: a fence without language"),
        ("```bash\nls\n```\n", "page.md:1: unknown language 'bash'"),
        ("# A\n```sh\nls\n", "page.md:2: a fence that is never closed"),
        ("<!-- needs: luck -->\n```sh\nls\n```\n", "page.md:1: unknown need luck"),
        ("<!-- skip -->\n```sh\nls\n```\n", "page.md:1: unknown marker 'skip'"),
        ("<!-- exits: one -->\n```sh\nls\n```\n", "page.md:1: exits: takes a number"),
        ("<!-- needs: gpu -->\ntext\n", "page.md:1: <!-- needs: gpu --> is before no block"),
        ("<!-- needs: gpu -->\n", "page.md:1: <!-- needs: gpu --> is before no block"),
    ],
)
def test_what_is_no_block_is_refused(tmp_path, text, said):
    with pytest.raises(DocumentError) as refused:
        blocks_of(page_of(tmp_path, text))
    assert str(refused.value).startswith(said)


def test_commands_of_a_block():
    text = "# a remark\ntada-loc run \\\n    --config small  # more\n\necho 'a # b'\n"
    lines = lines_of(Block("page.md", 3, "sh", text))
    assert [(line.place, line.text) for line in lines] == [
        ("page.md:4", "tada-loc run --config small"),
        ("page.md:7", "echo 'a # b'"),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tada-loc runn", "no command runn"),
        ("tada-loc run --confg small", "No such option"),
        ("tada-loc run --config small bmn.epoch=2", "unknown key bmn.epoch"),
        ("tada-loc run --config small bmn.epochs=two", "bmn.epochs"),
        ("torchrun --nproc-per-node 2 -m pipeline extrct", "no command extrct"),
        ("X=1 tada-loc status | tee a.txt", None),
        ("sbatch --wrap 'tada-loc extract --fsp 3'", "No such option"),
        ("make nothing", "has no nothing"),
        ("ls", None),
    ],
)
def test_a_line_that_tada_loc_does_not_take_is_found(line, said):
    found = problem_of(line)
    assert (found is None) if said is None else said in (found or "")


def test_a_command_in_a_sentence_that_is_none_is_found(tmp_path):
    path = page_of(tmp_path, "`tada-loc eval --why` and `tada-loc evl`, `tada-loc eval --wy`\n")
    assert inline_problems(path) == ["page.md:1: tada-loc evl", "page.md:1: tada-loc eval --wy"]


@pytest.mark.parametrize(
    ("language", "text", "right"),
    [
        ("yaml", "bmn:\n  epochs: 3\n", True),
        ("yaml", "dataset:\n  format: epic_kitchens\n", True),
        ("yaml", "bmn:\n  epoch: 3\n", False),
        ("yaml", "bmn:\n  epochs: many\n", False),
        ("yaml", "- a\n", False),
        ("json", '{"a": 1}', True),
        ("json", "{a: 1}", False),
        ("csv", "a,b\n1,2\n", True),
        ("csv", "a,b\n1\n", False),
        ("python", "a = 1\n", True),
        ("python", "a =\n", False),
        ("bibtex", "@article{a,\n  title = {A},\n}\n", True),
        ("bibtex", "@article{a,\n  title = {A,\n}\n", False),
    ],
)
def test_the_form_of_a_block(language, text, right):
    assert (forms.problem_of(Block("page.md", 1, language, text)) is None) == right


@pytest.mark.parametrize(
    ("line", "runs"),
    [
        ("tada-loc run --config tada-loc.yaml", True),
        ("tada-loc status 2>/dev/null | head -n 3 > a.txt", True),
        ("python plot.py", True),
        ("python -m pipeline status", True),
        ("pip install a", False),
        ("python -m pip install a", False),
        ("ls && pip install a", False),
        ("echo $(pip install a)", False),
        ("cat <(pip install a)", False),
        ("PIP=1 pip install a", False),
        ("cat ../a", False),
        ("cp a ~/b", False),
        ("tada-loc predict videos --to /shared/found", False),
        ("tada-loc run dataset.cache=/scratch", False),
        ("tada-loc init s3://bucket/videos own.csv", False),
        ("make install", False),
    ],
)
def test_a_document_installs_nothing_and_stays_in_its_folder(line, runs):
    assert (refusal(line) is None) == runs


def test_commands_are_made_small_and_their_own_settings_win():
    words = ["run", "--config", "small", "bmn.epochs=20", "--workers", "8"]
    made = small(words)
    assert made[:3] == ["run", "--set", SMALL[0]] and made[-3:] == [
        "bmn.epochs=2",
        "--workers",
        "0",
    ]
    assert small(["predict", "a.mp4", "--threshold", "0.3"])[-1] == "0.003"
    assert small(["eval", "--config", "hacs"]) == ["eval", "--config", "hacs"]


@pytest.mark.parametrize(
    ("language", "text", "exits", "said"),
    [
        ("sh", "ls a\nls b\n", 0, "page.md:8: ls a\nended with 2, not 0\nls: cannot access 'a'"),
        (
            "sh",
            "tada-loc info a.tada\n",
            0,
            "page.md:8: tada-loc info a.tada\nended with 1, not 0\nError: a.tada",
        ),
        ("sh", "ls\n", 3, "page.md:8: ls\nended with 0, not 3"),
        ("python", "a = 1\nprint(a)\nassert a == 2\n", 0, "page.md:10: assert a == 2\n1\nTrace"),
        ("python", "a = 1\nb = (\n", 0, "page.md:9: b = (\n"),
    ],
)
def test_a_block_that_fails_says_where_and_what_it_printed(
    tmp_path, monkeypatch, language, text, exits, said
):
    monkeypatch.chdir(tmp_path)
    page = Page(tmp_path, tmp_path)
    with pytest.raises(BlockError) as failed:
        page.follow(Block("page.md", 8, language, text, exits=exits))
    assert str(failed.value).startswith(said)


def test_names_and_files_go_from_block_to_block(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = Page(tmp_path, tmp_path)
    page.follow(Block("page.md", 1, "python", "a = 1\n"))
    page.follow(Block("page.md", 2, "python", "assert a == 1\nopen('a.txt', 'w').write('x')\n"))
    page.follow(Block("page.md", 3, "csv", "a,b\n", file="folder/b.csv"))
    page.follow(Block("page.md", 4, "sh", "cat a.txt folder/b.csv > c.txt\nls none\n", exits=2))
    page.follow(Block("page.md", 5, "sh", "no such program\n", needs=frozenset({"network"})))
    assert (tmp_path / "c.txt").read_text() == "xa,b\n"
