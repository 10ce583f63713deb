# SPDX-License-Identifier: BSD-3-Clause
"""Features, duplicates and a map of copper: crystals, surfaces and clusters, labelled by EMT.

One crystal is there again, turned and with its atoms in another order, which no comparison of
positions finds; another one has a wrong energy. Writes features.npz, found.png and map.html.
"""

from pathlib import Path

import ase.io
import numpy as np
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.cluster import Octahedron

from potential.cli import main

KINDS = {
    "crystal": bulk("Cu", cubic=True).repeat(2),
    "surface": fcc111("Cu", (2, 2, 5), vacuum=8.0),
    "cluster": Octahedron("Cu", 4, 1),
}


def labelled(atoms, wrong=0.0):
    """With an energy per atom that is so many eV off."""
    atoms.calc = EMT()
    energy = atoms.get_potential_energy() + wrong * len(atoms)
    atoms.calc = SinglePointCalculator(atoms, energy=energy)
    return atoms


frames = []
for kind, start in KINDS.items():
    for k in range(20):
        atoms = start.copy()
        atoms.rattle(0.02 + 0.005 * k, seed=k)
        atoms.info = {"config_type": kind}
        frames.append(labelled(atoms))
turned = frames[3].copy()[::-1]
turned.rotate(30, "z", rotate_cell=True)
frames += [labelled(turned), labelled(frames[4].copy(), wrong=0.05)]
ase.io.write("copper.xyz", frames)
Path("fit.toml").write_text("[[terms]]\ncutoff = 5.0\nn_max = 6\nl_max = 4\nzeta = 2\n")

settings = ["copper.xyz", "--settings", "fit.toml"]
main(["describe", *settings, "-o", "features.npz"])
found = np.load("features.npz")
print(f"the last of {len(found['columns'])} columns is {found['columns'][-1]}")
print(f"its mean over clusters is {found['features'][found['structure'] >= 40, -1].mean():.2g}")

main(["describe", *settings, "--duplicates", "--plot", "found.png"])
main(["map", *settings, "--by", "config_type", "energy", "-o", "map.html"])
