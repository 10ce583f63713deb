# SPDX-License-Identifier: BSD-3-Clause
"""The demo's LAMMPS runs: nvt.in and nve.in on two MPI ranks, and what they wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path

import numpy as np
from demo_process import DemoError, Progress, last_step, require_progress, run

HERE = Path(__file__).resolve().parent
RANKS = 2


@dataclass(frozen=True)
class LammpsRun:
    """Thermo output of a run, with its speed."""

    thermo: dict[str, np.ndarray]  # column name -> (n_lines,), in LAMMPS' metal units
    steps: int
    atoms: int
    seconds: float
    ranks: int
    version: str

    @property
    def time(self) -> np.ndarray:
        """(n_lines,) ps."""
        return self.thermo["Time"]

    @property
    def microseconds(self) -> float:
        """Wall time per atom and step."""
        return 1e6 * self.seconds / (self.steps * self.atoms)


def lammps_command(script: str, folder: Path, variables: Mapping[str, object]) -> list[str]:
    """The command line, to be run in ``folder``."""
    command = ["mpiexec", "-n", str(RANKS), "lmp", "-in", relpath(HERE / script, folder)]
    command += ["-log", "none"]
    for name, value in variables.items():
        command += ["-var", name, str(value)]
    return command


def run_lammps(
    command: list[str], folder: Path, log: str, steps: int, progress: Progress
) -> LammpsRun:
    """Run and read the log. DemoError when LAMMPS fails or its time limit left too little."""
    run(command, folder, log, progress, lambda: last_step(folder / log) / steps)
    result = read_log(folder / log)
    require_progress("LAMMPS", result.steps, steps)
    return result


def read_log(path: Path) -> LammpsRun:
    """Thermo lines, loop time and version from what LAMMPS printed."""
    text = path.read_text()
    version = re.search(r"^LAMMPS \((.*?)\)", text, re.MULTILINE)
    loop = re.search(
        r"^Loop time of (\S+) on (\d+) procs for (\d+) steps with (\d+) atoms", text, re.MULTILINE
    )
    if loop is None:
        raise DemoError(f"{path} has no line 'Loop time of ...'; expected a finished LAMMPS run")
    lines = text[: loop.start()].splitlines()
    head = max(k for k, line in enumerate(lines) if line.split()[:1] == ["Step"])
    names = lines[head].split()
    rows = [line.split() for line in lines[head + 1 :]]
    table = np.array([row for row in rows if len(row) == len(names)], dtype=float)
    return LammpsRun(
        thermo=dict(zip(names, table.T, strict=True)),
        steps=int(loop[3]),
        atoms=int(loop[4]),
        seconds=float(loop[1]),
        ranks=int(loop[2]),
        version=version[1] if version else "unknown",
    )


def read_dump(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Types (N,), unwrapped positions (n_frames, N, 3) and box edges (3,) in Å.

    The dump is that of nvt.in: columns id type xu yu zu sorted by id, an orthogonal box.
    """
    lines = path.read_text().splitlines()
    n_atoms = int(lines[3])
    box = np.array([line.split() for line in lines[5:8]], dtype=float)
    stride = n_atoms + 9
    rows = [
        line
        for begin in range(0, len(lines) - stride + 1, stride)
        for line in lines[begin + 9 : begin + stride]
    ]
    table = np.array(" ".join(rows).split(), dtype=float).reshape(-1, n_atoms, 5)
    return table[0, :, 1].astype(int), table[:, :, 2:], box[:, 1] - box[:, 0]
