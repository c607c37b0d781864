"""Does a finished run show the truth after its inputs, its settings or its files were changed?

The rule: what a command shows equals what a run from scratch in an empty folder, with the settings
and inputs of this moment, would show. Training aside, which is never discarded without being asked.

One test is one change. It is made to a finished run of a few seconds (`world.py`), then `status`, `run`
and, where it is asked for, `run --force` are called, and all results are compared, byte for byte, with
those of a run from scratch (`machine.py`). Then the change is undone and the run has to come back.

What a change has to lead to is data: a `Change` in one of the lists `changes_*.py`.

    outcome   same      `run` brings everything up to date, and trains nothing
              trains    `run` trains without a flag: there is no training to lose
              stops     `run` ends with a line that names --force and what differs, and touches nothing;
                        `run --force` trains; with the change undone the old training is taken back
              refused   one line of error, here and from scratch, and nothing is touched
              safe      any of these, but no training is lost and what is advised leads out
    first     the stages that the change itself makes stale; those after them may follow
    videos    the videos whose files may be written again; None for all of them
    says      words that `status`, and the line of a stop, must hold

To add a change, write it into the list it belongs to. `make test` takes those of `QUICK`; all are
run by `make test-slow`. Random pairs of changes are in `test_pairs.py`.
"""
