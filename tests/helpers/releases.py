"""The releases that CHANGELOG.md names."""

from __future__ import annotations

import re


def released(text: str) -> list[tuple[str, str]]:
    """Version and day of each release in the text of a changelog, the newest first."""
    return re.findall(r"^## \[(\d[^\]]*)\] - (\S+)$", text, flags=re.MULTILINE)
