"""Videos that do not lie on this machine."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path


class Elsewhere(os.PathLike[str], ABC):
    """A video that is brought to this machine when it is read. `open_video` takes it in place of a path.

    As text it is the place where it is.
    """

    @abstractmethod
    def held(self) -> AbstractContextManager[Path]:
        """Its file on this machine, which stays as it is inside the `with` block.

        Raises VideoError if it cannot be brought here.
        """

    @abstractmethod
    def __fspath__(self) -> str:
        """The place where it is, for messages; nothing is opened by it."""

    def __str__(self) -> str:
        return os.fspath(self)
