# SPDX-License-Identifier: BSD-3-Clause
"""Phonons of silicon by phonopy while shells of neighbours pass the cutoff and the place where
neighbours begin to fade: their squares, second derivatives of the energy, must not jump."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from potential import SoapGprCalculator, fit

phonopy = pytest.importorskip("phonopy", reason="phonopy is not installed")

TRAIN = Path(__file__).parents[2] / "shared/data/mlearn_Si/train.xyz"

pytestmark = [
    pytest.mark.check,
    pytest.mark.skipif(not TRAIN.exists(), reason=f"no reference data at {TRAIN}"),
]

EDGES = np.linspace(5.40, 5.50, 21)  # Å: six atoms are at this distance from each atom
CUTOFF = 5.45
# Gamma, X, L and two points without symmetry, of the primitive cell
POINTS = [[0, 0, 0], [0.5, 0, 0.5], [0.5, 0.5, 0.5], [0.1, 0.2, 0.05], [0.3, 0.1, 0.25]]


def squares(model, edge):
    """Of the frequencies at POINTS, THz²; negative ones are instabilities."""
    cell = bulk("Si", "diamond", a=edge)
    unit = phonopy.structure.atoms.PhonopyAtoms(
        symbols=["Si", "Si"], cell=cell.cell.array, positions=cell.positions
    )
    phonon = phonopy.Phonopy(unit, supercell_matrix=3 * np.eye(3), log_level=0)
    phonon.generate_displacements(distance=0.002)
    forces = []
    for own in phonon.supercells_with_displacements:
        atoms = Atoms(own.symbols, positions=own.positions, cell=own.cell, pbc=True)
        atoms.calc = SoapGprCalculator(model)
        forces.append(atoms.get_forces())
    phonon.forces = forces
    phonon.produce_force_constants()
    phonon.run_qpoints(POINTS)
    found = np.asarray(phonon.qpoints.frequencies)
    return (np.sign(found) * found**2).ravel()


def largest_kink(term):
    """The largest second difference along EDGES, THz²."""
    term = {"cutoff": CUTOFF, "n_max": 6, "l_max": 4, "zeta": 2, "n_sparse": 150} | term
    settings = {
        "data": {"train": [f"{TRAIN}@::12"]},
        "terms": [term],
        "noise": {"virial_per_atom": np.inf},
    }
    model = fit(settings).model
    found = np.array([squares(model, edge) for edge in EDGES])
    assert found.max() > 150  # optical modes, near 15 THz
    return np.abs(np.diff(found, 2, axis=0)).max()


def test_phonons_vary_smoothly_with_the_lattice_constant_and_those_of_a_cosine_do_not():
    smooth = largest_kink({})
    kinked = largest_kink({"cutoff_width": 0.5, "cutoff_function": "cosine"})
    assert smooth < 0.1 < 1.0 < kinked
