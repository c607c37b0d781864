"""The three numbers of a report's first line."""

from __future__ import annotations

from typing import Any

_TIOU = 0.5  # the threshold of the second, where it is one of them


def numbers_of(results: dict[str, Any]) -> list[tuple[str, str]]:
    """Terms and values of `results.json`: the average mAP, that at a threshold, and the last AR@AN, where there is one."""
    leading, task = next(iter(results["tasks"].items()))
    place = results["iou"].index(_TIOU) if _TIOU in results["iou"] else 0
    found = [
        ("mAP" if leading == "mAP" else f"{leading} mAP", f"{task['average']:.1f}"),
        (f"@{results['iou'][place]:g}", f"{task['map'][place]:.1f}"),
    ]
    recall = results.get("average_recall", {})
    if recall:
        count = list(recall)[-1]
        found.append((f"AR@{count}", f"{recall[count]:.1f}"))
    return found
