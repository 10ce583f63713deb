# SPDX-License-Identifier: BSD-3-Clause
"""Train a potential of an alloy and its atomic charges in one model, and use both.

Energies and forces are those of ASE's effective medium theory; charges flow between neighbours by
their electronegativities. Writes train.xyz and alloy.sgpr into the current folder.
"""

import ase.io
import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.neighborlist import neighbor_list

from potential import SoapGprCalculator, fit

ELECTRONEGATIVITY = {"Cu": 1.90, "Au": 2.54}


def charges(atoms):
    """What each atom gets from its neighbours, in e; the sum over all is zero."""
    chi = np.array([ELECTRONEGATIVITY[name] for name in atoms.symbols])
    i, j, distance = neighbor_list("ijd", atoms, 4.0)
    flow = 0.1 * (chi[j] - chi[i]) * np.exp(-((distance / 2.5) ** 2)) * (1 - distance / 4.0) ** 2
    return np.bincount(i, flow, minlength=len(atoms))


def frame(rng):
    """A displaced cell of Cu3Au with its labels; the numbers of atoms of a species vary by one."""
    atoms = bulk("Cu", "fcc", a=3.8, cubic=True).repeat((2, 1, 1))
    atoms.symbols[rng.permutation(8)[: rng.integers(2, 4)]] = "Au"
    atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
    atoms.calc = EMT()
    labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    atoms.calc = SinglePointCalculator(atoms, **labels)
    atoms.arrays["bader"] = charges(atoms)
    return atoms


rng = np.random.default_rng(0)
frames = [frame(rng) for _ in range(30)]
ase.io.write("train.xyz", frames[:24])
result = fit(
    {
        "data": {"train": ["train.xyz"]},
        "terms": [{"cutoff": 4.5, "n_max": 6, "l_max": 4, "zeta": 2, "n_sparse": 150}],
        "targets": [{"name": "charge", "key": "bader", "unit": "e", "noise": 0.001}],
    },
    test=frames[24:],
    progress=False,
)
result.model.save("alloy.sgpr")
print(f"force error of the test frames: {result.test_errors['all']['force'].rmse:.3f} eV/Å")
for species, error in result.test_property_errors["charge"].items():
    print(f"charge error of {species}: {error.rmse:.4f} e")

atoms = frame(rng)
spread, atoms.calc = np.std(atoms.arrays["bader"]), SoapGprCalculator("alloy.sgpr")
found = atoms.calc.get_property("charge", atoms)
print(f"a new cell: charges of {found.min():.3f} to {found.max():.3f} e, spread {spread:.3f} e")
