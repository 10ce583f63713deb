# SPDX-License-Identifier: BSD-3-Clause
"""Triplet terms: slow twin, finite differences, symmetries, and a known potential recovered."""

import itertools

import ase
import numpy as np
import pytest
from models import random_structure, triplet_model
from numerical import numerical_forces, numerical_virial

from potential import triplet
from potential.baseline import baseline_labels
from potential.kernels import sparse_kernel, structure_rows
from potential.model import Model
from potential.neighbors import neighbor_list
from potential.structure import VOIGT, structure_from_atoms

SMALL = [[2.9, 0, 0], [0.7, 2.6, 0], [-0.4, 0.5, 3.1]]


def evaluate(model, atoms, **options):
    return model.evaluate(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, **options)


def structures():
    water = [8] * 4 + [1] * 8
    return {
        "triclinic": random_structure(water, seed=2, cell=[[5.1, 0, 0], [1.3, 4.4, 0], [-1, 1, 5]]),
        "smaller than the cutoff": random_structure([8, 1, 1], seed=3, cell=SMALL),
        "molecule": random_structure([8, 1, 1], seed=5, pbc=False),
        "isolated atom": ase.Atoms("O", positions=[[1.0, 2, 3]]),
        "pair": ase.Atoms("OH", positions=[[1.0, 2, 3], [1, 2, 4]]),
    }


def shifted_cosine(r, cutoff, width):
    if r < cutoff - width:
        return 1.0
    return 0.5 * (1 + np.cos(np.pi * (r - cutoff + width) / width)) if r < cutoff else 0.0


def twin_fitted(model, t, p, r_ij, r_ik, r_jk):
    """G of eq. (22c): a sum of Gaussians of three distances, mirrored for equal neighbours."""
    term, points = model.terms[t], model.sparse_points(t)[p]
    weights = model.arrays[f"term{t}.weights.{p}"]
    _, b, c = triplet.functions(len(model.species))[p]
    total = 0.0
    for point, weight in zip(points, weights, strict=True):
        for x in [(r_ij, r_ik, r_jk)] + ([(r_ik, r_ij, r_jk)] if b == c else []):
            square = np.sum((np.array(x) - point) ** 2)
            total += weight * np.exp(-square / (2 * term["length_scale"] ** 2))
    return term["delta"] ** 2 * total


def known(p):
    """A smooth function of three distances, symmetric in the first two; one for each p."""

    def function(r_ij, r_ik, r_jk):
        angle = r_jk**2 - r_ij**2 - r_ik**2
        return 0.3 * np.cos(0.4 * p + 0.7 * (r_ij + r_ik)) * np.exp(-0.03 * angle)

    return function


def twin_energies(model, atoms):
    """Per atom, e0 included: every triplet in a loop; the third factor of eq. (22a)."""
    neighbors = neighbor_list(atoms.positions, atoms.cell.array, atoms.pbc, model.cutoff)
    energies = np.array([model.e0[z] for z in atoms.numbers])
    places = [tuple(model.species[a] for a in own) for own in triplet.functions(len(model.species))]
    for i, z in enumerate(atoms.numbers):
        own = range(neighbors.offset[i], neighbors.offset[i + 1])
        for j, k in itertools.combinations(own, 2):
            z_j, z_k = (atoms.numbers[int(neighbors.neighbor[n])] for n in (j, k))
            if z_j > z_k:
                j, k, z_j, z_k = k, j, z_k, z_j
            r_ij, r_ik = (np.linalg.norm(neighbors.r_ij[n]) for n in (j, k))
            r_jk = np.linalg.norm(neighbors.r_ij[k] - neighbors.r_ij[j])
            p = places.index((z, z_j, z_k))
            for t, term in enumerate(model.terms):
                cut = term["cutoff"], term["cutoff_width"]
                factor = shifted_cosine(r_ij, *cut) * shifted_cosine(r_ik, *cut)
                if term["third_factor"] == "cluster":
                    inside = shifted_cosine(r_jk, *cut)
                    factor *= (1 - inside) + inside / 3
                if factor:
                    value = (
                        known(p)(r_ij, r_ik, r_jk)
                        if term["fixed"]
                        else twin_fitted(model, t, p, r_ij, r_ik, r_jk)
                    )
                    energies[i] += factor * value
    return energies


@pytest.fixture(scope="module")
def model():
    return triplet_model(known=known)


def weights_of(model):
    return np.concatenate(
        [
            model.arrays[f"term{t}.weights.{a}"]
            for t in range(len(model.terms))
            for a in model.sparse_points(t)
        ]
    )


@pytest.mark.parametrize("name", structures())
def test_energies_equal_the_slow_twin(model, name):
    atoms = structures()[name]
    expected = twin_energies(model, atoms)
    np.testing.assert_allclose(evaluate(model, atoms).energies, expected, rtol=0, atol=3e-7)


@pytest.mark.parametrize("name", structures())
def test_rows_times_weights_and_baseline_are_the_evaluation(model, name):
    atoms = structures()[name]
    structure = structure_from_atoms(atoms)
    found = structure_rows(model, structure) @ weights_of(model) + baseline_labels(model, structure)
    evaluation = evaluate(model, atoms)
    virial = evaluation.virial[VOIGT]
    expected = np.concatenate([[evaluation.energy], evaluation.forces.ravel(), virial])
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    energy = structure_rows(model, structure, gradients=False)
    np.testing.assert_allclose(energy[0], structure_rows(model, structure)[0], atol=1e-12)


@pytest.mark.parametrize("name", structures())
def test_forces_and_virial_are_derivatives(model, name):
    atoms = structures()[name]

    def energy(positions, cell=atoms.cell.array):
        return model.evaluate(atoms.numbers, positions, cell, atoms.pbc, forces=False).energy

    found = evaluate(model, atoms)
    forces = numerical_forces(energy, atoms.positions)
    np.testing.assert_allclose(found.forces, forces, rtol=1e-7, atol=1e-6)
    virial = numerical_virial(energy, atoms.positions, atoms.cell.array)
    np.testing.assert_allclose(found.virial, virial, rtol=1e-7, atol=1e-6)


def test_refitting_a_loaded_model_gives_the_same_splines(model):
    loaded = Model.from_bytes(model.to_bytes())
    again = loaded.with_weights(weights_of(model))
    for name, array in model.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array, err_msg=name)


def test_sparse_kernel_is_symmetrised_for_equal_neighbours_alone(model):
    K, points = sparse_kernel(model), model.sparse_points(0)
    begin = np.cumsum([0, *map(len, points.values())])
    assert len(K) == begin[-1]
    length, delta = model.terms[0]["length_scale"], model.terms[0]["delta"]
    for p, (_, b, c) in enumerate(triplet.functions(2)):
        x, y = points[p][1], points[p][3]
        expected = np.exp(-np.sum((x - y) ** 2) / (2 * length**2))
        if b == c:
            expected += np.exp(-np.sum((x[[1, 0, 2]] - y) ** 2) / (2 * length**2))
        assert K[begin[p] + 1, begin[p] + 3] == pytest.approx(delta**2 * expected)
        assert np.all(K[begin[p] : begin[p + 1], begin[p + 1] :] == 0)
    np.linalg.cholesky(K + 1e-9 * np.eye(len(K)))
