# SPDX-License-Identifier: BSD-3-Clause
"""Train a potential of copper in Python and run molecular dynamics with it in ASE.

ASE's effective medium theory stands for the reference calculations. Writes train.xyz and
copper.sgpr into the current folder. In LAMMPS the same model is two lines (docs/lammps.md):

    pair_style  soap/gpr
    pair_coeff  * * copper.sgpr Cu
"""

import ase.io
import numpy as np
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet

from potential import SoapGprCalculator, fit

# Reference data: small cells, strained and displaced, with energies, forces and stresses.
frames, rng = [], np.random.default_rng(0)
for _ in range(20):
    atoms = bulk("Cu", cubic=True).repeat((2, 1, 1))
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * rng.normal(size=(3, 3))), scale_atoms=True)
    atoms.rattle(0.06, rng=rng)
    atoms.calc = EMT()
    atoms.get_stress()
    frames.append(atoms)
ase.io.write("train.xyz", frames[:15])
ase.io.write("test.xyz", frames[15:])

# The keys are those of fit.toml (docs/fit_toml.md); what is not said has its default.
result = fit(
    {
        "data": {"train": ["train.xyz"], "test": ["test.xyz"]},
        "terms": [{"kind": "soap", "n_sparse": 100}],
    },
    progress=False,
)
result.model.save("copper.sgpr")
print(f"force error of the test frames: {result.test_errors['all']['force'].rmse:.3f} eV/Å")

# Molecular dynamics of 32 atoms at constant energy, from displaced atoms at rest.
atoms = bulk("Cu", cubic=True).repeat(2)
atoms.rattle(0.06, rng=rng)
atoms.calc = SoapGprCalculator("copper.sgpr")
start = atoms.get_total_energy()
VelocityVerlet(atoms, 2 * units.fs).run(100)
change = (atoms.get_total_energy() - start) / len(atoms)
print(f"energy change in 200 fs, {atoms.get_temperature():.0f} K: {1000 * change:.3f} meV/atom")
