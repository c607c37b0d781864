"""The figure that is expected of the demo, and whether a run is within it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.configuration.reading import find_config, load_config
from pipeline.configuration.settings import Config
from pipeline.runs.inputs.fields import deciding_fields


@dataclass(frozen=True)
class Expected:
    """Average mAP in percent: most runs, whatever the machine and the seed, are within `mean` +- `half_width`."""

    mean: float
    half_width: float

    def __str__(self) -> str:
        return f"{self.mean:.1f} +- {self.half_width:.1f}"

    def holds(self, average: float) -> bool:
        """Whether a figure, as it is shown with two decimals, is inside; both ends are."""
        return round(abs(round(average, 2) - self.mean), 6) <= self.half_width


# Measured by `python -m benchmarks.demo_figure`; docs/start/demo.md quotes the same.
EXPECTED = {
    "tada2d": Expected(73.6, 4.0),
    "tsn": Expected(8.5, 4.0),
}


def verdict(config: Config, data: Path, average: float) -> str | None:
    """The line that ends a demo with this average mAP (percent), None if nothing is expected.

    A figure is expected of the shipped settings with a backbone of EXPECTED, on the videos that the
    demo draws (in `data`); where and how it runs is free.
    """
    expected = EXPECTED.get(config.backbone.name)
    drawn = (data / "videos", data / "annotations.csv")
    if (config.dataset.videos, config.dataset.annotations) != drawn:
        return None
    if expected is None or not is_shipped(config):
        return None
    figure = f"demo: average mAP {average:.2f}"
    if expected.holds(average):
        return f"{figure}, inside the expected {expected}"
    return f"{figure}, outside the expected {expected}: please report it with your CPU and torch version"


def is_shipped(config: Config) -> bool:
    """Whether every setting that decides the figure is the shipped demo's, apart from the backbone's name."""
    shipped = load_config(find_config("demo"), {"backbone.name": config.backbone.name})
    return _deciding(config) == _deciding(shipped)


def _deciding(config: Config) -> dict[str, object]:
    fields = deciding_fields(config)
    fields.pop("extract.batch_size")  # it rounds differently, as another machine does
    return {"runtime.skip": config.runtime.skip, **fields}
