# SPDX-License-Identifier: BSD-3-Clause
"""Programs of this environment, run together in one folder. None is left behind."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

POLL = 0.05  # seconds between two looks at running programs
GRACE = 30.0  # seconds that a program has to end by itself when it is asked to
_BIN = Path(sys.executable).parent
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1  # of Linux's sys/prctl.h


def find_program(name: str) -> str | None:
    """The path of a program beside this Python or on PATH."""
    return shutil.which(name, path=_path())


def run_together(commands: Mapping[Path, Sequence[str]]) -> dict[Path, int]:
    """Run programs, each in the folder of its log, until the first of them has ended, or any other
    has failed; all others are ended then.

    Returns the exit codes of those that ended by themselves by their logs, as ``subprocess`` has
    them.
    """
    with ExitStack() as stack:
        running = {log: stack.enter_context(_started(own, log)) for log, own in commands.items()}
        first = next(iter(running.values()))
        while first.poll() is None and not any(own.poll() for own in running.values()):
            time.sleep(POLL)
        return {log: own.returncode for log, own in running.items() if own.poll() is not None}


def reason(log: Path) -> str:
    """The line of a log that says best why a program failed."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    if any(line.startswith("Traceback") for line in lines):
        return lines[-1]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it wrote nothing"])[-1]


@contextmanager
def _started(command: Sequence[str], log: Path):
    """A program, ended when the context is left, or killed with this process."""
    with log.open("w") as stream:
        process = subprocess.Popen(
            list(command),
            cwd=log.parent,
            env=os.environ | {"PATH": _path()},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,
        )
    try:
        yield process
    finally:
        process.terminate()  # nothing when it has ended
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _die_with_parent() -> None:
    """In the program before it begins: no run goes on alone after a kill -9 of this process."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _path() -> str:
    return f"{_BIN}{os.pathsep}{os.environ.get('PATH', '')}"
