"""What each part of TAda2D is worth on the embedded dataset, under one small budget a variant.

python -m benchmarks.ablation [--epochs N] [--seeds N] [--json FILE]
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import click

# With the top-1 on Something-Something-V2 that the paper gives (Table 3).
VARIANTS: dict[str, tuple[float, dict[str, Any]]] = {
    "TSN": (32.0, {"name": "tsn"}),
    "aggregation alone": (57.0, {"name": "tsn", "aggregation": "average"}),
    "TAdaConv alone": (59.2, {"name": "tada2d", "aggregation": "none"}),
    "both (TAda2D)": (63.8, {"name": "tada2d"}),
    "TAdaConv, kernels 1, 1": (
        54.4,
        {"name": "tada2d", "aggregation": "none", "kernels": [1, 1]},
    ),
    "TAdaConv, no global context": (
        57.8,
        {"name": "tada2d", "aggregation": "none", "global_context": False},
    ),
}
# The demo's training as it was when docs/explanation/ablation.md was written: square crops, the last weights.
TRAINING: dict[str, Any] = {
    "finetune.crop": 48,
    "finetune.base_lr": 3.0e-3,
    "finetune.batch_size": 16,
    "finetune.flip": 0.0,
    "finetune.keep": "last",
}
ORDER = (  # (worse, better) as the paper finds them
    ("TSN", "aggregation alone"),
    ("aggregation alone", "TAdaConv alone"),
    ("TAdaConv alone", "both (TAda2D)"),
    ("TAdaConv, kernels 1, 1", "TAdaConv alone"),
    ("TAdaConv, no global context", "TAdaConv alone"),
)


def train(variant: Mapping[str, Any], data: Path, epochs: int, seed: int) -> float:
    """Validation top-1 in percent of a variant after its last epoch."""
    from pipeline.configuration.reading import find_config, load_config
    from pipeline.runs.run import Run
    from pipeline.stages.finetune import run

    overrides: dict[str, Any] = {f"backbone.{key}": value for key, value in variant.items()}
    overrides |= {
        "dataset.videos": str(data / "videos"),
        "dataset.annotations": str(data / "annotations.csv"),
        **TRAINING,
        "finetune.epochs": epochs,
        "finetune.seed": seed,
        "runtime.device": "cpu",
        "runtime.workers": 1,
    }
    with tempfile.TemporaryDirectory() as folder:
        run(Run(Path(folder), load_config(find_config("demo"), overrides)))
        history = json.loads((Path(folder) / "finetune" / "history.json").read_text())
    return float(history[-1]["top1"])


def ablation_table(results: Mapping[str, Sequence[float]]) -> str:
    """Accuracy a variant, and the paper's orderings beside ours."""
    lines = [f"{'variant':28s}  {'top-1':>6s}  {'spread':>6s}  {'paper':>6s}  runs"]
    for name, values in results.items():
        spread = stdev(values) if len(values) > 1 else 0.0
        shown = " ".join(f"{value:.1f}" for value in values)
        paper = VARIANTS[name][0]
        lines.append(f"{name:28s}  {mean(values):6.2f}  {spread:6.2f}  {paper:6.1f}  {shown}")
    lines.append("")
    for worse, better in ORDER:
        gap = mean(results[better]) - mean(results[worse])
        verdict = "as in the paper" if gap > 0 else "NOT as in the paper"
        lines.append(f"{worse} < {better}: {gap:+.2f} points, {verdict}")
    return "\n".join(lines)


@click.command()
@click.option("--epochs", type=click.IntRange(2), default=12, show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--videos", type=click.IntRange(4), default=80, show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE")
def main(epochs: int, seeds: int, videos: int, json_file: Path | None) -> None:
    """Train every variant with every seed and print mean, spread and the paper's ordering."""
    from pipeline.demo.dataset import make_dataset

    results: dict[str, list[float]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        make_dataset(data, train_videos=videos, val_videos=32)
        # Seed by seed: what the machine does meanwhile hits all variants alike.
        for seed in range(seeds):
            for name, (_, variant) in VARIANTS.items():
                results[name].append(train(variant, data, epochs, seed))
                click.echo(f"seed {seed}, {name}: {results[name][-1]:.2f}", err=True)
    if json_file is not None:
        json_file.write_text(json.dumps({"epochs": epochs, "videos": videos, "top1": results}))
    click.echo(ablation_table(results))


if __name__ == "__main__":
    main()
