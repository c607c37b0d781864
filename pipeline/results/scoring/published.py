"""Which data sets the published figures are of: by name and by classes, so that they are not shown for others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.configuration.sections.detection import EvalSettings
from pipeline.data.annotations import Dataset
from pipeline.data.names import one_form

# The 200 classes of ActivityNet 1.3, which are those of HACS Segments, and the 20 of THUMOS14: their number and
# a digest of the names (`class_digest`).
_ACTIVITYNET = (200, "696d49925655f5ee")
_THUMOS14 = (20, "7c15088a951ca222")
_VERBS_AND_NOUNS = (97, 300)
_BENCHMARKS = {
    "hacs": "HACS Segments",
    "hacssegments": "HACS Segments",
    "activitynet": "ActivityNet 1.3",
    "activitynet13": "ActivityNet 1.3",
    "thumos14": "THUMOS14",
    "ek100": "EPIC-KITCHENS-100",
    "epickitchens100": "EPIC-KITCHENS-100",
}
_CLASSES = {
    "HACS Segments": _ACTIVITYNET,
    "ActivityNet 1.3": _ACTIVITYNET,
    "THUMOS14": _THUMOS14,
}


def class_digest(names: Sequence[str]) -> str:
    """A digest of a list of class names that does not depend on its order."""
    text = "\n".join(sorted(one_form(name) for name in names))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def withheld(evaluation: EvalSettings, settings: DatasetSettings, dataset: Dataset) -> str | None:
    """What to say where the configuration holds published figures that are not of this data set; else None.

    They are of it where both names are the same benchmark's, and the classes are all of its classes.
    """
    if not (evaluation.paper or evaluation.published):
        return None
    why = _not_of(evaluation.paper_dataset or settings.name, settings.name, dataset)
    return f"published figures are not shown: {why}" if why else None


def _not_of(figures: str, name: str, dataset: Dataset) -> str | None:
    benchmark = _benchmark(figures)
    if benchmark is None:
        return f"they are of {figures!r}, which is not a benchmark known here"
    if _benchmark(name) != benchmark:
        return f"they are of {benchmark}, dataset.name is {name!r}"
    sizes = tuple(map(len, dataset.heads))
    found = " and ".join(map(str, sizes))
    if benchmark not in _CLASSES:
        verbs_and_nouns = sizes == _VERBS_AND_NOUNS
        return (
            None
            if verbs_and_nouns
            else f"{benchmark} has 97 verbs and 300 nouns, this data set {found}"
        )
    number, digest = _CLASSES[benchmark]
    if len(sizes) == 1 and class_digest(dataset.heads[0]) == digest:
        return None
    others = "others" if sizes == (number,) else found
    return f"{benchmark} has {number} classes, these annotations have {others}"


def _benchmark(name: str) -> str | None:
    return _BENCHMARKS.get("".join(sign for sign in name.casefold() if sign.isalnum()))
