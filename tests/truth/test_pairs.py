"""Changes one after the other, drawn at random: whatever was before, a run shows the truth."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from truth import changes_files, changes_keys, changes_left_out, changes_table, changes_videos
from truth.looking import differences, error_of, files_of, models, same_weights, status, written
from truth.machine import Machine
from truth.world import make_base

PARTS = (changes_videos, changes_table, changes_keys, changes_left_out, changes_files)
# Those that can be made whatever was made before.
DRAWN = {
    change.name: change
    for part in PARTS
    for change in part.CHANGES
    if change.scratch == "now"
    and change.base == "plain"
    and not change.name.endswith(("by file", "unseen", "renamed", "a folder"))
    and "remuxed to mkv" not in change.name
}
MACHINE: list[Machine] = []  # the session's, for hypothesis makes its own instances


class Pairs(RuleBasedStateMachine):
    """A world that is changed again and again."""

    @initialize()
    def begins(self) -> None:
        self.machine, self.made = MACHINE[0], 0
        for base in ("plain", "other"):
            make_base(self.machine.world, base)
        self.machine.world.reset("plain")
        self.trained = set(models(self.machine.world.run).values())

    @rule(name=st.sampled_from(sorted(DRAWN)))
    def changes(self, name: str) -> None:
        """One change; one that needs what another took away is passed over."""
        try:
            DRAWN[name].apply(self.machine.world)
        except (OSError, ValueError, LookupError):
            return
        self.made += 1

    @rule()
    def undoes(self) -> None:
        self.machine.world.undo()
        self.made += 1

    @precondition(lambda self: self.made)
    @rule()
    def runs(self) -> None:
        world = self.machine.world
        self.made = 0
        before, stale = files_of(world.run), status(world)
        result = world.do("run")
        if result.exit_code and "--force" in error_of(result):
            assert files_of(world.run) == before, "something was touched before the refusal"
            result = world.do("run", "--force")
        scratch, whole = self.machine.scratch()
        if result.exit_code or whole.exit_code:
            assert result.exit_code and whole.exit_code, (result.output, whole.output)
            error_of(result)
            return
        assert not differences(world.run, scratch) and same_weights(world.run, scratch)
        changed = written(before, files_of(world.run))
        assert not changed or any(was.state != "complete" for was in stale.values()), changed
        assert all(was.state == "complete" for was in status(world).values())
        before = files_of(world.run)
        assert world.do("run").exit_code == 0 and files_of(world.run) == before

    def teardown(self) -> None:
        if getattr(self, "made", 0):
            self.runs()


def _run(machine: Machine, examples: int) -> None:
    MACHINE[:] = [machine]
    Pairs.TestCase.settings = settings(
        max_examples=examples,
        derandomize=examples < 10,
        stateful_step_count=6,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    Pairs.TestCase().runTest()


def test_a_few_pairs_of_changes(machine):
    _run(machine, 3)


@pytest.mark.slow
def test_pairs_of_changes(machine):
    _run(machine, 80)
