"""What is reported about initial weights: where they are, what of them was used, and what is left at random."""

from __future__ import annotations

from feature_extraction.weights import LoadReport
from pipeline.configuration.settings import BackboneSettings
from pipeline.progress import say

_SHOWN = 6


def say_initial(settings: BackboneSettings, report: LoadReport | None) -> None:
    """Say which of a file's weights a network begins with; with no report they are random."""
    if report is None:
        say(f"{settings.title}: random initial weights (backbone.pretrained is not set)")
        return
    loaded = f"{len(report.used)} tensors used"
    say(f"{settings.title}: initial weights from {settings.pretrained}: {loaded}")
    for what, keys in (("not used", report.unused), ("left at random", report.missing)):
        if keys:
            shown = ", ".join(sorted(keys)[:_SHOWN]) + (", ..." if len(keys) > _SHOWN else "")
            say(f"  {len(keys)} {what}: {shown}")


def say_published(settings: BackboneSettings, weights: str) -> None:
    """Say that a network of others begins with the weights that are published, and with which."""
    revision = settings.description.revision if settings.description else None
    of = f" at {revision[:12]}" if revision else ""
    say(f"{settings.title}: initial weights as published ({weights}){of}")
