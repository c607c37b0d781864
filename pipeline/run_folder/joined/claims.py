"""Who makes which video: a file a claim, made exclusively, `.tada-work/claims/DIGEST.GENERATION`.

The highest generation holds. The claim of a dead member is taken over by the next generation: of two that
try, only one can create its file. A first generation is removed when it is released; a later one stays, released,
because it shows a process that was suspended that its claim is no longer its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.run_folder.joined.members import STALE_SECONDS, WORK, Member, write_new

CLAIMS = "claims"
_RELEASED = ""


@dataclass(frozen=True)
class Claim:
    """What a member has claimed; it may be passed to another process."""

    folder: Path
    name: str
    generation: int
    member: str

    def holds(self) -> bool:
        """Whether it is still the member's own: no other member has taken it over."""
        after = _path(self.folder, self.name, self.generation + 1)
        if after.exists():
            return False
        found = _read(_path(self.folder, self.name, self.generation))
        return found is not None and found[0] == self.member


class Claims:
    """The claims in a folder, as a member makes them."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.folder = member.folder / CLAIMS
        self.held: dict[str, Claim] = {}

    def take(self, name: str) -> Claim | None:
        """Claim it; None if a living member holds it. Raises UserError if the folder cannot be written."""
        top = 1
        while _path(self.folder, name, top + 1).exists():
            top += 1
        claim = self._create(name, 1) if top == 1 else None
        if claim is not None:
            # The one before may have been taken over just before it was released.
            if not _path(self.folder, name, 2).exists():
                return claim
            self.release(claim)
            return None
        found = _read(_path(self.folder, name, top))
        if found is None or not self._is_free(*found):
            return None
        claim = self._create(name, top + 1)
        if claim is not None:
            # Who held it may have released it and left since it was read; then it is another's, or nobody's.
            still = _read(_path(self.folder, name, top))
            if still is None or still[0] != found[0]:
                self._withdraw(claim)
                return None
        return claim

    def release(self, claim: Claim) -> None:
        """Release it; the output is in place, and recorded."""
        self.held.pop(claim.name, None)
        path = _path(self.folder, claim.name, claim.generation)
        with contextlib.suppress(OSError):
            found = _read(path)
            if found is None or found[0] != claim.member:
                return
            if claim.generation == 1:
                path.unlink(missing_ok=True)
            else:
                path.write_text(_text(_RELEASED, claim.name), encoding="utf-8")

    def _withdraw(self, claim: Claim) -> None:
        """Remove it as if it had never been made: a released one would mean that earlier generations no longer hold."""
        self.held.pop(claim.name, None)
        with contextlib.suppress(OSError):
            _path(self.folder, claim.name, claim.generation).unlink(missing_ok=True)

    def release_all(self) -> None:
        """Release what is still held."""
        for claim in list(self.held.values()):
            self.release(claim)

    def clear(self) -> None:
        """Remove the claims of all others, which have ended."""
        own = {_path(claim.folder, claim.name, claim.generation) for claim in self.held.values()}
        # Of this member's claims, those that show others that they are too late are kept.
        held = {path.stem for path in own}
        with contextlib.suppress(OSError):
            for path in list(self.folder.iterdir()):
                if path.stem not in held:
                    path.unlink(missing_ok=True)

    def _is_free(self, member: str | None, seen: float) -> bool:
        """Whether a claim no longer holds; None: its maker had not written its name yet."""
        if member is None:
            return self.member.age(seen) > STALE_SECONDS
        return member == _RELEASED or self.member.is_gone(member, seen)

    def _create(self, name: str, generation: int) -> Claim | None:
        content = _text(self.member.id, name).encode()
        try:
            write_new(_path(self.folder, name, generation), content, os.O_EXCL)
        except FileExistsError:
            return None
        claim = Claim(self.folder, name, generation, self.member.id)
        self.held[name] = claim
        return claim


def holders(folder: Path) -> Iterator[tuple[str, str]]:
    """Of each claim in a stage's folder that is held: its name, and the member's id."""
    try:
        paths = sorted((folder / WORK / CLAIMS).iterdir())
    except OSError:
        return
    tops: dict[str, tuple[int, Path]] = {}
    for path in paths:
        digest, _, number = path.name.partition(".")
        if number.isdigit():
            tops[digest] = max(tops.get(digest, (0, path)), (int(number), path))
    for _, path in tops.values():
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["member"]:
                yield str(content["name"]), str(content["member"])


def _text(member: str, name: str) -> str:
    return json.dumps({"member": member, "name": name}) + "\n"


def _path(folder: Path, name: str, generation: int) -> Path:
    """By a digest: a name may be long, or differ from another by its case alone."""
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:32]
    return folder / f"{digest}.{generation}"


def _read(path: Path) -> tuple[str | None, float] | None:
    """The member that made a claim, and when; None if there is none."""
    try:
        seen = path.stat().st_mtime
        text = path.read_text(encoding="utf-8")
    except OSError:
        return None
    try:
        return str(json.loads(text)["member"]), seen
    except (ValueError, KeyError, TypeError):
        return None, seen
