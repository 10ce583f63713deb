# SPDX-License-Identifier: BSD-3-Clause
"""The demo's path integrals: i-PI, and two ``soap-gpr drive`` clients on its UNIX socket."""

from __future__ import annotations

import os
import re
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from demo_process import DemoError, Programs, Progress, last_step

HERE = Path(__file__).resolve().parent
SOCKETS = "/tmp/ipi_"  # i-PI's sockets_prefix
CLIENTS = 2
START_LIMIT = 60.0  # seconds for i-PI to open its socket


@dataclass(frozen=True)
class IpiRun:
    """Properties and beads that i-PI wrote."""

    properties: dict[str, np.ndarray]  # column name -> (n_lines,), in the units of pimd.xml
    frames: np.ndarray  # (n_frames, n_beads, N, 3) Å, unwrapped
    symbols: list[str]
    seconds: float  # wall time of the dynamics

    @property
    def steps(self) -> int:
        """Steps done."""
        return int(self.properties["step"][-1])

    @property
    def microseconds(self) -> float:
        """Wall time per atom, bead and step."""
        _, beads, atoms, _ = self.frames.shape
        return 1e6 * self.seconds / (self.steps * beads * atoms)


def write_start(path: Path, symbols: list[str], positions: np.ndarray, lengths: np.ndarray) -> None:
    """Start structure as i-PI reads it: cell and units live in the comment line; Å."""
    cell = " ".join(f"{x:.8f}" for x in lengths)
    comment = f"# CELL(abcABC): {cell} 90 90 90 positions{{angstrom}} cell{{angstrom}}"
    rows = (
        f"{symbol} {x:.8f} {y:.8f} {z:.8f}"
        for symbol, (x, y, z) in zip(symbols, positions, strict=True)
    )
    path.write_text("\n".join([str(len(symbols)), comment, *rows]) + "\n")


def write_input(
    path: Path, *, steps: int, stride: int, start: str, limit: float, beads: int | None = None
) -> None:
    """pimd.xml with the lengths of this run; the socket's name is set when it starts."""
    tree = ElementTree.parse(HERE / "pimd.xml")
    root = tree.getroot()
    _only(root, "total_steps").text = str(steps)
    _only(root, "system/initialize/file").text = start
    if beads is not None:
        _only(root, "system/initialize").set("nbeads", str(beads))
    for output in root.findall("output/*"):
        output.set("stride", str(stride))
    total_time = ElementTree.Element("total_time")  # i-PI stops in good order after so many seconds
    total_time.text = f"{limit:.0f}"
    total_time.tail = "\n  "
    root.insert(1, total_time)
    tree.write(path)


def run_ipi(folder: Path, source: str, model: str, start: str, progress: Progress) -> float:
    """Run i-PI with its clients; returns the wall seconds of the dynamics.

    Raises DemoError when i-PI or a client fails; the socket is removed and both are ended.
    """
    name = f"soap-gpr-demo-{os.getpid()}"
    tree = ElementTree.parse(folder / source)
    steps = int(_only(tree.getroot(), "total_steps").text or 0)
    _only(tree.getroot(), "ffsocket/address").text = name
    ran = f"{Path(source).stem}.run.xml"
    tree.write(folder / ran)
    socket = Path(SOCKETS + name)
    for old in folder.glob("pimd.positions_*"):
        old.unlink()
    try:
        with Programs(folder) as programs:
            server = programs.start(["i-pi", ran], "i-pi.log")
            while not socket.exists():
                if server.poll() is not None or progress.seconds > START_LIMIT:
                    break
                time.sleep(0.1)
            for k in range(CLIENTS):
                drive = ["soap-gpr", "drive", model, "--template", start, "--unix", name]
                programs.start(drive, f"drive_{k + 1}.log")
            began = time.monotonic()
            programs.wait(server, progress, lambda: last_step(folder / "pimd.out") / steps)
            return time.monotonic() - began
    finally:
        socket.unlink(missing_ok=True)


def commands(source: str, model: str, start: str) -> list[str]:
    """What to type instead of run_ipi, in the demo's folder."""
    return [
        f"i-pi {source} &",
        f"soap-gpr drive {model} --template {start} --unix water &",
        f"soap-gpr drive {model} --template {start} --unix water",
    ]


def read_run(folder: Path, seconds: float) -> IpiRun:
    """What i-PI wrote with the prefix ``pimd``."""
    properties = read_properties(folder / "pimd.out")
    files = sorted(folder.glob("pimd.positions_*.xyz"))
    if not files:
        raise DemoError(f"{folder} holds no pimd.positions_*.xyz; expected i-PI's trajectories")
    beads = [read_positions(file) for file in files]
    shortest = min(len(positions) for _, positions in beads)
    frames = np.stack([positions[:shortest] for _, positions in beads], axis=1)
    return IpiRun(properties, frames, beads[0][0], seconds)


def read_properties(path: Path) -> dict[str, np.ndarray]:
    """Columns of an i-PI property file, named without their units."""
    text = path.read_text()
    names = re.findall(r"^#\s*column\s+\d+\s+--> (\w+)", text, re.MULTILINE)
    table = np.loadtxt(text.splitlines(), ndmin=2)
    return dict(zip(names, table.T, strict=True))


def read_positions(path: Path) -> tuple[list[str], np.ndarray]:
    """Symbols and positions (n_frames, N, 3) of an xyz trajectory whose frames have equal size."""
    lines = path.read_text().splitlines()
    stride = int(lines[0]) + 2
    words = [line.split() for k, line in enumerate(lines) if k % stride > 1]
    whole = len(lines) // stride * (stride - 2)
    positions = np.array([row[1:4] for row in words[:whole]], dtype=float)
    return [row[0] for row in words[: stride - 2]], positions.reshape(-1, stride - 2, 3)


def _only(root: ElementTree.Element, path: str) -> ElementTree.Element:
    found = root.find(path)
    if found is None:
        raise DemoError(f"pimd.xml has no <{path.replace('/', '><')}>; expected the demo's input")
    return found
