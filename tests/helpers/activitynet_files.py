"""Annotation files of the form of ActivityNet."""

from __future__ import annotations

import json


def write_json(path, database):
    path.write_text(json.dumps({"database": database}))
    return path


def entry(segments, subset="training", duration="10.0"):
    return {
        "subset": subset,
        "duration": duration,
        "annotations": [{"segment": list(s[:2]), "label": s[2]} for s in segments],
    }
