"""docs/explanation/protocols.md: the paper's figures in its overview are those of the shipped configurations."""

from __future__ import annotations

import pytest
from helpers.paths import ROOT

from pipeline.configuration.reading import find_config, load_config

TEXT = (ROOT / "docs" / "explanation" / "protocols.md").read_text()
OVERVIEW = TEXT[TEXT.index("## The paper's tables") : TEXT.index("## Sources")]


@pytest.mark.parametrize(
    ("config", "table"),
    [
        ("hacs", "8"), ("ek100", "8"), ("hacs_slowfast", "A3"), ("hacs_slowfast_tada", "A3"),
        ("ek100_slowfast", "A3"), ("ek100_slowfast_tada", "A3"),
    ],
)  # fmt: skip
def test_averages_of_the_paper(config, table):
    lines = [line for line in OVERVIEW.splitlines() if line.startswith(f"| {table} |")]
    named = next(
        line for line in lines if f"`run --config {config}`" in line or f"`{config}`" in line
    )
    tasks = load_config(find_config(config)).detection().eval.paper
    leading = next(iter(tasks))
    figure = tasks[leading]["average"]
    assert f"{figure:.2f}" in named or (f"{figure:.1f}" in named and round(figure, 1) == figure)


def test_the_overview_has_every_table_with_figures_of_ours():
    assert {line.split("|")[1].strip() for line in OVERVIEW.splitlines() if line.startswith("| ")} >= {
        "1", "2", "3a, 3b", "4", "5", "6", "7", "8", "A2", "A3",
    }  # fmt: skip
