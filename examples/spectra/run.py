# SPDX-License-Identifier: BSD-3-Clause
"""Infrared and Raman spectra of a water trimer with classical and with quantum nuclei.

  python examples/spectra/run.py                    # the length of the figure in docs
  python examples/spectra/run.py --fraction 0.1     # minutes

Fits a potential with dipoles and polarizabilities to train.xyz, runs classical and thermostatted
ring-polymer MD in i-PI, and draws the spectra of both. Everything is in --folder; ended at any
point, the same command goes on. Writes spectra.png and spectra.json there.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ase.io
from spectra import plot, series_of, table
from trajectories import HERE, DemoError, Trajectory

SOAP_GPR = str(Path(sys.executable).parent / "soap-gpr")
MODEL = "water.sgpr"
EQUILIBRATION = {"classical": 1.0, "trpmd": 0.5}  # ps
LENGTH = {"classical": 20.0, "trpmd": 5.0}  # ps of a trajectory at full length


def main() -> None:
    asked = arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    require_same(asked)
    cluster = ase.io.read(HERE / "trimer.xyz")
    try:
        fitted(asked.folder)
        found = ran(asked, cluster)
    except DemoError as error:
        sys.exit(f"run.py: {error}")
    for method, trajectories in found.items():
        spectrum(asked.folder, method, trajectories, asked.temperature)
    summary = series_of(asked.folder, list(found))
    (asked.folder / "spectra.json").write_text(json.dumps(summary, indent=1) + "\n")
    plot(summary, asked.folder / "spectra.png")
    print(table(summary))
    print(f"wrote {asked.folder / 'spectra.png'}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("spectra_run"))
    parser.add_argument("--fraction", type=float, default=1.0, help="of the length of each run")
    parser.add_argument("--trajectories", type=int, default=8, help="of each method")
    parser.add_argument("--beads", type=int, default=32, help="of the ring polymer")
    parser.add_argument("--temperature", type=float, default=200.0, help="K")
    parser.add_argument("--workers", type=int, default=2, help="trajectories at a time")
    return parser.parse_args()
