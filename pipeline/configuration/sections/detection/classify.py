"""The settings of the class scores of proposals."""

from __future__ import annotations

from typing import Annotated, Literal

from pipeline.configuration.sections.base import NoResult, OnlyWhere, Positive, Section, setting
from pipeline.configuration.sections.urls import Place

_Own = OnlyWhere("scores", None)  # a key about the run's own classifier


class ClassifySettings(Section):
    """How proposals get classes: by the video or each by itself (TAdaConv: Appendix A.2)."""

    scores: Annotated[Place | None, NoResult("class scores")] = setting(
        "File with class scores of the videos, made elsewhere; every proposal gets the `top` classes "
        "of its video. null: the run's own classifier names the classes.",
        default=None,
        why="Set it to repeat published figures, many of which use class scores of another program.",
    )
    mode: Annotated[Literal["video", "proposal"], _Own] = setting(
        "What gets class scores: the whole `video`, or each `proposal`.",
        paper="TAdaConv A.2",
        why="`video` if a video shows only one class (HACS, ActivityNet), `proposal` if it shows several.",
    )
    source: Annotated[Literal["features", "video"], _Own] = setting(
        "What a proposal is classified on: the stored `features`, or clips decoded at its positions (`video`).",
        default="features",
        why="`video` places clips exactly and is much slower; `features` costs seconds.",
    )
    top: Positive = setting(
        "Classes that each proposal gets, if a segment has one label.",
        default=2,
        unit="classes",
        why="Raise it if the right class is often the second or third; each adds detections, most of them wrong.",
    )
    positions: Annotated[Positive, _Own] = setting(
        "Positions of a proposal that are classified and averaged.",
        default=6,
        unit="positions",
        paper="TAdaConv A.2",
        why="Raise it for long proposals. With `source: video` time grows in proportion.",
    )
    spread: Annotated[Literal["middle", "over", "inside"], _Own] = setting(
        "Where the positions are: in the `middle` of equal parts of the proposal, from end "
        "to end (`over`), or so that their clips are `inside` it.",
        default="middle",
        why="`inside` if neighbouring actions leak into class scores; `over` if the ends tell classes apart.",
    )
    top_verbs: Positive = setting(
        "Verbs of a proposal from which pairs are made (EPIC-KITCHENS).",
        default=10,
        unit="verbs",
        why="Raise it with `pairs`, to consider less likely actions.",
    )
    top_nouns: Positive = setting(
        "Nouns of a proposal from which pairs are made (EPIC-KITCHENS).",
        default=30,
        unit="nouns",
        why="Raise it with `pairs`, to consider less likely actions.",
    )
    pairs: Positive = setting(
        "Pairs of verb and noun that each proposal gets (EPIC-KITCHENS).",
        default=5,
        unit="pairs",
        why="Raise it if the right action is often not among the best; each adds detections, most of them wrong.",
    )

    @property
    def decodes(self) -> bool:
        """Whether clips are decoded at the proposals, and neither stored features nor given scores are taken."""
        return self.scores is None and (self.mode, self.source) == ("proposal", "video")
