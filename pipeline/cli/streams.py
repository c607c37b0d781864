"""Standard streams that are closed."""

from __future__ import annotations

import os
import sys


def open_closed_streams() -> None:
    """Point standard streams that are closed (`2>&-`) at the null device.

    Otherwise the next file that is opened takes the free number, and what a library says on its
    standard error lands in it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)  # the workers are no better off
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115  # for good
