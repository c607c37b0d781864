"""Makes one change to a finished run, and checks that everything shown afterwards is the truth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from truth.change import AFTER, READS, Change
from truth.looking import (
    MODELS,
    PER_VIDEO,
    TRAINED,
    TRAININGS,
    Files,
    Said,
    differences,
    error_of,
    files_of,
    follow,
    follow_status,
    models,
    same_weights,
    stage_of,
    stages_of,
    status,
    written,
)
from truth.world import World, make_base


class Machine:
    """A world, and the runs from scratch that were made for it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._scratch: dict[str, tuple[Path, Any]] = {}

    def check(self, change: Change) -> None:
        """Make the change to a fresh finished run, and check all it leads to."""
        world = self.world
        for base in {change.base, "plain", "other"}:  # files of another run are put in
            make_base(world, base)
        world.reset(change.base)
        change.apply(world)
        Check(self, change).all()

    def scratch(self) -> tuple[Path, Any]:
        """A run from scratch with the inputs and settings of this moment, and what it said."""
        world, key = self.world, self.world.key()
        if key not in self._scratch:
            run = world.root / "scratch" / str(len(self._scratch))
            self._scratch[key] = run, world.run_from_scratch(run)
        return self._scratch[key]


class Check:
    """One change that was made, and what is checked of it."""

    def __init__(self, machine: Machine, change: Change) -> None:
        self.machine, self.world, self.change = machine, machine.world, change
        self.base = self.world.template(change.base) / "run"
        self.wrong: list[str] = []

    def all(self) -> None:
        before, lost = files_of(self.world.run), models(self.world.run)
        notes = self.notes()
        said = status(self.world)
        self.says_why(said)
        follow_status(self.world, said)
        result = self.world.do("run")
        if result.exit_code:
            self.refused(before, result, said)
        else:
            self.went(before, result, said)
        self.that(self.notes() == notes, f"of the user's {notes} there are {self.notes()}")
        kept = set(models(self.world.run).values())
        if not self.change.on_run or self.change.outcome == "safe":
            self.that(set(lost.values()) <= kept, "a training was lost")
        assert not self.wrong, "\n".join([self.change.name, *map(str, self.wrong), result.output])

    def notes(self) -> list[str]:
        """The user's own files below the run folder, wherever a stage's folder was moved to."""
        return sorted(path.name for path in self.world.run.rglob("notes.*"))

    def that(self, true: object, otherwise: str) -> None:
        if not true:
            self.wrong.append(otherwise)

    def says_why(self, said: dict[str, Said]) -> None:
        for stage, was in said.items():
            if was.state in {"stale", "partial"}:
                self.that(was.why, f"status: no reason of {stage}, {was}")
        for stage in self.change.first:
            was = said[stage]
            self.that(was.state != "complete", f"status says {stage} is complete")
            for word in self.change.says if was.state != "missing" else ():
                self.that(
                    word in was.why, f"status: {word!r} is not in the reason of {stage}: {was}"
                )

    def went(self, before: Files, result: Any, said: dict[str, Said]) -> None:
        """`run` came to its end."""
        expected = self.change.outcome
        trained = set(TRAINED.findall(result.output))
        self.that(expected in {"same", "trains", "safe"}, f"was not {expected}")
        if expected == "same":
            self.that(not trained, f"trained {trained}")
        if expected == "trains":
            wanted = set(self.change.first) & set(TRAININGS)
            self.that(trained == wanted, f"trained {trained}, not {wanted}")
        self.redone(before, said)
        self.true()
        if not self.change.on_run and not self.change.brief:
            self.comes_back()

    def refused(self, before: Files, result: Any, said: dict[str, Said]) -> None:
        """`run` ended with an error."""
        line = error_of(result)
        self.that(self.change.outcome in {"stops", "refused", "safe"}, f"was refused: {line}")
        after = files_of(self.world.run)
        whole = self.change.outcome != "refused"
        for name in before if whole else MODELS:
            self.that(before[name] == after.get(name), f"{name} was touched before the refusal")
        follow(self.world, ("run",), line)
        for word in self.change.says:
            self.that(word in line, f"{word!r} is not in the line: {line}")
        forced = "--force" in line
        if self.change.outcome == "refused":
            self.that(self.machine.scratch()[1].exit_code, "from scratch it is not refused")
            self.never_lost(before)
        if self.change.outcome == "stops":
            self.that(forced, f"--force is not in the line: {line}")
            self.that(
                re.search(r"\d (h|min|s)\b|hour|minute", line), f"no time is in the line: {line}"
            )
        if self.change.brief:
            return
        with self.world.on_a_copy():
            self.comes_back()
        if forced and self.change.outcome != "refused":
            self.forced(before, said)

    def never_lost(self, before: Files) -> None:
        """Also with --force, inputs that cannot be used cost nothing."""
        with self.world.on_a_copy():
            before = files_of(self.world.run)
            error_of(self.world.do("run", "--force"))
            after = files_of(self.world.run)
            for model in MODELS:
                self.that(after.get(model) == before.get(model), f"--force touched {model}")

    def forced(self, before: Files, said: dict[str, Said]) -> None:
        result = self.world.do("run", "--force")
        if result.exit_code:
            self.wrong.append(f"--force was refused: {result.output}")
            return
        trains = set(self.change.first) & set(TRAININGS)  # features may come out as they were
        self.that(not trains or TRAINED.search(result.output), "--force trained nothing")
        self.redone(before, said)
        self.true()
        if not self.change.on_run:
            self.comes_back()

    def redone(self, before: Files, said: dict[str, Said]) -> None:
        """What was written again is what `status` said, and nothing else."""
        after = files_of(self.world.run)
        new = written(before, after)
        stages, stale = stages_of(new), {s for s, was in said.items() if was.state != "complete"}
        self.that(stages <= stale, f"redone {stages - stale}, which status called complete")
        for stage in stale - stages:
            follows = any(stage in AFTER[other] for other in stale - {stage})
            recorded = stage in self.change.may  # nothing but its record is new
            self.that(follows or recorded, f"status called {stage} stale, and it was not redone")
        self.that(set(self.change.first) <= stages, f"redone {stages}, not {self.change.first}")
        for stage in stages - set(self.change.first) - set(self.change.may):
            fed = [name for name in new if name.startswith(READS[stage])] if READS[stage] else []
            changed = [n for n in fed if n not in before or before[n].content != after[n].content]
            taken = stage == "proposals" and "bmn" in stages  # moved aside with the network
            self.that(changed or taken, f"{stage} was redone, and nothing it reads had changed")
        self.only_videos(new)

    def only_videos(self, new: set[str]) -> None:
        if self.change.videos is None or self.change.outcome in {"stops", "safe"}:
            return
        for name in new:
            if name.startswith(PER_VIDEO):
                video = Path(name).stem
                known = video in self.change.videos
                self.that(known, f"{name} was made again, {stage_of(name)} is not about {video}")

    def true(self) -> None:
        """All results are those of a run from scratch, `status` agrees, a second run does nothing."""
        scratch, result = self.machine.scratch()
        if self.change.scratch == "base" or self.change.on_run:
            scratch = self.base
        elif result.exit_code:
            self.wrong.append(f"from scratch it is refused: {result.output[-500:]}")
            return
        self.wrong += differences(self.world.run, scratch)
        self.that(same_weights(self.world.run, scratch), "the trained networks differ")
        if self.change.must_differ:
            self.that(differences(scratch, self.base), "this change makes no difference")
        for stage, was in status(self.world).items():
            self.that(was.state == "complete", f"status after run: {stage} {was}")
        before = files_of(self.world.run)
        result = self.world.do("run")
        self.that(result.exit_code == 0, f"a second run: {result.output}")
        again = written(before, files_of(self.world.run))
        self.that(not again, f"a second run wrote {again}")

    def comes_back(self) -> None:
        """With the change undone the finished run is there again, and nothing is trained for it."""
        if self.change.on_run:
            self.world.put_back()
        else:
            self.world.undo()
        result = self.world.do("run")
        self.that(result.exit_code == 0, f"undone: {result.output}")
        self.that(not TRAINED.search(result.output), f"undone, it trained: {result.output}")
        if result.exit_code:
            return
        left = differences(self.world.run, self.base, MODELS)
        self.wrong += [f"undone: {what}" for what in left]
        for stage, was in status(self.world).items():
            self.that(was.state == "complete", f"status after undoing: {stage} {was}")
