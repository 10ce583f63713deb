# SPDX-License-Identifier: BSD-3-Clause
"""LAMMPS' pair_style table runs what export-potentials writes like the model itself."""

import numpy as np
import pytest
from lammps_runs import measure, python
from models import kernel_model, random_structure

from potential.model.body_potentials import isolated_energies
from potential.reports.body_potentials import export_potentials

PAIR = """\
pair_style table spline 20000
pair_coeff 1 1 pairs.table O_O
pair_coeff 1 2 pairs.table H_O
pair_coeff 2 2 pairs.table H_H"""


@pytest.mark.parametrize("ranks", [1, 2])
def test_tables_equal_the_model(tmp_path, ranks):
    model = kernel_model(zeta=1, normalize=False, representation="radial_spectrum", delta=0.1)
    atoms = random_structure([8] * 12 + [1] * 24, seed=1)
    export_potentials(model, tmp_path, points=4000)
    found, expected = measure(tmp_path, model, atoms, ranks=ranks, pair=PAIR), python(model, atoms)
    single = isolated_energies(model)[model.species_indices(atoms.numbers)].sum()
    scale = np.abs(expected.forces).max()
    np.testing.assert_allclose(found.energy, expected.energy - single, atol=1e-6 * len(atoms))
    np.testing.assert_allclose(found.forces, expected.forces, atol=1e-5 * scale)
    np.testing.assert_allclose(found.virial, expected.virial, atol=1e-5 * scale)
