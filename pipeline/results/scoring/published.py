"""Which data sets the published figures are of: by name and by classes, so that no other shows them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from unicodedata import normalize

from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.configuration.sections.detection import EvalSettings
from pipeline.data.annotations import Dataset

# The 200 classes of ActivityNet 1.3, which are those of HACS Segments, and the 20 of THUMOS14: their number and
# a digest of the names (`class_digest`).
_ACTIVITYNET = (200, "696d49925655f5ee")
_THUMOS14 = (20, "7c15088a951ca222")
_CLASSES = {
    "hacs": _ACTIVITYNET,
    "hacssegments": _ACTIVITYNET,
    "activitynet": _ACTIVITYNET,
    "activitynet13": _ACTIVITYNET,
    "thumos14": _THUMOS14,
}
_EPIC = {"ek100", "epickitchens100"}
_VERBS_AND_NOUNS = (97, 300)


def class_digest(names: Sequence[str]) -> str:
    """What a list of class names is known by, in whatever order it is."""
    text = "\n".join(sorted(normalize("NFC", name) for name in names))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def not_published(settings: DatasetSettings, dataset: Dataset) -> str | None:
    """Why published figures are not of this data set; None where they are.

    They are of a data set that has the name of one of the benchmarks and its whole list of classes.
    """
    name = "".join(sign for sign in settings.name.casefold() if sign.isalnum())
    sizes = tuple(map(len, dataset.heads))
    if name in _EPIC:
        if sizes == _VERBS_AND_NOUNS:
            return None
        return f"EPIC-KITCHENS-100 has 97 verbs and 300 nouns, this {' and '.join(map(str, sizes))}"
    if name not in _CLASSES:
        return f"dataset.name {settings.name!r} is no benchmark's"
    number, digest = _CLASSES[name]
    if len(sizes) == 1 and class_digest(dataset.heads[0]) == digest:
        return None
    others = "others" if sizes == (number,) else " and ".join(map(str, sizes))
    return f"{settings.name} has {number} classes, these annotations have {others}"


def withheld(evaluation: EvalSettings, settings: DatasetSettings, dataset: Dataset) -> str | None:
    """What to say where the configuration holds published figures that are not of this data set."""
    if not (evaluation.paper or evaluation.published):
        return None
    why = not_published(settings, dataset)
    return f"published figures are not shown: {why}" if why else None
