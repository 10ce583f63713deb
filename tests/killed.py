# SPDX-License-Identifier: BSD-3-Clause
"""Loops in a process of their own that kills itself: as kill -9 does, at the n-th file written."""

import contextlib
import multiprocessing
import os
import signal
import tempfile
from multiprocessing import forkserver
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
# What every process begins with, imported once.
_SERVER.set_forkserver_preload(
    ["ase.calculators.emt", "potential.active_learning.loop", "potential.cli.learn", "pytest"]
)


def learn(path, *, before=0, after=0):
    """Run a loop; returns its exit code, or -9 where it was killed before or after it had put the
    n-th file in its place."""
    with contextlib.chdir(tempfile.gettempdir()):  # in a checkout it would find sources alone
        forkserver.ensure_running()
    process = _SERVER.Process(target=_learn, args=(path, before, after))
    process.start()
    process.join()
    return process.exitcode


def _learn(path, before, after):
    import pytest

    from potential.active_learning import loop
    from potential.cli import main

    patch = pytest.MonkeyPatch()
    patch.setattr(loop, "write_report", lambda *about: None)
    written, replace = 0, Path.replace

    def counted(self, target):
        nonlocal written
        written += 1
        if written == before:
            os.kill(os.getpid(), signal.SIGKILL)
        found = replace(self, target)
        if written == after:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    patch.setattr(Path, "replace", counted)
    raise SystemExit(main(["learn", path]))
