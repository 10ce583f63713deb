# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of pair and triplet terms share: structures and two checks."""

import ase
import numpy as np
from models import random_structure, structure_rows
from numerical import numerical_forces, numerical_virial

from potential.structures.label_table import VOIGT
from potential.structures.structure import structure_from_atoms
from potential.training.baseline import baseline_labels

SMALL = [[2.9, 0, 0], [0.7, 2.6, 0], [-0.4, 0.5, 3.1]]


def structures():
    water = [8] * 4 + [1] * 8
    return {
        "triclinic": random_structure(water, seed=2, cell=[[5.1, 0, 0], [1.3, 4.4, 0], [-1, 1, 5]]),
        "smaller than the cutoff": random_structure([8, 1, 1], seed=3, cell=SMALL),
        "molecule": random_structure([8, 1, 1], seed=5, pbc=False),
        "isolated atom": ase.Atoms("O", positions=[[1.0, 2, 3]]),
        "pair": ase.Atoms("OH", positions=[[1.0, 2, 3], [1, 2, 4]]),
    }


def evaluate(model, atoms, **options):
    return model.evaluate(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, **options)


def weights_of(model):
    """All weights (n_weights,) in the order of the design matrix."""
    sets = [(t, a) for t in range(len(model.terms)) for a in model.sparse_points(t)]
    return np.concatenate([model.arrays[f"term{t}.weights.{a}"] for t, a in sets])


def assert_rows_are_the_evaluation(model, atoms):
    structure = structure_from_atoms(atoms)
    environments = model.environments(structure)
    baseline = baseline_labels(model, structure, environments)
    found = model.rows(environments) @ weights_of(model) + baseline
    evaluation = evaluate(model, atoms)
    virial = evaluation.virial[VOIGT]
    expected = np.concatenate([[evaluation.energy], evaluation.forces.ravel(), virial])
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    energy = structure_rows(model, structure, gradients=False)
    np.testing.assert_allclose(energy[0], structure_rows(model, structure)[0], atol=1e-12)


def assert_forces_are_derivatives(model, atoms):
    def energy(positions, cell=atoms.cell.array):
        return model.evaluate(atoms.numbers, positions, cell, atoms.pbc, forces=False).energy

    found = evaluate(model, atoms)
    forces = numerical_forces(energy, atoms.positions)
    np.testing.assert_allclose(found.forces, forces, rtol=1e-7, atol=1e-6)
    virial = numerical_virial(energy, atoms.positions, atoms.cell.array)
    np.testing.assert_allclose(found.virial, virial, rtol=1e-7, atol=1e-6)
