# SPDX-License-Identifier: BSD-3-Clause
"""Long runs of a water model: 50 ps of LAMMPS at 300 K and 2 ps of path integrals with 16 beads.

    python examples/water/check_stability.py demo/water.sgpr

Water stays water when every hydrogen keeps its oxygen. Prints what was found as a table and as
JSON; exit code 1 when a molecule broke. About ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from os.path import relpath
from pathlib import Path

import demo_ipi as ipi
import demo_lammps as lammps
import numpy as np
from demo_analysis import bond_lengths, nearest_oxygen
from demo_process import DemoError, Progress
from run_demo import ELEMENTS, HERE, MODEL, START

BROKEN = 1.6  # Å; two hydrogen-bonded oxygens are 2.5 Å or more apart
LIMIT = 3600  # seconds


def judge(frames: np.ndarray, symbols: np.ndarray, lengths: np.ndarray) -> dict[str, float]:
    """O-H bonds in frames (n_frames, n_beads, N, 3), Å. A hydrogen of which some bead visits
    another oxygen for a moment is shared, not lost: what counts is where its centroid ends."""
    oxygen, hydrogen = (np.flatnonzero(symbols == element) for element in "OH")
    distance = bond_lengths(frames, lengths, oxygen, hydrogen)
    centroids = frames[[0, -1]].mean(axis=1)
    first, last = nearest_oxygen(centroids, lengths, oxygen, hydrogen)[0]
    moved = int(np.count_nonzero(first != last))
    return {
        "longest O-H bond, Å": float(distance.max()),
        "shortest O-H bond, Å": float(distance.min()),
        "hydrogens that changed their oxygen": moved,
        "broken": bool(distance.max() > BROKEN or moved),
    }


def classical(folder: Path, picoseconds: float) -> tuple[dict, np.ndarray, np.ndarray, list[str]]:
    """LAMMPS NVT on two ranks: findings, last positions, box edges, symbols."""
    steps = round(picoseconds / 0.0005)
    variables = {
        "model": MODEL,
        "data": relpath(HERE / "start.data", folder),
        "dump": "nvt.dump",
        "restart": "nvt.data",
        "steps": steps,
        "every": 100,
        "limit": LIMIT,
    }
    command = lammps.lammps_command("nvt.in", folder, variables)
    result = lammps.run_lammps(command, folder, "nvt.log", steps, Progress())
    types, positions, lengths = lammps.read_dump(folder / "nvt.dump")
    symbols = [ELEMENTS[int(kind)] for kind in types]
    settled = len(result.time) // 4
    potential = result.thermo["PotEng"][settled:] / result.atoms * 1e3
    findings = {
        "length, ps": float(result.time[-1]),
        "temperature, K": float(result.thermo["Temp"][settled:].mean()),
        "potential energy, slope in meV/atom/ps": float(
            np.polyfit(result.time[settled:], potential, 1)[0]
        ),
    }
    findings |= judge(positions[:, None], np.array(symbols), lengths)
    return findings, positions[-1], lengths, symbols


def quantum(folder: Path, picoseconds: float, beads: int, start: tuple) -> dict:
    """i-PI path integrals from the last classical frame: findings."""
    positions, lengths, symbols = start
    ipi.write_start(folder / START, symbols, positions, lengths)
    steps = round(picoseconds / 0.00025)
    ipi.write_input(
        folder / "pimd.xml", steps=steps, stride=10, start=START, limit=LIMIT, beads=beads
    )
    wall = ipi.run_ipi(folder, "pimd.xml", MODEL, START, Progress())
    result = ipi.read_run(folder, wall)
    conserved = result.properties["conserved"] / len(symbols) * 1e3
    findings = {
        "length, ps": float(result.properties["time"][-1]),
        "beads": beads,
        "temperature, K": float(result.properties["temperature"].mean()),
        "conserved energy, slope in meV/atom/ps": float(
            np.polyfit(result.properties["time"], conserved, 1)[0]
        ),
    }
    return findings | judge(result.frames, np.array(result.symbols), lengths)


def main() -> int:
    """Exit code 0 when water stayed water, 1 when not or when a run failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model file (*.sgpr)")
    parser.add_argument("--folder", type=Path, default=Path("stability"))
    parser.add_argument("--classical", type=float, default=50.0, metavar="PS")
    parser.add_argument("--quantum", type=float, default=2.0, metavar="PS")
    parser.add_argument("--beads", type=int, default=16)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    folder = args.folder.resolve()
    try:
        shutil.copyfile(args.model, folder / MODEL)
        found, *start = classical(folder, args.classical)
        both = {
            "classical": found,
            "quantum": quantum(folder, args.quantum, args.beads, tuple(start)),
        }
    except (DemoError, OSError) as error:
        print(f"check_stability: error: {error}", file=sys.stderr)
        return 1
    for name, findings in both.items():
        print(name)
        for key, value in findings.items():
            text = ("yes" if value else "no") if isinstance(value, bool) else f"{value:.4g}"
            print(f"  {key:<42s} {text}")
    print(json.dumps(both))
    return int(any(findings["broken"] for findings in both.values()))


if __name__ == "__main__":
    sys.exit(main())
