"""The ablation: its variants are the networks they are called, its verdicts follow from the numbers."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from benchmarks.ablation import ORDER, VARIANTS, ablation_table, main
from feature_extraction import build_backbone


def test_variants_differ_by_what_they_are_called():
    sizes = {
        name: sum(
            p.numel()
            for p in build_backbone(
                depth=(1, 1, 1, 1), width=8, num_classes=6, **settings
            ).parameters()
        )
        for name, (_, settings) in VARIANTS.items()
    }
    assert (
        sizes["TSN"] < sizes["aggregation alone"] < sizes["TAdaConv alone"] < sizes["both (TAda2D)"]
    )
    for smaller in ("TAdaConv, kernels 1, 1", "TAdaConv, no global context"):
        assert sizes["TSN"] < sizes[smaller] < sizes["TAdaConv alone"]


def test_verdicts_follow_the_numbers():
    results = {name: [paper, paper + 1] for name, (paper, _) in VARIANTS.items()}
    assert ablation_table(results).count(", as in the paper") == len(ORDER)
    results["TSN"] = [99.0, 99.0]
    said = ablation_table(results)
    assert "NOT as in the paper" in said and said.count(", as in the paper") == len(ORDER) - 1


@pytest.mark.slow
def test_the_ablation_runs(tmp_path):
    file = tmp_path / "numbers.json"
    line = ["--epochs", "2", "--seeds", "1", "--videos", "8", "--json", str(file)]
    result = CliRunner().invoke(main, line, catch_exceptions=False)
    assert result.exit_code == 0 and "TAdaConv alone < both" in result.output
    assert set(json.loads(file.read_text())["top1"]) == set(VARIANTS)
