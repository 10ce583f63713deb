# SPDX-License-Identifier: BSD-3-Clause
"""Alchemical maps that fit the data: kernels of structures, losses, gradients, the optimum."""

from itertools import product

import numpy as np
import pytest
from models import random_structure, tabulated_term
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal

from potential.errors import SoapGprError
from potential.optimization import (
    Densities,
    KernelOfStructures,
    Targets,
    densities_of,
    interpolated,
    optimise_map,
)
from potential.optimization.losses import LOSSES, leave_one_out
from potential.optimization.optimise import Objective
from potential.structures.structure import structure_from_atoms
from potential.terms import build_model
from potential.terms.features import density_coefficients, features

pytestmark = pytest.mark.check
SPECIES = (6, 7, 8)
CENTERS = ("separate", "alchemical", "shared")
KERNELS = [
    *(KernelOfStructures(zeta=zeta, centers=centers) for zeta in (1, 2) for centers in CENTERS),
    KernelOfStructures(zeta=2.5),
    KernelOfStructures(zeta=1, normalize=False, offset=0.2, centers="alchemical"),
]


@pytest.fixture(scope="module")
def model():
    return build_model(SPECIES, [0.0] * 3, [tabulated_term(SPECIES, 2, 2, 3.5, 1)])


@pytest.fixture(scope="module")
def structures():
    """Of one to three species each."""
    choices = [(6, 7, 8, 8), (6, 6), (7, 8), (8, 8, 8), (6, 8, 6), (7, 7, 6), (7,), (6, 7, 8)]
    return [random_structure(np.array(z), seed=k) for k, z in enumerate(choices)]


@pytest.fixture(scope="module")
def own(model, structures) -> Densities:
    return densities_of(model, 0, structures)


@pytest.fixture
def u() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(3, 2))


@pytest.fixture(scope="module")
def targets(structures, own) -> Targets:
    """Energies by another map, with some noise."""
    rng = np.random.default_rng(2)
    n_atoms = np.array([len(s) for s in structures])
    K, _ = KernelOfStructures(zeta=2)(own, rng.normal(size=(3, 2)))
    y = K @ rng.normal(size=len(K)) + 0.1 * rng.normal(size=len(K))
    return Targets(y, n_atoms**0.5, n_atoms)


def slow_kernel(model, structures, u, kernel) -> np.ndarray:
    """Each kernel of environments as the sum over all channels and species, [P 14], eq. (13m)."""
    kappa = u @ u.T
    couple = {
        "separate": np.eye(len(kappa)),
        "alchemical": kappa / np.sqrt(np.outer(np.diag(kappa), np.diag(kappa))),
        "shared": np.ones_like(kappa),
    }[kernel.centers]

    def products(structure):
        """For every atom and l the products c_an c_bn' summed over m, (a, n, b, n')."""
        c, begin, of_l = density_coefficients(model, 0, structure), 0, []
        for l, size in enumerate(model.terms[0]["n_channels"]):
            end = begin + (2 * l + 1) * size
            of_m = c[:, begin:end].reshape(len(c), 2 * l + 1, len(kappa), -1)
            of_l.append(np.einsum("iman,imbk->ianbk", of_m, of_m) / np.sqrt(2 * l + 1))
            begin = end
        return [[block[i] for block in of_l] for i in range(len(c))]

    def dot(p, q):
        return sum(
            np.einsum("anbk,ac,bd,cndk->", x, kappa, kappa, y) for x, y in zip(p, q, strict=True)
        )

    def environments(structure):
        centers = np.searchsorted(model.species, structure.numbers)
        return zip(products(structure), centers, strict=True)

    K = np.zeros((len(structures),) * 2)
    for (A, one), (B, other) in product(enumerate(structures), repeat=2):
        for (p, a), (q, b) in product(environments(one), environments(other)):
            norm = np.sqrt(dot(p, p) * dot(q, q)) if kernel.normalize else 1.0
            K[A, B] += couple[a, b] * (dot(p, q) / norm + kernel.offset) ** kernel.zeta
    return K


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_kernel_of_structures_is_the_sum_over_species_and_environments(
    kernel, model, structures, own, u
):
    few = structures[:3] + structures[6:7]
    K, _ = kernel(densities_of(model, 0, few), u)
    np.testing.assert_allclose(K, slow_kernel(model, few, u, kernel), rtol=1e-10)
    np.testing.assert_allclose(kernel(own, u)[0][:3, :3], K[:3, :3], rtol=1e-10)


def test_identity_map_gives_the_features_of_the_model(model, structures, own):
    from potential.optimization.features import power_spectra

    expected = np.concatenate([features(model, 0, s) for s in structures])
    np.testing.assert_allclose(power_spectra(own, np.eye(3))[0], expected, atol=1e-12)


def test_species_that_are_not_there_have_no_rows(own, structures):
    rows = np.diff(own.offset)
    assert len(own) == sum(map(len, structures)) and own.values.shape == (rows.sum(), 18)
    assert rows.max() == 3 and rows[own.structure == 3].tolist() == [1, 1, 1]


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_is_the_finite_difference(kernel, loss, own, targets, u):
    objective = Objective(own, targets, kernel, u, loss=loss, penalty=2.0)
    at, t = u + 0.1, -2.0
    *_, du, dt = objective(at, t)

    def value(u, t):
        return sum(objective(u, t)[:2])

    h = 1e-5
    for k in np.ndindex(u.shape):
        step = np.zeros_like(u)
        step[k] = h
        slope = (value(at + step, t) - value(at - step, t)) / (2 * h)
        assert du[k] == pytest.approx(slope, rel=1e-5, abs=1e-8)
    assert dt == pytest.approx((value(at, t + h) - value(at, t - h)) / (2 * h), rel=1e-5, abs=1e-8)


def test_gradient_with_open_energies_of_atoms_is_the_finite_difference(own, targets, structures, u):
    counts = np.array([[np.sum(s.numbers == z) for z in SPECIES] for s in structures])
    opened = Targets(targets.y, targets.sigma, targets.n_atoms, counts)
    objective = Objective(own, opened, KernelOfStructures(), u, loss="leave_one_out", penalty=0.0)
    step = 1e-5 * np.random.default_rng(0).normal(size=u.shape)
    slope = (objective(u + step, -2.0)[0] - objective(u - step, -2.0)[0]) / 2
    assert np.sum(objective(u, -2.0)[2] * step) == pytest.approx(slope, rel=1e-4)


def test_leave_one_out_is_the_error_of_processes_without_one_structure(own, targets, u):
    K, _ = KernelOfStructures(zeta=2)(own, u)
    C, y, n = K + 0.1 * np.diag(targets.sigma**2), targets.y, targets.n_atoms
    errors = []
    for s in range(len(y)):
        rest = np.delete(np.arange(len(y)), s)
        errors.append(y[s] - C[s, rest] @ np.linalg.solve(C[np.ix_(rest, rest)], y[rest]))
    expected = np.sum((errors / n) ** 2) / np.sum((y / n) ** 2)
    assert leave_one_out(C, y, n**-2.0)[0] == pytest.approx(expected)


def test_marginal_likelihood_is_that_of_the_best_factor(own, targets, u):
    K, _ = KernelOfStructures(zeta=2)(own, u)
    C, y = K + 0.1 * np.diag(targets.sigma**2), targets.y
    best = minimize_scalar(lambda t: -multivariate_normal(cov=np.exp(t) * C).logpdf(y))
    constant = 0.5 * (1 + np.log(2 * np.pi))
    found = LOSSES["marginal_likelihood"](C, y, y)[0]
    assert found + constant == pytest.approx(best.fun / len(y))


@pytest.mark.parametrize("centers", CENTERS)
def test_rotated_map_gives_the_same_kernel_and_optimum(centers, own, targets, u):
    kernel = KernelOfStructures(zeta=2, centers=centers)
    O = np.linalg.qr(np.random.default_rng(4).normal(size=(2, 2)))[0]
    np.testing.assert_allclose(kernel(own, u)[0], kernel(own, u @ O)[0], rtol=1e-10)
    one, other = (
        optimise_map(own, targets, kernel, start, penalty=0.1, steps=8) for start in (u, u @ O)
    )
    np.testing.assert_allclose(one.u @ one.u.T, other.u @ other.u.T, rtol=1e-4)
    assert one.steps > 1


def test_kernel_does_not_depend_on_orientation_or_order(model, structures, own, u):
    kernel = KernelOfStructures(zeta=2, centers="alchemical")
    turned = []
    for k, s in enumerate(structures):
        atoms = s[np.random.default_rng(k).permutation(len(s))]
        atoms.rotate(40 + k, (1, 2, 3), rotate_cell=True)
        turned.append(atoms)
    np.testing.assert_allclose(
        kernel(densities_of(model, 0, turned), u)[0], kernel(own, u)[0], rtol=1e-9
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_optimum_finds_species_that_are_alike(loss):
    """N and O have the same energies as each other, C those of its own."""
    rng = np.random.default_rng(0)
    numbers = [rng.choice(SPECIES, 3) for _ in range(40)]
    frames = [random_structure(z, seed=k) for k, z in enumerate(numbers)]
    model = build_model(SPECIES, [0.0] * 3, [tabulated_term(SPECIES, 2, 1, 3.5, 1)])
    own = densities_of(model, 0, [structure_from_atoms(atoms) for atoms in frames])
    alike = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    kernel = KernelOfStructures(zeta=1, centers="alchemical")
    K, _ = kernel(own, alike)
    y = K @ rng.normal(size=len(K))
    y -= y.mean()
    start = np.array([[1.0, 0.0], [0.6, 0.6], [0.0, 1.0]])
    n_atoms = np.full(len(y), 3)
    found = optimise_map(
        own, Targets(y, np.ones(len(y)), n_atoms), kernel, start, loss=loss, penalty=1e-5
    )
    assert found.losses[-1] < found.losses[0] - (1.0 if loss == "marginal_likelihood" else 0.002)
    direction = found.u / np.linalg.norm(found.u, axis=1, keepdims=True)
    cosine = direction @ direction.T
    assert cosine[1, 2] > 0.99 and abs(cosine[0, 1]) < 0.3


def test_penalty_keeps_the_map_at_its_start(own, targets, u):
    kernel = KernelOfStructures()
    stiff = optimise_map(own, targets, kernel, u, penalty=1e8)
    np.testing.assert_allclose(stiff.u, u, atol=1e-4)
    loose = optimise_map(own, targets, kernel, u, penalty=0.1, steps=3)
    assert np.abs(loose.u - u).max() > 0.01 and loose.steps <= 3


def test_species_without_data_keep_their_start(model, structures, u):
    few = [s for s in structures if 7 not in s.numbers]
    own, kernel = densities_of(model, 0, few), KernelOfStructures()
    n_atoms = np.array([len(s) for s in few])
    K, _ = kernel(own, np.random.default_rng(5).normal(size=u.shape))
    y = K @ np.random.default_rng(6).normal(size=len(few))
    found = optimise_map(own, Targets(y, n_atoms**0.5, n_atoms), kernel, u, penalty=1e-3)
    np.testing.assert_array_equal(found.u[1], u[1])
    assert (found.u[0] != u[0]).any()


def test_species_without_data_move_as_those_like_them():
    start = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, -1.0]])
    known = np.array([True, True, False, False])
    likeness = np.eye(4)
    likeness[0, 2] = likeness[2, 0] = 1.0
    u = start + np.array([[0.0, 0.3], [0.2, 0.0], [0.0, 0.0], [0.0, 0.0]])
    moved = interpolated(u, start, known, likeness)
    np.testing.assert_array_equal(moved[:2], u[:2])
    np.testing.assert_allclose(moved[2], [1.0, 1.0 + 0.3 / 1.1])  # as the first, of which it is one
    np.testing.assert_array_equal(moved[3], start[3])  # like no other


def test_bar_ends_with_the_last_step(own, targets, u):
    seen = []

    def progress(items, what):
        for item in items:
            seen.append(what)
            yield item

    optimise_map(own, targets, KernelOfStructures(), u, steps=4, progress=progress)
    assert seen == ["alchemical map"] * 4


def test_too_few_structures_are_an_error(model, structures, u):
    few = structures[:2]
    n_atoms = np.array([len(s) for s in few])
    with pytest.raises(SoapGprError, match="found 2 structures with energies, expected at least 3"):
        optimise_map(
            densities_of(model, 0, few), Targets(n_atoms, n_atoms, n_atoms), KernelOfStructures(), u
        )


def test_densities_that_do_not_fit_into_memory_are_an_error(model, structures, monkeypatch):
    monkeypatch.setattr("potential.optimization.mixing.available_bytes", lambda: 1000)
    with pytest.raises(SoapGprError, match=r"already need .*n_structures"):
        densities_of(model, 0, structures)
