"""Whether the training videos have the proxies that fine-tuning is set to read."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.data.videos.finding import Source
from pipeline.errors import UserError
from pipeline.runs.run import Run
from pipeline.tools.doctor.findings import NOTE, OK, WRONG, Finding
from pipeline.tools.proxies.telling import proxies_of


def proxy_findings(run: Run, found: Mapping[str, Source]) -> list[Finding]:
    """What there is of the proxies of the videos that were `found`; nothing where none are read."""
    try:
        there = proxies_of(run, found)
    except UserError as error:
        return [Finding("proxies", WRONG, error.message)]
    if there is None:
        return []
    lacking = tuple(there.why)
    text = f"{len(there.paths)} training videos have one that is current, {len(lacking)} have none"
    text += "; run `tada-loc proxies`" if lacking else ""
    return [Finding("proxies", NOTE if lacking else OK, text, lacking)]
