"""What a look at a dataset finds: lines of a table, values of a JSON, and whether something is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.printing import printable

OK, NOTE, WRONG = "ok", "note", "WRONG"


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was checked, its state, the videos or classes concerned, figures."""

    check: str
    state: str
    detail: str
    items: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)


def findings_table(findings: Sequence[Finding]) -> str:
    """The table to print."""
    width = max(len(finding.check) for finding in findings)
    lines = []
    for finding in findings:
        shown = ", ".join(finding.items[:3]) + (", ..." if len(finding.items) > 3 else "")
        detail = finding.detail + (f": {shown}" if shown else "")
        line = f"{finding.check.ljust(width)}  {finding.state.ljust(5)}  {detail}"
        lines.append(printable(line))
    wrong = sum(finding.state == WRONG for finding in findings)
    return "\n".join([*lines, f"{wrong} wrong" if wrong else "nothing wrong"])


def findings_as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The report as JSON values, with every video and class concerned."""
    return {
        "ok": is_sound(findings),
        "checks": [asdict(finding) | {"count": len(finding.items)} for finding in findings],
    }


def is_sound(findings: Sequence[Finding]) -> bool:
    """Whether nothing is wrong; notes do not count."""
    return all(finding.state != WRONG for finding in findings)
