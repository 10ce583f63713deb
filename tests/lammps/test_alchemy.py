# SPDX-License-Identifier: BSD-3-Clause
"""Models with an alchemical map and coupled centres in LAMMPS."""

import pytest
from alchemical import alchemical_model, contracted_alchemical_model
from lammps_runs import assert_agrees, measure, python
from models import random_structure

SPECIES = (1, 8, 13, 29, 79)


@pytest.mark.parametrize(
    ("centers", "ranks"),
    [("separate", 2), ("alchemical", 1), ("alchemical", 2), ("alchemical", 4), ("shared", 4)],
)
def test_coupled_centers_equal_python(tmp_path, centers, ranks):
    model = alchemical_model(centers=centers, zeta=3, species=SPECIES)
    atoms = random_structure(SPECIES * 10, seed=2, cell=[[7.4, 0, 0], [1.2, 7.1, 0], [-1, 1, 7.3]])
    types = {z: t for t, z in enumerate(SPECIES, 1)}
    assert_agrees(measure(tmp_path, model, atoms, ranks=ranks, types=types), python(model, atoms))


@pytest.mark.parametrize("ranks", [1, 2])
def test_contracted_channels_equal_python(tmp_path, ranks):
    model, _ = contracted_alchemical_model(2, zeta=3, species=SPECIES)
    atoms = random_structure(SPECIES * 10, seed=2, cell=[[7.4, 0, 0], [1.2, 7.1, 0], [-1, 1, 7.3]])
    types = {z: t for t, z in enumerate(SPECIES, 1)}
    assert_agrees(measure(tmp_path, model, atoms, ranks=ranks, types=types), python(model, atoms))
