"""A block that is not run says why, and the reason is seen in it."""

from __future__ import annotations

import re

import pytest
from helpers.documents.reading import NEEDS, Block, DocumentError, blocks_of, name_of, pages

from pipeline.configuration.reading import SHIPPED

LARGE = sorted(
    {path.stem for path in SHIPPED.glob("*.yaml")} - {"demo", "small"}, key=len, reverse=True
)
# What a block that needs something holds.
SIGNS = {
    "dataset": rf"--config ({'|'.join(LARGE)})\b|\bdata/|runs/({'|'.join(LARGE)})\b|HACS|EPIC|anet|thumos",
    "gpu": r"cuda|gpu|GPU|nvdec|nvidia",
    "cluster": r"torchrun|srun|sbatch|scontrol|kubectl|\bsky\b|tada-loc submit|--shard|/shared/|kind: |resources:",
    "network": r"\bpip\b|https?:|s3:|gs:|abfs:|\bhf\b|hf:|wandb|git clone|wget|curl|pretrained=(kinetics|imagenet|published)",
    "checkout": r"^(make|git|\.venv/)|-m (benchmarks|checks|pytest)|\bpip install -e",
}
HERE = r"^(tada-loc (?!convert)|python |pip |make |cat |ls |cp |mv )"  # a person is not needed for these


COMMAND = re.compile(
    r"^(tada-loc|pip|make|torchrun|python|git|import|from \w+ import) ", re.MULTILINE
)


def problem_of(block: Block) -> str | None:
    """Which of a block's excuses nothing in it bears out, or that it is no text; None where all is well."""
    if block.language == "text" and block.file is None and COMMAND.search(block.text):
        return "a command in a block of text, which nobody runs"
    for need in sorted(block.needs):
        lines = [line for line in block.text.splitlines() if line.strip()]
        if need == "person":
            if all(re.match(HERE, line) for line in lines):
                return f"needs: {need}, but its lines need nobody"
        elif not re.search(SIGNS[need], block.text, re.MULTILINE):
            return f"needs: {need}, but nothing in it says so ({SIGNS[need]})"
    if block.needs and block.language in {"text", "json", "csv", "bibtex"}:
        return f"{block.language} is not run: it needs no excuse"
    return None


@pytest.mark.parametrize("path", pages(), ids=name_of)
def test_what_is_not_run_has_a_reason(path):
    try:
        blocks = blocks_of(path)
    except DocumentError as error:
        pytest.fail(str(error), pytrace=False)
    said = [f"{block.place}: {problem}" for block in blocks if (problem := problem_of(block))]
    if said:
        pytest.fail("\n".join(said), pytrace=False)


@pytest.mark.parametrize(
    ("need", "text", "borne_out"),
    [
        ("dataset", "tada-loc run --config hacs\n", True),
        ("dataset", "tada-loc run --config small\n", False),
        ("dataset", "tada-loc run --config tada-loc.yaml --run-dir runs/own\n", False),
        ("gpu", "tada-loc extract --device cuda\n", True),
        ("gpu", "tada-loc extract\n", False),
        ("cluster", "torchrun --nproc-per-node 2 -m pipeline extract\n", True),
        ("cluster", "tada-loc extract\n", False),
        ("network", "pip install .\n", True),
        ("network", "tada-loc init videos own.csv\n", False),
        ("person", "labelImg &\n", True),
        ("person", "tada-loc status\n", False),
        ("checkout", "make bench\n", True),
        ("checkout", "tada-loc verify\n", False),
    ],
)
def test_a_reason_that_is_none_is_found(need, text, borne_out):
    block = Block("page.md", 1, "sh", text, frozenset({need}))
    assert (problem_of(block) is None) == borne_out


def test_commands_are_no_text():
    assert problem_of(Block("page.md", 1, "text", "tada-loc status\n"))
    assert problem_of(Block("page.md", 1, "text", "extract: 6 videos\n")) is None


def test_every_need_has_its_signs():
    assert {*SIGNS, "person"} == set(NEEDS)
