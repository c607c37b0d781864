"""What every section of a configuration shares: its form, its kinds of numbers, marks on its keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _number(value: Any) -> Any:
    """Text and truth values are no numbers, though pydantic would make some of `'5'` and `true`."""
    if isinstance(value, (str, bytes, bool)):
        raise ValueError("input should be a number")
    return value


def _truth(value: Any) -> Any:
    """Text and numbers are no truth values, though pydantic would make some of `'yes'` and 1."""
    if not isinstance(value, bool):
        raise ValueError("input should be true or false")
    return value


LARGEST = 2**31 - 1  # of a whole number: arrays of frames and positions count no further
LARGEST_SEED = 2**63 - 1
Whole = Annotated[int, BeforeValidator(_number), Field(le=LARGEST)]
Seed = Annotated[int, BeforeValidator(_number), Field(ge=0, le=LARGEST_SEED)]
Real = Annotated[float, BeforeValidator(_number)]
Flag = Annotated[bool, BeforeValidator(_truth)]
Positive = Annotated[Whole, Field(gt=0)]
WholeFromZero = Annotated[Whole, Field(ge=0)]
PositiveFloat = Annotated[Real, Field(gt=0, allow_inf_nan=False)]
Rate = Annotated[PositiveFloat, Field(ge=0.001, le=100_000)]  # frames a second
NonNegative = Annotated[Real, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[Real, Field(ge=0, le=1)]
Share = Annotated[Real, Field(ge=0, lt=1)]
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
class RecordedLater:
    """Marks a key that changes results and that older programs did not record.

    What they made with it nobody knows: it stays valid whatever the key says now.
    """


@dataclass(frozen=True)
class OnlyWhere:
    """Marks a key that says nothing unless `key`, of the same section, is `value`: it changes no result then."""

    key: str
    value: str | None


@dataclass(frozen=True)
class StandsFor:
    """Marks a key one value of which, `name`, is another name of `value`: both make the same result."""

    name: str
    value: str


@dataclass(frozen=True)
class Formerly:
    """Marks a key that had another name in the same section; the old one is still read."""

    name: str


@dataclass(frozen=True)
class ByContent:
    """Marks a key that names a network of others, or says what it is: what counts of it is its content.

    Another name, or another place, of the same network leaves what was made valid. Of a mapping manifests have
    each value as text.
    """
