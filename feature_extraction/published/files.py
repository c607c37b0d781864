"""Files of a model of Hugging Face's: in a folder, or in the Hub's cache, fetched where they are not there."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from feature_extraction.published.names import Published, PublishedError, needs_extra

CONFIG = "config.json"
# Of a video's processor, of an image's, and of both in one file.
PROCESSORS = ("video_preprocessor_config.json", "preprocessor_config.json", "processor_config.json")
LARGEST = 4 << 20  # bytes of a file of settings
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def settings_files(
    published: Published, revision: str | None
) -> tuple[Mapping[str, Any], Mapping[str, Any] | None, str | None]:
    """The model's settings, those of its processor (None if it has none), and the commit they are of.

    Of a folder the commit is None. Raises PublishedError if they cannot be had or read.
    """
    folder = published.folder
    if folder is not None:
        if revision is not None:
            raise PublishedError(f"{published} is a folder and has no revisions: {revision!r}")
        if not folder.is_dir():
            raise PublishedError(f"{published}: no such folder, and not a model name of the Hub")
        there = {name: folder / name for name in (CONFIG, *PROCESSORS)}
    else:
        first = _from_hub(published, CONFIG, revision)
        revision = first.parent.name  # the cache keeps each commit in a folder of its name
        there = {CONFIG: first}
        for name in PROCESSORS:
            there[name] = _from_hub(published, name, revision, optional=True)
            if there[name].is_file():
                break
    if not there[CONFIG].is_file():
        raise PublishedError(
            f"{published}: the folder holds no {CONFIG}: not a model of transformers"
        )
    processor = next((there[n] for n in PROCESSORS if n in there and there[n].is_file()), None)
    return _read(there[CONFIG]), None if processor is None else _read(processor), revision


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder, by name.

    Raises PublishedError if there are none: files of pickles can run code and are not read.
    """
    if not folder.is_dir():
        raise PublishedError(f"hf:{folder}: no such folder")
    found = sorted(path for path in folder.glob("*.safetensors") if path.is_file())
    if found:
        return found
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if pickles:
        raise PublishedError(
            f"hf:{folder}: its weights are in {pickles[0]}, a pickle, which can run code and is not read: if you "
            "trust it, load it with transformers and write it with save_pretrained, which makes model.safetensors"
        )
    raise PublishedError(f"hf:{folder}: the folder holds no weights (model.safetensors)")


def not_fetched(published: Published, what: str, reason: object) -> PublishedError:
    """What to say of a file of the Hub that could not be had."""
    said = " ".join(str(reason).split())[:150]
    nowhere = "there is no such folder, and " if what == CONFIG else ""
    return PublishedError(
        f"{published}: {nowhere}{what} is not in the cache of Hugging Face, and could not be fetched ({said}): download it "
        f"on a machine with a network (`hf download {published.name}`) and copy the cache (HF_HOME), or give a folder "
        "with its files (hf:FOLDER)"
    )


def _from_hub(
    published: Published, name: str, revision: str | None, *, optional: bool = False
) -> Path:
    """A file of the Hub: from the cache where it is there, else fetched. An `optional` one may be missing."""
    try:
        from huggingface_hub import hf_hub_download, try_to_load_from_cache
    except ImportError as error:
        raise needs_extra(published, "hf", "transformers") from error
    try:
        cached = try_to_load_from_cache(published.name, name, revision=revision)
        if isinstance(cached, str):
            return Path(cached)
        if cached is not None:  # known not to be there
            return Path(name) / "missing"
        with _without_retries_said():
            return Path(hf_hub_download(published.name, name, revision=revision))
    except Exception as error:  # the Hub's errors, its client's and the system's share no class
        # A cache that was carried along does not say which files there never were.
        if optional:
            return Path(name) / "missing"
        raise not_fetched(published, name, error) from error


@contextlib.contextmanager
def _without_retries_said() -> Iterator[None]:
    """Within the block the Hub's client does not say each time it tries again: our line says how it ended."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise PublishedError(
                f"{path}: more than {LARGEST} bytes, too large for a settings file"
            )
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, PublishedError):
            raise
        raise PublishedError(f"{path}: not valid JSON ({' '.join(str(error).split())})") from error
    if not isinstance(content, Mapping):
        raise PublishedError(f"{path}: is not a mapping of settings")
    return content
