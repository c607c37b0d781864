"""Videos that are elsewhere, as files of the cache when they are read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from feature_extraction.elsewhere import Elsewhere
from feature_extraction.video.reader import VideoError
from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.configuration.sections.urls import Url
from pipeline.data.remote.cache import Cache, NoRoomError, copy_name
from pipeline.data.remote.copies import cache_folder
from pipeline.data.remote.stores import Facts, StoreError, copy, facts_of, files_below, read_pieces
from pipeline.errors import UserError
from pipeline.run_folder.temporary import clear_temporary, temporary_path

VIDEOS = "videos"  # the folder of a cache that they are in
_ASKING = 16  # threads that wait for a store
_END = 1 << 20  # bytes of a video's beginning, and of its end, that show how long it is


@dataclass(frozen=True)
class RemoteVideo(Elsewhere):
    """A video with an address, or at a path that is not read from directly (`lies_at`), and the cache it is copied to.

    `facts` say which version of it is meant; None: the store did not say, and the reader asks again.
    """

    url: str
    cache: Cache
    facts: Facts | None
    lies_at: Path | None = None

    def __fspath__(self) -> str:
        return str(self.lies_at or self.url)

    def __str__(self) -> str:
        return self.__fspath__()

    @property
    def name(self) -> str:
        """The name of its file."""
        last = self.url.rpartition("/")[2]
        return unquote(last) if self.url.startswith(("http://", "https://")) else last

    @property
    def suffix(self) -> str:
        """The ending of its name."""
        return PurePosixPath(self.name).suffix

    @property
    def size(self) -> int:
        """Its bytes; 0 if the store did not say."""
        return 0 if self.facts is None else self.facts.size

    def known(self) -> Facts:
        """What the store says of it. Raises StoreError."""
        return self.facts if self.facts is not None else facts_of(self.url)

    @contextlib.contextmanager
    def held(self) -> Iterator[Path]:
        """See Elsewhere.held. Raises UserError if the disk of the cache is full."""
        with contextlib.ExitStack() as stack:
            try:
                known = self.known()
                path = stack.enter_context(
                    self.cache.held(_called(self, known), known.size, self._fetch(known))
                )
            except StoreError as error:
                raise VideoError(str(error)) from error
            except NoRoomError as error:
                raise VideoError(f"{self}: {error}") from error
            yield path

    def is_held(self) -> bool:
        """Whether the cache has it now."""
        return self.facts is not None and self.cache.holds(
            _called(self, self.facts), self.facts.size
        )

    def pieces(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes [start, end) of each span, of the copy where there is one. Raises VideoError."""
        if not self.is_held():
            try:
                return read_pieces(self.url, spans)
            except StoreError as error:
                if error.unreachable:
                    raise VideoError(str(error)) from error
        with self.held() as path, path.open("rb") as stream:
            return [os.pread(stream.fileno(), end - start, start) for start, end in spans]

    def _fetch(self, known: Facts) -> Callable[[Path], None]:
        def fetch(target: Path) -> None:
            before = facts_of(self.url)
            if before.size == known.size:
                copy(self.url, target)
                if facts_of(self.url) == before and target.stat().st_size == known.size:
                    return
            raise StoreError(self.url, "changed while it was copied; run the same command again")

        return fetch


@contextlib.contextmanager
def local_file(source: os.PathLike[str]) -> Iterator[Path]:
    """The file of a video on this machine, inside the block. Raises VideoError if it cannot be brought here."""
    if isinstance(source, Elsewhere):
        with source.held() as path:
            yield path
    else:
        yield Path(source)


def path_of(source: os.PathLike[str]) -> Path:
    """Where a video is, for those who name it; of one with an address the name of its file."""
    if isinstance(source, RemoteVideo):
        return source.lies_at or Path(source.name)
    return Path(source)


@dataclass(frozen=True)
class Ends(Elsewhere):
    """A video of which only the first and the last bytes are there, between them zeros: enough to find how long most are."""

    video: RemoteVideo

    def __fspath__(self) -> str:
        return self.video.__fspath__()

    @contextlib.contextmanager
    def held(self) -> Iterator[Path]:
        """See Elsewhere.held; of a video that the cache has, or that is small, all of it."""
        facts = self.video.facts
        if facts is None or facts.size <= 2 * _END or self.video.is_held():
            with self.video.held() as path:
                yield path
            return
        first, last = self.video.pieces([(0, _END), (facts.size - _END, facts.size)])
        folder = _folder_of_ends(self.video.cache)
        folder.mkdir(parents=True, exist_ok=True)
        path = temporary_path(folder / copy_name(self.video.url, self.video.name))
        try:
            with path.open("wb") as stream:
                stream.write(first)
                stream.seek(facts.size - _END)
                stream.write(last)
            yield path
        finally:
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class RemoteFolder:
    """The address that videos are below, and the cache they are copied to."""

    url: Url
    cache: Cache

    def __str__(self) -> str:
        return self.url

    def files(self) -> list[RemoteVideo]:
        """Every file below it. Raises UnlistedError with the address and the reason."""
        clear_temporary(_folder_of_ends(self.cache))
        try:
            found = files_below(self.url)
        except StoreError as error:
            raise UnlistedError(f"{error}; see dataset.videos (or --videos)") from error
        return [
            RemoteVideo(f"{self.url}/{inside}", self.cache, facts)
            for inside, facts in found.items()
        ]


class UnlistedError(UserError):
    """An address whose contents cannot be listed now."""


def cache_of(settings: DatasetSettings) -> Cache:
    """The cache for videos that the settings name, or the user's own."""
    return Cache(cache_folder(settings) / VIDEOS, int(settings.cache_size * 1e9))


def folder_of(settings: DatasetSettings) -> Path | RemoteFolder:
    """Where the videos of a data set are."""
    videos = settings.videos
    return videos if isinstance(videos, Path) else RemoteFolder(videos, cache_of(settings))


def through_cache(
    found: Mapping[str, Path | RemoteVideo], settings: DatasetSettings
) -> dict[str, Path | RemoteVideo]:
    """The videos as they are read: with `dataset.cache` from copies of them, folders of frames from where they are."""
    remote = {video: place for video, place in found.items() if isinstance(place, RemoteVideo)}
    if settings.cache is not None:
        cache = cache_of(settings)
        for video, place in found.items():
            if isinstance(place, Path) and not place.is_dir():
                url = f"file://{os.path.abspath(place)}"
                remote[video] = RemoteVideo(url, cache, None, place)
    return {**found, **_with_facts(remote)}


def _with_facts(videos: Mapping[str, RemoteVideo]) -> dict[str, RemoteVideo]:
    """The same, each asked for its facts if a listing did not contain them; without where it gives none."""

    def ask(video: RemoteVideo) -> RemoteVideo:
        if video.facts is not None:
            return video
        with contextlib.suppress(StoreError, OSError):  # reading it says why
            return RemoteVideo(video.url, video.cache, facts_of(video.url), video.lies_at)
        return video

    with ThreadPoolExecutor(_ASKING) as pool:
        return dict(zip(videos, pool.map(ask, videos.values()), strict=True))


def _folder_of_ends(cache: Cache) -> Path:
    return cache.folder.parent / "ends"


def _called(video: RemoteVideo, facts: Facts) -> str:
    """The name of its copy: each version has its own."""
    return copy_name(f"{video.url}\n{facts.size}\n{facts.tag}", video.name)
