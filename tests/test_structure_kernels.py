# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of structures against the sums they stand for, dscribe's REMatch, and their limits."""

import numpy as np
import pytest
import slow_twin
from ase import Atoms
from ase.build import bulk, molecule
from scipy.optimize import linear_sum_assignment

from potential import (
    SoapDescriptor,
    SoapGprError,
    SymmetryFunctions,
    averaged_density,
    environment_kernel,
    structure_kernel,
)
from potential.basis import tabulate
from potential.descriptors import Features
from potential.kernels import structures
from potential.kernels.rematch import rematch
from potential.settings import SoapTermSettings

NAMES = ["H2O", "CH4", "C2H6", "CH3OH", "CO2", "HCOOH"]
BASIS = {"cutoff": 3.0, "n_max": 3, "l_max": 2}
SPECIES = ["H", "C", "O"]
POOLINGS = ["mean", "sum", "features", "rematch"]
CENTERS = ["separate", "shared"]


@pytest.fixture(scope="module")
def frames():
    return [molecule(name) for name in NAMES]


@pytest.fixture(scope="module")
def A(frames):
    return SoapDescriptor(**BASIS, species=SPECIES).compute(frames)


@pytest.fixture(scope="module")
def B(frames):
    moved = [atoms.copy() for atoms in frames[:3]]
    for seed, atoms in enumerate(moved):
        atoms.rattle(0.1, seed=seed)
    return SoapDescriptor(**BASIS, species=SPECIES).compute(moved)


def rows(features, s):
    return slice(features.offsets[s], features.offsets[s + 1])


def twin(A, B, zeta, pooling, centers, w_A, w_B, gamma=0.5):
    """Eq. (7c), (24) to (24d), an entry at a time."""
    K = np.zeros((len(A.offsets) - 1, len(B.offsets) - 1))
    for s, t in np.ndindex(K.shape):
        I, J = rows(A, s), rows(B, t)
        delta = A.numbers[I][:, None] == B.numbers[J]
        delta = delta if centers == "separate" else np.ones_like(delta)
        a, b = w_A[I], w_B[J]
        if pooling != "sum":
            a, b = a / a.sum(), b / b.sum()
        products = A.values[I] @ B.values[J].T
        k = delta * products**zeta
        if pooling == "features":
            K[s, t] = (a @ (delta * products) @ b) ** zeta
        elif pooling == "rematch":
            K[s, t] = np.sum(sinkhorn(k, a, b, gamma) * k)
        else:
            K[s, t] = a @ k @ b
    return K


def sinkhorn(C, a, b, gamma):
    """The plan of eq. (24d), not on logarithms."""
    M, v = np.exp(C / gamma), np.ones(len(b))
    for _ in range(5000):
        u = a / (M @ v)
        v = b / (u @ M)
    return u[:, None] * M * v


def smoothing(pooling):
    """A gamma at which the twin's iteration converges."""
    return {"gamma": 0.5} if pooling == "rematch" else {}


@pytest.mark.parametrize("centers", CENTERS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_kernels_equal_the_sums_they_stand_for(A, B, pooling, centers, monkeypatch):
    options = {"zeta": 2, "pooling": pooling, "centers": centers} | smoothing(pooling)
    ones = np.ones(len(A.values)), np.ones(len(B.values))
    K = structure_kernel(A, B, **options)
    np.testing.assert_allclose(K, twin(A, B, w_A=ones[0], w_B=ones[1], **options), atol=1e-9)
    monkeypatch.setattr(structures, "SIDE", 7)  # blocks of one structure and of several
    np.testing.assert_allclose(structure_kernel(A, B, **options), K, atol=1e-12)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_weights_equal_the_weighted_sums(A, B, pooling):
    rng = np.random.default_rng(0)
    w_A, w_B = (rng.uniform(0.2, 3.0, len(own.values)) for own in (A, B))
    w_A[3], w_B[0] = 0.0, 0.0
    options = {"zeta": 3, "pooling": pooling, "centers": "shared"} | smoothing(pooling)
    K = structure_kernel(A, B, weights=(w_A, w_B), **options)
    w_A[3], w_B[0] = 1e-200, 1e-200  # the twin's logarithm
    np.testing.assert_allclose(K, twin(A, B, w_A=w_A, w_B=w_B, **options), atol=1e-9)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_weights_by_species_leave_hydrogen_out(A, B, frames, pooling):
    """Weight 0 is as if the atoms were no centres; species that are not named count 1."""
    heavy = Features(
        A.values[A.numbers > 1],
        A.numbers[A.numbers > 1],
        np.cumsum([0, *(int(np.sum(atoms.numbers > 1)) for atoms in frames)]),
    )
    found = structure_kernel(A, pooling=pooling, weights={"H": 0})
    np.testing.assert_allclose(found, structure_kernel(heavy, pooling=pooling), atol=1e-9)
    by_array = structure_kernel(A, pooling=pooling, weights=np.where(A.numbers == 1, 0.0, 1.0))
    np.testing.assert_array_equal(by_array, found)


@pytest.mark.parametrize("centers", CENTERS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_kernels_are_symmetric_positive_and_normalised(A, B, pooling, centers):
    options = {"pooling": pooling, "centers": centers}
    K = structure_kernel(A, **options)
    np.testing.assert_allclose(K, K.T, atol=1e-9)
    if pooling != "rematch":  # which has no features
        assert np.linalg.eigvalsh(K).min() > -1e-10 * np.trace(K)
    size = np.sqrt(np.diag(K))
    unit = structure_kernel(A, normalize=True, **options)
    np.testing.assert_allclose(unit, K / np.outer(size, size), atol=1e-9)
    other = structure_kernel(A, B, normalize=True, **options)
    own = np.sqrt(np.diag(structure_kernel(B, **options)))
    expected = structure_kernel(A, B, **options) / np.outer(size, own)
    np.testing.assert_allclose(other, expected, atol=1e-9)


def test_normalised_kernel_of_no_features_is_zero():
    lonely = SoapDescriptor(**BASIS, species=["H"], central_weight=0).compute(
        [Atoms("H"), molecule("H2")]
    )
    K = structure_kernel(lonely, normalize=True)
    np.testing.assert_allclose(K, [[0.0, 0.0], [0.0, 1.0]])


def test_averaged_features_of_power_1_are_the_average_kernel(A, B):
    for centers in CENTERS:
        found = structure_kernel(A, B, zeta=1, pooling="features", centers=centers)
        expected = structure_kernel(A, B, zeta=1, pooling="mean", centers=centers)
        np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.parametrize("gamma", [1.0, 0.2, 0.1])
def test_rematch_equals_dscribe(gamma):
    """At equal features, not next to decoupled, where dscribe ends before it has converged."""
    kernels = pytest.importorskip("dscribe.kernels")
    rng, sizes = np.random.default_rng(0), [2, 5, 9, 4]
    X = rng.uniform(0.0, 1.0, (sum(sizes), 6))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    A = Features(X, np.ones(len(X), dtype=int), np.cumsum([0, *sizes]))
    local = np.split(X, A.offsets[1:-1])
    options = {"metric": "polynomial", "degree": 2, "gamma": 1.0, "coef0": 0.0, "alpha": gamma}
    for normalize in (False, True):
        own = kernels.REMatchKernel(**options, threshold=1e-19, normalize_kernel=normalize)
        found = structure_kernel(A, zeta=2, pooling="rematch", gamma=gamma, normalize=normalize)
        np.testing.assert_allclose(found, own.create(local), rtol=0, atol=1e-8)


def similarities(n, m, seed=0):
    return np.random.default_rng(seed).uniform(0.0, 1.0, (n, m))


def of_pair(C, gamma, a=None, b=None):
    n, m = C.shape
    a = np.full(n, 1 / n) if a is None else a
    b = np.full(m, 1 / m) if b is None else b
    return rematch(C, a, b, np.array([0, m]), gamma)[0]


def test_rematch_without_smoothing_is_the_best_match():
    """K is within γ times the largest difference of entropies, 2 ln n, of it, and below."""
    for seed in range(5):
        C = similarities(6, 6, seed)
        best = C[linear_sum_assignment(C, maximize=True)].mean()
        found = [of_pair(C, gamma) for gamma in (0.1, 0.02, 0.004)]
        assert found[0] < found[1] < found[2] <= best + 1e-9
        assert best - found[2] < 0.004 * np.log(6)


def test_rematch_of_much_smoothing_is_the_average():
    C = similarities(5, 8)
    for gamma in (1e3, 1e6):
        assert abs(of_pair(C, gamma) - C.mean()) < 1 / gamma


@pytest.mark.parametrize("n", [3, 5])
def test_rematch_of_decoupled_environments_takes_few_iterations(n, monkeypatch):
    """Two kinds that have nothing in common, in equal and in different shares: matches within each
    kind, and what is left over counts 0."""
    monkeypatch.setattr("potential.kernels.rematch.MOST_ITERATIONS", 100)
    C = np.zeros((6, 3 + n))
    C[:3, :3], C[3:, 3:] = 0.9, 0.8
    share = np.array([3, n]) / (3 + n)
    matched = np.minimum([0.5, 0.5], share)
    assert of_pair(C, 0.02) == pytest.approx(matched @ [0.9, 0.8], abs=1e-8)


@pytest.mark.parametrize("gamma", [0.1, 0.01, 1e-3, 1e-4])
def test_rematch_of_molecules_takes_few_iterations(gamma, monkeypatch):
    """Of atoms that are alike and of kinds that have nothing in common, for sizes that differ."""
    monkeypatch.setattr("potential.kernels.rematch.MOST_ITERATIONS", 300)
    frames = [molecule(name) for name in ("C3H6_D3h", "cyclobutane", "H2", "CH4", "C6H6")]
    A = SoapDescriptor(**BASIS, species=["H", "C"]).compute(frames)
    K = structure_kernel(A, zeta=1, pooling="rematch", gamma=gamma)
    np.testing.assert_allclose(K, K.T, atol=1e-9)
    assert np.abs(np.diag(K) - 1.0).max() < gamma * np.log(12)


def test_plan_is_optimal():
    """No other plan of the same sums has a larger similarity and entropy."""
    rng = np.random.default_rng(1)
    C, gamma = similarities(4, 6), 0.2
    a, b = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(6))
    P = sinkhorn(C, a, b, gamma)
    assert of_pair(C, gamma, a, b) == pytest.approx(np.sum(P * C), abs=1e-9)

    def value(P):
        return np.sum(P * (C - gamma * np.log(P)))

    for _ in range(20):
        (i, k), (j, m) = (rng.choice(n, 2, replace=False) for n in C.shape)
        step = np.zeros_like(P)
        step[[i, k], [j, m]], step[[i, k], [m, j]] = 1.0, -1.0
        for size in (1e-4, -1e-4):
            if (P + size * step > 0).all():
                assert value(P + size * step) < value(P)


def test_rematch_of_small_gamma_neither_overflows_nor_ends_silently(monkeypatch):
    assert np.isfinite(of_pair(similarities(3, 3), 1e-3))
    monkeypatch.setattr("potential.kernels.rematch.MOST_ITERATIONS", 3)
    A = SoapDescriptor(**BASIS, species=SPECIES).compute([molecule(name) for name in NAMES])
    with pytest.raises(SoapGprError, match=r"^structure 0 with 0 to 5: REMatch has not converged"):
        structure_kernel(A, pooling="rematch", gamma=1e-3)


# ---------------------------------------------------------------- averaged density


def twin_of_averaged_density(atoms, species, weights=None, **basis):
    """Eq. (24a): the mean of the slow twin's expansions, then its power spectrum."""
    tables = tabulate(SoapTermSettings(**basis), species)
    index = np.searchsorted(species, atoms.numbers)
    around = slow_twin.neighbours(atoms.positions, atoms.cell.array, atoms.pbc, basis["cutoff"])
    weights = np.ones(len(atoms)) if weights is None else weights
    total = [0.0] * (basis["l_max"] + 1)
    for i, (j, r_ij) in enumerate(around):
        c = slow_twin.expansion(tables, basis["l_max"], index[i], index[j], r_ij)
        total = [sum_l + weights[i] * c_l for sum_l, c_l in zip(total, c, strict=True)]
    return slow_twin.normalise(slow_twin.power_spectrum(total))


def test_averaged_density_equals_the_slow_twin():
    crystal = bulk("NaCl", "rocksalt", a=5.0)
    crystal.rattle(0.1, seed=0)
    frames = [crystal, bulk("Na", cubic=True)]
    basis = {"cutoff": 4.0, "n_max": 3, "l_max": 3}
    soap = SoapDescriptor(**basis, species=["Na", "Cl"])
    found = averaged_density(soap, frames)
    assert found.numbers.tolist() == [0, 0] and found.offsets.tolist() == [0, 1, 2]
    for row, atoms in zip(found.values, frames, strict=True):
        expected = twin_of_averaged_density(atoms, [11, 17], **basis)
        np.testing.assert_allclose(row, expected, atol=1e-10)
    weighted = averaged_density(soap, frames, weights={"Cl": 0.25}).values[0]
    expected = twin_of_averaged_density(crystal, [11, 17], [1.0, 0.25], **basis)
    np.testing.assert_allclose(weighted, expected, atol=1e-10)


@pytest.mark.parametrize("representation", ["power_spectrum", "radial_spectrum"])
def test_averaged_density_of_equal_environments_is_that_of_one(representation):
    l_max = 0 if representation == "radial_spectrum" else 3
    soap = SoapDescriptor(
        cutoff=4.0, n_max=4, l_max=l_max, species=["Si"], representation=representation
    )
    atoms = bulk("Al", cubic=True)
    atoms.numbers[:] = 14
    one = soap(atoms)[0]
    np.testing.assert_allclose(averaged_density(soap, atoms).values[0], one, atol=1e-12)


def test_averaged_density_is_of_the_whole_and_does_not_turn(frames):
    soap = SoapDescriptor(**BASIS, species=SPECIES)
    turned = [atoms.copy() for atoms in frames]
    for atoms in turned:
        atoms.rotate(47.0, (1.0, 2.0, -0.5))
    p = averaged_density(soap, frames)
    np.testing.assert_allclose(averaged_density(soap, turned).values, p.values, atol=1e-10)
    expected = (p.values @ p.values.T) ** 2
    for pooling in POOLINGS:
        np.testing.assert_allclose(structure_kernel(p, zeta=2, pooling=pooling), expected)
    mean = structure_kernel(soap.compute(frames), zeta=2, centers="shared", normalize=True)
    assert np.abs(mean - expected).max() > 0.01  # it is another kernel


def test_averaged_density_refuses_what_it_cannot_average(frames):
    with pytest.raises(SoapGprError, match=r"found representation 'bispectrum', expected one of"):
        averaged_density(
            SoapDescriptor(n_max=2, l_max=1, species=SPECIES, representation="bispectrum"), frames
        )
    with pytest.raises(SoapGprError, match=r"^found SymmetryFunctions, expected SoapDescriptor$"):
        averaged_density(SymmetryFunctions(), frames)
    soap = SoapDescriptor(**BASIS, species=SPECIES)
    with pytest.raises(SoapGprError, match=r"^structure 1: found no atoms, expected at least one$"):
        averaged_density(soap, [frames[0], Atoms()], weights={"H": 0.5})
    with pytest.raises(SoapGprError, match=r"^structure 0: found Si, expected only H, C, O"):
        averaged_density(soap, bulk("Si"))
    with pytest.raises(SoapGprError, match=r"^weights by species: found features of structures"):
        structure_kernel(averaged_density(soap, frames), weights={"H": 0.5})


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "options, message",
    [
        ({"pooling": "max"}, "pooling: found 'max', expected 'mean' or 'sum' or 'features' or"),
        ({"centers": "alchemical"}, "centers: found 'alchemical', expected 'separate' or 'shared'"),
        ({"gamma": 0.0, "pooling": "rematch"}, "gamma: found 0.0, expected a number above 0"),
        ({"gamma": -1, "pooling": "rematch"}, "gamma: found -1, expected a number above 0"),
        ({"gamma": np.nan, "pooling": "rematch"}, "gamma: found nan, expected a number above 0"),
        ({"gamma": 0.1}, "gamma: found with pooling 'mean', expected it with 'rematch'"),
        ({"normalize": 1}, "normalize: found 1, expected True or False"),
        ({"weights": {"Xy": 1.0}}, "species: found 'Xy', expected symbols or atomic numbers"),
        ({"weights": {"H": -1.0}}, "weights: found 'H': -1.0, expected at least 0"),
        ({"weights": {"H": 0, "O": 0}}, "weights: those of structure 0 are all 0, expected one"),
        ({"weights": [1.0, 2.0]}, r"weights: found an array of shape \(2,\), expected \(30,\)"),
        ({"weights": "H"}, "weights: found str, expected numbers, by species or an array"),
        ({"weights": np.full(30, np.nan)}, "weights: found one that is negative or not finite"),
    ],
)
def test_bad_parameters_are_one_sentence(A, options, message):
    assert len(A.values) == 30
    with pytest.raises(SoapGprError, match=f"^{message}"):
        structure_kernel(A, **options)


def test_bad_features_are_one_sentence(A, B):
    with pytest.raises(SoapGprError, match=r"^weights: expected a number by species or a pair of"):
        structure_kernel(A, B, weights=np.ones(30))
    broken = Features(A.values.copy(), A.numbers, A.offsets)
    broken.values[4, 2] = np.nan
    with pytest.raises(SoapGprError, match=r"^structure 1: found features of H that are not fini"):
        structure_kernel(broken)
    empty = Features(A.values, A.numbers, np.insert(A.offsets, 2, A.offsets[2]))
    for kernel in (structure_kernel, environment_kernel):
        with pytest.raises(SoapGprError, match=r"^found structure 2 without atoms, expected at"):
            kernel(empty)
    none = Features(A.values[:0], A.numbers[:0], np.array([0]))
    with pytest.raises(SoapGprError, match=r"^found features without structures or atoms"):
        structure_kernel(none)
