"""What every section of a configuration shares: its form, its kinds of numbers, what is said of its keys, marks on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticUndefined


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


def _one(value: Any) -> Any:
    """A 1.0 is the 1 that `Literal` asks for; `true` is none, though it equals 1."""
    return 1 if _number(value) == 1 else value


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
One = Annotated[
    Literal[1], BeforeValidator(_number)
]  # a whole 1 stays one: it is recorded as it was
Precision = Literal["float32", "bfloat16", "float16"]


class Section(BaseModel):
    """A part of a configuration: no unknown keys, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def setting(
    description: str,
    *,
    default: Any = PydanticUndefined,
    unit: str = "",
    paper: str = "",
    why: str = "",
    **limits: Any,
) -> Any:
    """A key: what it means, its default, its unit, the section of a paper it is from, why one would change it.

    `unit` is "" for a pure number and what is no number; `paper` is "NAME SECTION" with a name of PAPERS, several separated by
    a comma, "" where no paper has the key; `why`: when to raise it, when to lower it, what that costs. A class that
    gives an inherited key another default leaves out what stays the same. `limits` are those of pydantic's Field.
    """
    said = {"unit": unit, "paper": paper, "why": why}
    return Field(default, description=description, json_schema_extra=dict(said), **limits)


PAPERS = {
    "TAdaConv": "Huang et al., TAda! Temporally-Adaptive Convolutions for Video Understanding, ICLR 2022",
    "BMN": "Lin et al., BMN: Boundary-Matching Network for Temporal Action Proposal Generation, ICCV 2019",
    "ActionFormer": "Zhang, Wu and Li, ActionFormer: Localizing Moments of Actions with Transformers, ECCV 2022",
    "Soft-NMS": "Bodla et al., Soft-NMS: Improving Object Detection With One Line of Code, ICCV 2017",
}


@dataclass(frozen=True)
class NoResult:
    """Marks a key that changes no result: where things are, how often is saved, how much is done at once.

    Another value of it leaves what was made valid. `selects` names what the key selects, if anything: segments and
    videos, say, are known by their content, which is a field of its own.
    """

    selects: str = ""


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
