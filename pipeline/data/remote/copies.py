"""Files with an address that are read whole, and often: annotations, features of others. Each has its copy on disk.

The copies are in the cache's folder `files`, by the names of their address, with a note of which version each is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.configuration.sections.urls import Url
from pipeline.data.remote.stores import (
    Facts,
    StoreError,
    copy,
    facts_of,
    files_below,
    is_folder,
)
from pipeline.errors import UserError
from pipeline.plain_files import bytes_text
from pipeline.progress import Progress, say
from pipeline.run_folder.files import atomic_path, remove, write_json

_AT_ONCE = 8  # files that are copied
_NOTED = 256  # files after which those that are there are noted


def cache_folder(settings: DatasetSettings) -> Path:
    """`dataset.cache`, or the user's cache folder."""
    if settings.cache is not None:
        return settings.cache
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tada-loc"


def local_paths(
    places: Iterable[Path | Url],
    settings: DatasetSettings,
    wanted: Callable[[str], bool] | None = None,
) -> list[Path]:
    """The places on this machine: paths as they are, what has an address as its current copy.

    Of a folder the files are copied whose names are `wanted`; without it no folder is taken. Raises UserError with the address and the reason.
    """
    limit = int(settings.cache_size * 1e9)
    return [
        place
        if isinstance(place, Path)
        else _Copies(place, cache_folder(settings), limit).made(wanted)
        for place in places
    ]


@dataclass(frozen=True)
class _Copies:
    """What is at an address, a file or a folder, on this machine."""

    url: Url
    cache: Path
    limit: int

    @property
    def target(self) -> Path:
        return self.cache.joinpath("files", *self.url.parts)

    def made(self, wanted: Callable[[str], bool] | None) -> Path:
        """Copy what is not there as the store has it now. Raises UserError."""
        before = self._noted()
        try:
            listed = self._listed(wanted)
        except StoreError as error:
            if not (
                error.unreachable and before and all(map(self._is_there, before, before.values()))
            ):
                raise UserError(str(error)) from error
            say(f"{error}; using the existing copy in {self.target}")
            return self.target
        todo = [
            inside
            for inside, facts in listed.items()
            if before.get(inside) != facts or not self._is_there(inside, facts)
        ]
        self._require_room(listed, todo)
        for inside in before.keys() - listed.keys():
            remove(self._path(inside))
        self._copy(listed, todo)
        if before != listed:
            self._note(listed)
        return self.target

    def _copy(self, listed: Mapping[str, Facts], todo: list[str]) -> None:
        kept = {inside: facts for inside, facts in listed.items() if inside not in set(todo)}
        with (
            Progress(len(todo), f"copying {self.url.name}", unit="file") as bar,
            ThreadPoolExecutor(_AT_ONCE) as pool,
        ):
            for first in range(0, len(todo), _NOTED):
                some = todo[first : first + _NOTED]
                for inside in pool.map(lambda one: self._copy_one(one, listed[one]), some):
                    kept[inside] = listed[inside]
                    bar.update(1)
                self._note(kept)

    def _copy_one(self, inside: str, facts: Facts) -> str:
        url = f"{self.url}/{inside}" if inside else self.url
        with atomic_path(self._path(inside)) as temporary:
            try:
                copy(url, temporary)
            except StoreError as error:
                raise UserError(str(error)) from error
            if temporary.stat().st_size != facts.size:
                raise UserError(f"{url}: changed while it was copied; run the same command again")
        return inside

    def _listed(self, wanted: Callable[[str], bool] | None) -> dict[str, Facts]:
        """The facts of each file, by what comes after the address. Raises StoreError."""
        if wanted is None or not is_folder(self.url):
            return {"": facts_of(self.url)}
        found = {
            inside: facts
            for inside, facts in files_below(self.url).items()
            if wanted(inside.rpartition("/")[2])
        }
        unknown = [inside for inside, facts in found.items() if facts is None]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            asked = pool.map(lambda inside: facts_of(f"{self.url}/{inside}"), unknown)
            told = dict(zip(unknown, asked, strict=True))
        if not found:
            raise StoreError(self.url, "no file in it that is read here")
        return {inside: facts or told[inside] for inside, facts in found.items()}

    def _require_room(self, listed: Mapping[str, Facts], todo: list[str]) -> None:
        """Raises UserError if the copies would be more than the limit."""
        if not todo:
            return
        folder = self.cache / "files"
        others = sum(
            os.lstat(os.path.join(top, name)).st_size
            for top, _, names in os.walk(folder)
            for name in names
        )
        others -= sum(listed[one].size for one in listed if self._is_there(one, listed[one]))
        needed = others + sum(facts.size for facts in listed.values())
        if needed > self.limit:
            raise UserError(
                f"{self.url}: with it {folder} would hold {bytes_text(needed)}, and {bytes_text(self.limit)} are "
                "allowed; raise dataset.cache_size, or remove from it what is no longer needed"
            )

    def _path(self, inside: str) -> Path:
        return self.target / inside if inside else self.target

    def _is_there(self, inside: str, facts: Facts) -> bool:
        try:
            return self._path(inside).stat().st_size == facts.size
        except OSError:
            return False

    @property
    def _note_file(self) -> Path:
        digest = hashlib.sha256(self.url.encode("utf-8", "surrogateescape")).hexdigest()[:20]
        return self.cache / "notes" / f"{digest}.json"

    def _noted(self) -> dict[str, Facts]:
        """Which version each copy is; none where that is not known."""
        try:
            noted = json.loads(self._note_file.read_text("utf-8"))["files"]
            return {
                str(inside): Facts(int(one["size"]), str(one["tag"]))
                for inside, one in noted.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _note(self, facts: Mapping[str, Facts]) -> None:
        files = {inside: asdict(one) for inside, one in facts.items()}
        write_json(self._note_file, {"url": self.url, "files": files})
