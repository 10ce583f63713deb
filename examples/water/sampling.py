# SPDX-License-Identifier: BSD-3-Clause
"""Trajectories for the reference data: classical SPC/Fw, our LAMMPS pair style, our i-PI driver.

Each function runs in its own folder, leaves its log there and returns frames (O, H, H order,
unwrapped positions in Å, cell of the start frame). They raise RuntimeError naming the log file
when the program fails.
"""

from __future__ import annotations

import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import iread

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent  # lmp, i-pi and soap-gpr of this environment
MASSES = {"O": 15.999, "H": 1.008}
TYPES = {"O": 1, "H": 2}


def write_data(path: Path, atoms: Atoms, *, charges: dict | None = None) -> None:
    """LAMMPS data file of a cubic box: atom_style atomic, or full with bonds if given charges."""
    n, full = len(atoms), charges is not None
    lines = ["water", "", f"{n} atoms", "2 atom types"]
    if full:
        lines += [f"{2 * n // 3} bonds", f"{n // 3} angles", "1 bond types", "1 angle types"]
    for axis, length in zip("xyz", atoms.cell.lengths(), strict=True):
        lines.append(f"0 {length:.8f} {axis}lo {axis}hi")
    lines += ["", "Masses", "", *(f"{TYPES[s]} {m}  # {s}" for s, m in MASSES.items())]
    lines += ["", f"Atoms # {'full' if full else 'atomic'}", ""]
    # molecules stay whole: image flags would be wrong for bonds, LAMMPS wraps positions itself
    for i, (symbol, r) in enumerate(zip(atoms.symbols, atoms.positions, strict=True)):
        middle = f"{i // 3 + 1} {TYPES[symbol]} {charges[symbol]}" if full else f"{TYPES[symbol]}"
        lines.append(f"{i + 1} {middle} {r[0]:.8f} {r[1]:.8f} {r[2]:.8f}")
    if full:
        lines += ["", "Bonds", ""]
        lines += [f"{k + 1} 1 {k // 2 * 3 + 1} {k // 2 * 3 + 2 + k % 2}" for k in range(2 * n // 3)]
        lines += ["", "Angles", ""]
        lines += [f"{k + 1} 1 {3 * k + 2} {3 * k + 1} {3 * k + 3}" for k in range(n // 3)]
    path.write_text("\n".join(lines) + "\n")


def whole(atoms: Atoms) -> Atoms:
    """The frame with each hydrogen at the image nearest to its molecule's oxygen."""
    copy = atoms.copy()
    x = copy.positions.reshape(-1, 3, 3)
    length = copy.cell.lengths()
    x[:, 1:] -= length * np.round((x[:, 1:] - x[:, :1]) / length)
    copy.positions = x.reshape(-1, 3)
    return copy


def _run(command: Sequence[str], folder: Path, log: str) -> None:
    with open(folder / log, "w") as stream:
        code = subprocess.run(command, cwd=folder, stdout=stream, stderr=stream).returncode
    if code:
        raise RuntimeError(f"{command[0]} ended with code {code}; see {folder / log}")


def _lammps(folder: Path, script: Path, variables: dict, start: Atoms) -> list[Atoms]:
    command = [str(BIN / "lmp"), "-in", str(script), "-log", "log.lammps"]
    for name, value in variables.items():
        command += ["-var", name, str(value)]
    _run(command, folder, "screen.txt")
    frames = []
    for dumped in iread(folder / variables["dump"], index=":", format="lammps-dump-text"):
        frames.append(Atoms(start.symbols, dumped.positions, cell=start.cell, pbc=True))
    return frames


def classical_water(
    folder: Path, start: Atoms, *, temperature: float, seed: int, steps: int, every: int
) -> list[Atoms]:
    """SPC/Fw NVT with LAMMPS (0.5 fs steps after 5 ps of equilibration)."""
    write_data(folder / "start.data", start, charges={"O": -0.82, "H": 0.41})
    variables = {"data": "start.data", "temperature": temperature, "seed": seed}
    variables |= {"steps": steps, "every": every, "dump": "frames.dump"}
    return _lammps(folder, HERE / "spcfw.in", variables, start)


def lammps_nvt(
    folder: Path,
    start: Atoms,
    model: Path,
    *,
    temperature: float,
    seed: int,
    steps: int,
    every: int,
) -> list[Atoms]:
    """NVT with `pair_style soap/gpr` through nvt.in, the script the demo uses."""
    write_data(folder / "start.data", start)
    variables = {"data": "start.data", "model": model.resolve(), "temperature": temperature}
    variables |= {"seed": seed, "steps": steps, "every": every, "dump": "frames.dump"}
    return _lammps(folder, HERE / "nvt.in", variables, start)


def _pimd_input(name: str, *, temperature: float, seed: int, steps: int, every: int, beads: int):
    """pimd.xml with the numbers of this run put in."""
    tree = ElementTree.parse(HERE / "pimd.xml")
    root = tree.getroot()
    root.find("ffsocket/address").text = name
    root.find("total_steps").text = str(steps)
    root.find("prng/seed").text = str(seed)
    root.find("system/initialize").set("nbeads", str(beads))
    root.find("system/initialize/velocities").text = str(temperature)
    root.find("system/ensemble/temperature").text = str(temperature)
    for trajectory in root.findall("output/trajectory"):
        trajectory.set("stride", str(every))
    return tree


def ipi_pimd(
    folder: Path,
    start: Atoms,
    model: Path,
    *,
    temperature: float,
    seed: int,
    steps: int,
    every: int,
    beads: int,
) -> list[Atoms]:
    """Beads from path-integral MD: i-PI with `soap-gpr drive` over a UNIX socket.

    Consecutive output times give different beads (0, 1, 2, ...), one frame per output time.
    """
    name = f"water-{folder.name}"
    tree = _pimd_input(
        name, temperature=temperature, seed=seed, steps=steps, every=every, beads=beads
    )
    tree.write(folder / "input.xml")
    write_ipi_start(folder / "start.xyz", start)
    with open(folder / "ipi.txt", "w") as server_log, open(folder / "drive.txt", "w") as client_log:
        server = subprocess.Popen(
            [str(BIN / "i-pi"), "input.xml"], cwd=folder, stdout=server_log, stderr=server_log
        )
        client = None
        try:
            socket = Path(f"/tmp/ipi_{name}")
            while not socket.exists() and server.poll() is None:
                time.sleep(0.2)
            drive = [str(BIN / "soap-gpr"), "drive", str(model.resolve())]
            drive += ["--template", "start.xyz", "--unix", name]
            client = subprocess.Popen(drive, cwd=folder, stdout=client_log, stderr=client_log)
            while server.poll() is None:
                if client.poll():
                    raise RuntimeError(f"soap-gpr drive failed; see {folder / 'drive.txt'}")
                time.sleep(0.5)
        finally:
            for process in (client, server):
                if process is not None and process.poll() is None:
                    process.terminate()
    if server.returncode:
        raise RuntimeError(f"i-pi ended with code {server.returncode}; see {folder / 'ipi.txt'}")
    files = sorted(folder.glob("pimd.positions_*.xyz"))
    beads_read = [list(iread(file, index=":", format="xyz")) for file in files]
    return [
        Atoms(start.symbols, beads_read[k % beads][k].positions, cell=start.cell, pbc=True)
        for k in range(1, len(beads_read[0]))
    ]


def write_ipi_start(path: Path, atoms: Atoms) -> None:
    """i-PI's xyz: the cell and the units live in the comment line."""
    lengths = " ".join(f"{x:.8f}" for x in atoms.cell.lengths())
    lines = [
        str(len(atoms)),
        f"# CELL(abcABC): {lengths} 90 90 90 positions{{angstrom}} cell{{angstrom}}",
    ]
    lines += [
        f"{s} {r[0]:.8f} {r[1]:.8f} {r[2]:.8f}"
        for s, r in zip(atoms.symbols, atoms.positions, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
