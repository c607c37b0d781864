"""A trained model: settings, class names and the weights of both networks, whether from a run or from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline.configuration.settings import DetectionConfig
from pipeline.run_folder.identity import fingerprint

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Model:
    """All that is needed to detect actions in a video.

    `name` is for people: of a run its folder's, of a file that of the file. `heads`: class names, one tuple a
    classifier head, (labels,) or (verbs, nouns). `classifier` and `detector` are the state dicts of both
    networks, on the CPU: that on clips, and the head that `config.detector` names. `results`: the numbers of its evaluation (`eval/results.json`), empty where it has
    none. `note` is what its maker gave with it, such as a licence.
    """

    name: str
    config: DetectionConfig
    heads: tuple[tuple[str, ...], ...]
    classifier: Mapping[str, Tensor]
    detector: Mapping[str, Tensor]
    results: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def num_classes(self) -> int | tuple[int, int]:
        """What `build_backbone` takes: the number of classes, or (verbs, nouns)."""
        sizes = tuple(len(head) for head in self.heads)
        return sizes if len(sizes) == 2 else sizes[0]

    @cached_property
    def digest(self) -> str:
        """What names the model by content: both networks' weights, the class names, what decides detections."""
        from feature_extraction.weights.loading import state_digest

        return fingerprint(
            {
                "classifier": state_digest(self.classifier),
                self.config.detector.name: state_digest(self.detector),
                "heads": self.heads,
                "settings": deciding_settings(self.config),
            }
        )


def deciding_settings(config: DetectionConfig) -> dict[str, Any]:
    """The settings that decide what a trained model detects, by their dotted keys."""
    from pipeline.configuration.keys import result_fields
    from pipeline.configuration.sections.backbone import LATER, BackboneSettings

    fields: dict[str, Any] = {}
    for name in ("backbone", "extract", *config.head_sections):
        fields |= result_fields(name, config.section(name))
    defaults = {f"backbone.{key}": BackboneSettings.model_fields[key].default for key in LATER}
    return {k: v for k, v in fields.items() if k not in defaults or v != defaults[k]}
