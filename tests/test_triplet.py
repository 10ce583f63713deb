# SPDX-License-Identifier: BSD-3-Clause
"""Triplet terms, fitted and fixed: slow twin, finite differences, rows, kernel matrix."""

import itertools

import numpy as np
import pytest
from body_order import (
    assert_forces_are_derivatives,
    assert_rows_are_the_evaluation,
    evaluate,
    structures,
    weights_of,
)
from models import triplet_model
from slow_twin import cutoff_function

from potential.structures.neighbors import neighbor_list
from potential.terms import TrainingModel
from potential.terms.clusters import triplets

pytestmark = pytest.mark.check


def twin_fitted(model, t, p, r_ij, r_ik, r_jk):
    """G of eq. (22c): a sum of Gaussians of three distances, mirrored for equal neighbours."""
    term, points = model.terms[t], model.sparse_points(t)[p]
    weights = model.arrays[f"term{t}.weights.{p}"]
    _, b, c = triplets(len(model.species))[p]
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
    places = [tuple(model.species[a] for a in own) for own in triplets(len(model.species))]
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
                cut = term["cutoff"], term["cutoff_width"], term.get("cutoff_function", "cosine")
                factor = cutoff_function(r_ij, *cut) * cutoff_function(r_ik, *cut)
                if term["third_factor"] == "cluster":
                    inside = cutoff_function(r_jk, *cut)
                    factor *= (1 - inside) + inside / 3
                if factor:
                    value = (
                        known(p)(r_ij, r_ik, r_jk)
                        if term["fixed"]
                        else twin_fitted(model, t, p, r_ij, r_ik, r_jk)
                    )
                    atoms_of = neighbors.neighbor[[j, k]].astype(int)
                    for n in (i, *atoms_of) if term.get("shared_energy") else (i, i, i):
                        energies[n] += factor * value / 3
    return energies


@pytest.fixture(scope="module", params=["energy of the centre", "shared energy"])
def model(request):
    return triplet_model(known=known, shared=request.param == "shared energy")


@pytest.mark.parametrize("name", structures())
def test_energies_equal_the_slow_twin(model, name):
    atoms = structures()[name]
    expected = twin_energies(model, atoms)
    for forces in (True, False):
        found = evaluate(model, atoms, forces=forces).energies
        np.testing.assert_allclose(found, expected, rtol=0, atol=3e-7)


@pytest.mark.parametrize("name", structures())
def test_rows_times_weights_and_baseline_are_the_evaluation(model, name):
    assert_rows_are_the_evaluation(model, structures()[name])


@pytest.mark.parametrize("name", structures())
def test_forces_and_virial_are_derivatives(model, name):
    assert_forces_are_derivatives(model, structures()[name])


def test_refitting_a_loaded_model_gives_the_same_splines(model):
    loaded = TrainingModel.from_bytes(model.to_bytes())
    again = loaded.with_weights(weights_of(model))
    for name, array in model.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array, err_msg=name)


def test_sparse_kernel_is_symmetrised_for_equal_neighbours_alone(model):
    K, points = model.kernel_matrix(), model.sparse_points(0)
    begin = np.cumsum([0, *map(len, points.values())])
    assert len(K) == begin[-1]
    length, delta = model.terms[0]["length_scale"], model.terms[0]["delta"]
    for p, (_, b, c) in enumerate(triplets(2)):
        x, y = points[p][1], points[p][3]
        expected = np.exp(-np.sum((x - y) ** 2) / (2 * length**2))
        if b == c:
            expected += np.exp(-np.sum((x[[1, 0, 2]] - y) ** 2) / (2 * length**2))
        assert K[begin[p] + 1, begin[p] + 3] == pytest.approx(delta**2 * expected)
        assert np.all(K[begin[p] : begin[p + 1], begin[p + 1] :] == 0)
    np.linalg.cholesky(K + 1e-9 * np.eye(len(K)))


def test_forces_are_continuous_from_contact_to_beyond_the_cutoffs(model):
    """One neighbour comes in from 3.2 Å to 0.001 Å of the centre, past knots and kinks."""

    def forces(r):
        positions = [[0, 0, 0], [0, 1.3, 0.2], [r, 0, 0]]
        return model.evaluate([8, 1, 8], positions).forces

    r = np.linspace(0.001, 3.2, 641)
    step = 1e-6
    jumps = [np.abs(forces(x + step) - forces(x)).max() for x in r]
    assert max(jumps) < 1e-3  # forces of some eV/Å; their slopes are finite
    kinks = [2.1, 2.2, 2.8, 3.0]
    jumps = [np.abs(forces(x + step) - forces(x - step)).max() for x in kinks]
    assert max(jumps) < 1e-4
    assert not np.any(forces(3.1)[2])
