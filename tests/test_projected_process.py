# SPDX-License-Identifier: BSD-3-Clause
"""Variances and rigidities against dense formulas (docs/theory.md eq. 25h to 25m)."""

import numpy as np
import pytest
from alchemical import alchemical_model
from models import (
    body_order_model,
    kernel_model,
    product_model,
    random_model,
    random_structure,
    symmetry_model,
)

from potential.errors import SoapGprError
from potential.model import TRIANGLE
from potential.model.uncertainty import Scales, Uncertainty
from potential.structures.structure import structure_from_atoms
from potential.terms import TrainingModel
from potential.terms.features import features
from potential.terms.prior import prior_factor
from potential.uncertainty.prior import PriorKernel, prior_forces
from potential.uncertainty.projected_process import (
    NotFollowed,
    ProjectedProcess,
    columns_of_center,
    edges,
    inverse,
    variance_arrays,
)

JITTER = 1e-8
MODELS = {
    "terms": lambda: random_model(n_terms=2),
    "one species": lambda: random_model(species=(8,)),
    "product": product_model,
    "symmetry": symmetry_model,
    "offset": lambda: kernel_model(zeta=3, normalize=False, offset=0.3, delta=0.01),
    "shared": lambda: alchemical_model(centers="shared"),
    "alchemical": lambda: alchemical_model(centers="alchemical"),
    "clusters": body_order_model,
}


@pytest.fixture(scope="module", params=MODELS)
def problem(request):
    """A model, its U, R of a few structures with labels of unit noise, and the structure."""
    model = MODELS[request.param]()
    numbers = np.resize(model.species, 7)
    atoms = random_structure(numbers, seed=5)
    U = prior_factor(model.kernel_matrix(), JITTER)
    training = [random_structure(numbers, seed=k) for k in range(3)]
    A = np.concatenate([model.rows(model.environments(one)) for one in training])
    R = np.linalg.qr(np.concatenate([3.0 * A, U]), mode="r")
    return model, U, R, atoms


def prior_covariance(model, t, one, two):
    """Σ_ij k(i, j) of a term over the environments of two structures, atom pair by atom pair."""
    entry, species = model.terms[t], [model.environments(s).species for s in (one, two)]
    X, Y = features(model, t, one), features(model, t, two)
    kernel = PriorKernel(model, t)
    total = 0.0
    for p, a in zip(X, species[0], strict=True):
        for q, b in zip(Y, species[1], strict=True):
            if a == b or "centers" in entry:
                total += kernel.between(np.array([p, q]), np.array([a, b]))[0, 1]
    return total


def followed(model, U, t, row):
    """aᵀ K_MM⁻¹ a of the columns of a term."""
    begin = sum(term.n_weights for term in model.own_terms[:t])
    own = slice(begin, begin + model.own_terms[t].n_weights)
    return row[own] @ np.linalg.solve(U[own, own].T @ U[own, own], row[own])


def feature_terms(model):
    return [t for t, entry in enumerate(model.terms) if entry["kind"] not in ("pair", "triplet")]


def test_kernels_of_atoms_sum_up_to_the_row_of_the_energy(problem):
    model, _, _, atoms = problem
    environments = model.environments(atoms)
    rows = model.atom_rows(environments)
    assert rows.shape == (len(atoms), model.n_weights)
    np.testing.assert_allclose(rows.sum(axis=0), model.rows(environments)[0], atol=1e-12)
    energies = rows @ np.concatenate(
        [array for name, array in sorted(model.arrays.items()) if ".weights." in name]
    )
    if model.fixed_part is None:
        energies += [model.e0[z] for z in atoms.numbers]
    else:
        energies += model.fixed_part.evaluate(atoms).energies
    np.testing.assert_allclose(energies, model.evaluate(atoms).energies, atol=1e-6)


def test_prior_kernels_are_those_of_sparse_points(problem):
    """K_MM by the terms, which share nothing with ``PriorKernel``."""
    model, *_ = problem
    for t in feature_terms(model):
        for a, points in model.sparse_points(t).items():
            K = np.zeros((len(points), len(points)))
            model.own_terms[t].kernel(a, points, K)
            species = np.full(len(points), a)
            if "centers" in model.terms[t]:
                species = model.own_terms[t].array("sparse_species")
            kernel = PriorKernel(model, t)
            np.testing.assert_allclose(kernel.between(points, species), K, rtol=1e-10)
            np.testing.assert_allclose(kernel.diagonal(points, species), np.diag(K), rtol=1e-10)


def test_variance_of_the_energy_is_the_dense_formula(problem):
    model, U, _, atoms = problem
    row = model.rows(model.environments(atoms), False)[0]
    expected = sum(
        max(prior_covariance(model, t, atoms, atoms) - followed(model, U, t, row), 0.0)
        for t in feature_terms(model)
    )
    found = NotFollowed(model, U).energy(model.environments(atoms), row)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_variances_of_forces_are_differences_of_kernels(problem):
    model, U, _, atoms = problem
    h, k = 2e-3, 3
    environments, rows = model.environments(atoms), model.rows(model.environments(atoms))
    moved = {}
    for x in range(3):
        for sign in (1, -1):
            moved[x, sign] = atoms.copy()
            moved[x, sign].positions[k, x] += sign * h
    found = NotFollowed(model, U).forces(environments, rows[1 + 3 * k : 4 + 3 * k], np.array([k]))
    for x in range(3):
        expected = 0.0
        for t in feature_terms(model):
            prior = sum(
                s * s2 * prior_covariance(model, t, moved[x, s], moved[x, s2])
                for s in (1, -1)
                for s2 in (1, -1)
            ) / (4 * h * h)
            own = prior_forces(model, t, environments, np.array([k]))[0, x]
            assert own == pytest.approx(prior, rel=3e-4)
            expected += max(own - followed(model, U, t, rows[1 + 3 * k + x]), 0.0)
        assert found[x] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_posterior_arrays_give_variances_and_rigidities_of_atoms(problem):
    model, U, R, atoms = problem
    environments = model.environments(atoms)
    rows, arrays = model.atom_rows(environments), variance_arrays(model, R, U)
    expected = np.sum(np.linalg.solve(R.T, rows.T) ** 2, axis=0)
    for i, a in enumerate(environments.species):
        columns = columns_of_center(model, a)
        others = np.setdiff1d(np.arange(model.n_weights), columns)
        assert not rows[i, others].any()
        P = arrays[f"variance.posterior.{a}"]
        assert P.shape == (len(columns), len(columns)) and not np.triu(P, 1).any()
        assert np.sum((P @ rows[i, columns]) ** 2) == pytest.approx(expected[i], rel=1e-7)
    left = NotFollowed(model, U)
    variances = left.atoms(environments, rows) + expected
    largest = [
        np.sqrt(variances[environments.species == a].max()) for a in range(len(model.species))
    ]
    found = edges(model, left, arrays, [structure_from_atoms(atoms)])
    np.testing.assert_allclose(found, largest, rtol=1e-7)


def test_runs_have_the_same_variances(problem):
    """The core, with these arrays in a model file."""
    model, U, R, atoms = problem
    arrays, one = variance_arrays(model, R, U), Scales(1.0, 1.0)
    measures = Uncertainty(0, None, one, one, (1.0,) * len(model.species))
    found = model.with_uncertainty(measures, arrays).evaluate(atoms, uncertainty=("variance",))
    environments = model.environments(atoms)
    rows = model.atom_rows(environments)
    posterior = np.sum(np.linalg.solve(R.T, rows.T) ** 2, axis=0)
    expected = NotFollowed(model, U).atoms(environments, rows) + posterior
    np.testing.assert_allclose(found.uncertainty.variances, expected, rtol=1e-6)
    np.testing.assert_allclose(found.uncertainty.rigidities, 1.0 / posterior, rtol=1e-6)


def test_prior_arrays_are_inverse_triangles(problem):
    model, U, R, _ = problem
    arrays = variance_arrays(model, R, U)
    for t, entry in enumerate(model.terms):
        for a, points in model.sparse_points(t).items():
            if entry["kind"] in ("pair", "triplet"):
                assert f"variance.prior.term{t}.{a}" not in arrays
                continue
            V, K = arrays[f"variance.prior.term{t}.{a}"], np.zeros((len(points), len(points)))
            model.own_terms[t].kernel(a, points, K)
            assert not np.triu(V, 1).any()
            shift = JITTER * np.mean(np.diag(model.kernel_matrix()))
            identity = V @ (K + shift * np.eye(len(K))) @ V.T
            np.testing.assert_allclose(identity, np.eye(len(K)), atol=1e-5)


def test_arrays_of_clusters_make_their_tables():
    model = body_order_model()
    arrays = variance_arrays(model, np.eye(model.n_weights), np.eye(model.n_weights))
    for t, entry in enumerate(model.terms):
        for p, points in model.sparse_points(t).items():
            weights = model.arrays[f"term{t}.weights.{p}"]
            table = model.arrays[f"term{t}.table.{p}"]
            if entry["kind"] == "pair":
                own = arrays[f"variance.table.term{t}.{p}"]
                assert own.shape == (len(points), *table.shape)
                np.testing.assert_allclose(np.tensordot(weights, own, 1), table, atol=1e-10)
            elif entry["kind"] == "triplet" and len(points):
                axes = [arrays[f"variance.{x}.term{t}.{p}"] for x in ("first", "second", "third")]
                product = np.einsum("im,jm,km,m->ijk", *axes, weights, optimize=True)
                if not np.allclose(product, table):  # neighbours of one species
                    product = product + product.swapaxes(0, 1)
                np.testing.assert_allclose(product, table, atol=1e-10)


def test_process_of_a_model_is_that_of_its_triangle():
    model = random_model(n_terms=2)
    atoms = random_structure(np.resize(model.species, 6), seed=1)
    A = 3.0 * model.rows(model.environments(random_structure([1, 8, 8, 1], seed=9)))
    T = np.linalg.qr(np.column_stack([A, np.ones(len(A))]), mode="r")
    T = np.pad(T, ((0, model.n_weights + 1 - len(T)), (0, 0)))
    kept = TrainingModel.with_arrays(model, {TRIANGLE: T})
    found = ProjectedProcess(kept).evaluate(atoms)
    U = prior_factor(model.kernel_matrix(), 1e-10)
    R_inverse = inverse(np.linalg.qr(np.concatenate([A, U]), mode="r"))
    rows, left = model.rows(model.environments(atoms)), NotFollowed(model, U)
    posterior = np.sum((rows @ R_inverse) ** 2, axis=1)
    environments = model.environments(atoms)
    assert found.energy_rigidity == pytest.approx(1 / posterior[0], rel=1e-6)
    assert found.energy == pytest.approx(
        posterior[0] + left.energy(environments, rows[0]), rel=1e-6
    )
    every = np.arange(6)
    forces = left.forces(environments, rows[1:-6], every) + posterior[1:-6]
    np.testing.assert_allclose(found.forces.ravel(), forces, rtol=1e-6)
    assert found.atoms.shape == found.rigidities.shape == (6,) and (found.atoms > 0).all()
    assert ProjectedProcess(kept).evaluate(atoms, forces=False).forces is None
    with pytest.raises(SoapGprError, match="found no triangular factor in the model"):
        ProjectedProcess(model)
