"""`results.json`: the figures of `eval` and `eval-classifier`, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from pipeline.errors import UserError, cannot_read
from pipeline.plain_files import read_json

RESULTS = "results.json"


class Task(BaseModel):
    """The mAP of a task over the thresholds, in percent."""

    model_config = ConfigDict(extra="allow", strict=True)

    map: list[FiniteFloat]
    average: FiniteFloat


class Figures(BaseModel):
    """What `eval` writes."""

    model_config = ConfigDict(extra="allow", strict=True)

    iou: list[Annotated[FiniteFloat, Field(gt=0, le=1)]]
    tasks: Annotated[dict[str, Task], Field(min_length=1)]
    average_recall: dict[str, FiniteFloat] = {}

    @model_validator(mode="after")
    def _one_a_threshold(self) -> Figures:
        if any(len(task.map) != len(self.iou) for task in self.tasks.values()):
            raise ValueError("a task does not have one mAP per threshold")
        return self


class Accuracy(BaseModel):
    """The accuracies of a task, in percent."""

    model_config = ConfigDict(extra="allow", strict=True)

    top1: FiniteFloat
    top5: FiniteFloat
    mean_class: FiniteFloat


class Accuracies(BaseModel):
    """What `eval-classifier` writes."""

    model_config = ConfigDict(extra="allow", strict=True)

    segments: int
    runs: int
    tasks: Annotated[dict[str, Accuracy], Field(min_length=1)]


def read_results(path: Path, command: str) -> dict[str, Any]:
    """The figures a command wrote. Raises UserError if they are missing, damaged or cannot be read."""
    form: type[BaseModel] = Accuracies if command == "eval-classifier" else Figures
    try:
        content: dict[str, Any] = read_json(path)
        form.model_validate(content)
        return content
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run `tada-loc {command}`") from error
    except OSError as error:
        raise cannot_read(path, error) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise _damaged(path, f"{where}: {first['msg']}", command) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error), command) from error


def _damaged(path: Path, reason: str, command: str) -> UserError:
    shown = " ".join(reason.split())[:200]
    return UserError(f"{path}: damaged ({shown}); run `tada-loc {command}` to make it again")
