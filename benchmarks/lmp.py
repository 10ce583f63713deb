# SPDX-License-Identifier: BSD-3-Clause
"""Runs of the lmp of this Python, one thread for each rank."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from common import THREAD_VARIABLES

LOOP = re.compile(r"Loop time of (\S+) on \d+ procs for (\d+) steps with (\d+) atoms")
CPU = re.compile(r"(\S+)% CPU use")


class Loop(NamedTuple):
    """What LAMMPS prints after a run."""

    seconds: float
    steps: int
    n_atoms: int
    cpu_percent: float


def last_loop(folder: Path, script: str, ranks: int | None = None) -> Loop:
    """The last of the runs of a script in a folder, without mpiexec where no ranks are given.

    Raises SystemExit with the end of LAMMPS' output when it fails.
    """
    (folder / "in.lammps").write_text(script)
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    environment.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    launcher = [] if ranks is None else ["mpiexec", "-n", str(ranks)]
    done = subprocess.run(
        [*launcher, "lmp", "-in", "in.lammps", "-log", "none", "-nocite"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    loops, cpu = LOOP.findall(done.stdout), CPU.findall(done.stdout)
    if done.returncode or not loops or len(loops) != len(cpu):
        raise SystemExit(f"lmp failed:\n{(done.stdout + done.stderr)[-2000:]}")
    seconds, steps, n_atoms = loops[-1]
    return Loop(float(seconds), int(steps), int(n_atoms), float(cpu[-1]))
