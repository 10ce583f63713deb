# SPDX-License-Identifier: BSD-3-Clause
"""Train a coarse-grained water, one bead MW per molecule, and run it in ASE.

Pairs of Lennard-Jones stand for the averaged forces of an atomistic simulation. Writes train.xyz
and water.sgpr into the current folder. In LAMMPS the same model is two lines (docs/lammps.md):

    pair_style  soap/gpr
    pair_coeff  * * water.sgpr MW
"""

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.lj import LennardJones
from ase.md.verlet import VelocityVerlet

from potential import SoapGprCalculator, fit

SIDE, SPACING = 4, 3.1  # beads along an edge, Å between them: the density of water
GRID = SPACING * np.stack(np.meshgrid(*[np.arange(SIDE)] * 3), axis=-1).reshape(-1, 3)


def beads(rng):
    """A displaced grid of beads: ASE's X, with their name in a column."""
    atoms = Atoms(f"X{len(GRID)}", GRID, cell=SIDE * SPACING * np.eye(3), pbc=True)
    atoms.set_array("bead", np.array(["MW"] * len(GRID)))
    atoms.set_masses([18.015] * len(GRID))
    atoms.positions += 0.1 * rng.normal(size=GRID.shape)
    return atoms


# Reference data: displaced grids with energies and forces.
frames, rng = [], np.random.default_rng(0)
for _ in range(12):
    atoms = beads(rng)
    atoms.calc = LennardJones(sigma=2.7, epsilon=0.05, rc=5.0, smooth=True, ro=4.0)
    atoms.get_forces()
    frames.append(atoms)
ase.io.write("train.xyz", frames[:10])

result = fit(
    {
        "data": {"train": ["train.xyz"], "beads": ["MW"]},
        "terms": [{"kind": "soap", "cutoff": 5.0, "n_sparse": {"MW": 100}}],
        "noise": {"force": 0.01},
    },
    test=frames[10:],
    progress=False,
)
result.model.save("water.sgpr")
print(f"force error of the test frames: {result.test_errors['all']['force'].rmse:.3f} eV/Å")

# Molecular dynamics at constant energy, from displaced beads at rest.
atoms = beads(rng)
atoms.calc = SoapGprCalculator("water.sgpr")
start = atoms.get_total_energy()
VelocityVerlet(atoms, 5 * units.fs).run(100)
change = (atoms.get_total_energy() - start) / len(atoms)
print(f"energy change in 0.5 ps, {atoms.get_temperature():.0f} K: {1000 * change:.3f} meV/bead")
