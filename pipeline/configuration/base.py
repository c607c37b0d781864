"""What every section of a configuration shares: its form, its kinds of numbers, marks on its keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Precision = Literal["float32", "bfloat16", "float16"]


class Section(BaseModel):
    """A part of a configuration: no unknown keys, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class NoResult:
    """Marks a key that changes no result: where things lie, how often is saved, how much is done at once.

    Another value of it leaves what was made valid. What lies there is another matter: segments and videos
    are known by their content, which is a field of its own.
    """


@dataclass(frozen=True)
class StandsFor:
    """Marks a key one value of which, `name`, is another name of `value`: both make the same result."""

    name: str
    value: str


@dataclass(frozen=True)
class Formerly:
    """Marks a key that had another name in the same section; the old one is still read."""

    name: str
