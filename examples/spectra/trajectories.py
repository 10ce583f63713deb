# SPDX-License-Identifier: BSD-3-Clause
"""Trajectories of trpmd.xml, each from an equilibration of its own, and what they may not do."""

from __future__ import annotations

import math
import sys
import uuid
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "water"))

from runs import DemoError, Show, run_ipi  # noqa: E402

NAME, START = "trpmd", "trimer.xyz"
FEMTOSECONDS = 0.5  # a step, as in trpmd.xml
LOCAL_THERMOSTAT = 50.0  # fs, of the equilibration; trpmd.xml has that of the dynamics
BROKEN_BOND, LOST = 1.6, 6.0  # Å: from O to its H, from an oxygen to the nearest other


@dataclass(frozen=True)
class Trajectory:
    """One series of dipoles and polarizabilities; lengths in ps."""

    folder: Path
    beads: int
    seed: int
    temperature: float  # K
    equilibration: float
    length: float

    @property
    def done(self) -> bool:
        return (self.folder / "done").exists()

    def run(self, model: Path, cluster: Atoms, show: Show = lambda _: None) -> None:
        """Equilibrate and run, unless that was done. DemoError when a program fails, or the
        cluster falls apart."""
        if self.done:
            return
        before = self.folder / "equilibration"
        before.mkdir(parents=True, exist_ok=True)
        self._run(before, model, cluster, self.equilibration, lambda _: None)
        self._run(self.folder, model, cluster, self.length, show, before / f"{NAME}.restart")
        self.require_whole()
        (self.folder / "done").touch()

    def frames(self) -> list[list[Atoms]]:
        """Beads of each time that positions were written."""
        files = sorted(self.folder.glob(f"{NAME}.positions_*.xyz"))
        return list(zip(*(read(path, ":", format="xyz") for path in files), strict=False))

    def require_whole(self) -> None:
        """DemoError when a molecule has left the cluster or a hydrogen its oxygen."""
        for path in sorted(self.folder.glob(f"{NAME}.positions_*.xyz")):
            for atoms in read(path, ":", format="xyz"):
                x = atoms.positions.reshape(-1, 3, 3)
                bonds = np.linalg.norm(x[:, 1:] - x[:, :1], axis=-1)
                gaps = np.linalg.norm(x[:, None, 0] - x[None, :, 0], axis=-1)
                gaps[np.diag_indices(len(gaps))] = np.inf
                if bonds.max() > BROKEN_BOND or gaps.min(axis=1).max() > LOST:
                    raise DemoError(
                        f"{path}: a cluster fell apart, O-H up to {bonds.max():.2f} Å (at most "
                        f"{BROKEN_BOND}), next O at {gaps.min(axis=1).max():.2f} Å (at most {LOST})"
                    )

    def _run(self, folder, model, cluster, picoseconds, show, restart=None) -> None:
        for old in folder.glob(f"{NAME}.*"):
            old.unlink()
        write(folder / START, cluster, format="extxyz")
        steps = max(1, round(1e3 * picoseconds / FEMTOSECONDS))
        address = f"soap-gpr-spectra-{uuid.uuid4().hex[:12]}"
        tree = self._input(steps, address)
        if restart is None:
            _equilibrates(tree, steps)
        else:
            _goes_on_from(tree, relpath(restart, folder))
        tree.write(folder / f"{NAME}.xml")
        path = relpath(model, folder)
        run_ipi(folder, NAME, path, START, show, address=address, steps=steps, clients=1)

    def _input(self, steps: int, address: str) -> ElementTree.ElementTree:
        tree = ElementTree.parse(HERE / f"{NAME}.xml")
        root = tree.getroot()
        for place, value in (
            ("total_steps", steps),
            ("prng/seed", self.seed),
            ("ffsocket/address", address),
            ("system/initialize/file", START),
            ("system/initialize/velocities", self.temperature),
            ("system/ensemble/temperature", self.temperature),
        ):
            root.find(place).text = f" {value} "
        root.find("system/initialize").set("nbeads", str(self.beads))
        batch = root.find("ffsocket/batch_size")  # what is missing in the last one is padded
        batch.text = str(math.gcd(int(batch.text), self.beads))
        return tree


def _equilibrates(tree: ElementTree.ElementTree, steps: int) -> None:
    """A local thermostat of the centroid, no series, and the state at the last step."""
    root = tree.getroot()
    thermostat = root.find("system/motion/dynamics/thermostat")
    thermostat.set("mode", "pile_l")
    thermostat.find("tau").text = f" {LOCAL_THERMOSTAT} "
    output = root.find("output")
    for series in output.findall("trajectory"):
        output.remove(series)
    output.find("checkpoint").set("stride", str(steps))


def _goes_on_from(tree: ElementTree.ElementTree, restart: str) -> None:
    """Positions and velocities of a checkpoint, which i-PI takes both from <file>."""
    start = tree.getroot().find("system/initialize")
    start.remove(start.find("velocities"))
    start.find("file").text = f" {restart} "
    start.find("file").set("mode", "chk")
