# SPDX-License-Identifier: BSD-3-Clause
"""Fits of vectors and tensors: equal to dense least squares, learnt from real data, turning as the
data turn (docs/theory.md eq. 26g, 26h)."""

from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from scipy.spatial.transform import Rotation
from tensor_data import ALPHA, BETA, DIPOLE, SHIELDING, TERM, tensor_frames, tensor_settings
from tensor_models import slow_psi_hat
from test_tensors import turned

from potential import SoapGprError, _core, fit
from potential.model.features import features_of_densities
from potential.settings.file import as_settings
from potential.tensors.spherical import Part, cartesian, parts_of, places
from potential.terms import tensor_basis
from potential.training import fit_rows
from potential.training.estimate import estimate
from potential.training.target_problem import TargetProblem
from potential.training.tensor_groups import most_sizes

ZUNDEL = Path(__file__).parents[2] / "shared/data/water_tensors/zundel.xyz"
ALL = (DIPOLE, ALPHA, SHIELDING, BETA)
RANK = {"dipole": 1, "alpha": 2, "cs": 2, "beta": 3}


@pytest.fixture(scope="module")
def train():
    return tensor_frames(25, seed=1)


@pytest.fixture(scope="module")
def test():
    return tensor_frames(10, seed=2)


@pytest.fixture(scope="module")
def result(train, test):
    return fit(tensor_settings(*ALL), train=train, test=test, progress=False)


def kernels(model, atoms, part):
    """k (N, 2λ + 1, M, 2λ + 1) with all sparse environments, as eq. (26b) is written."""
    environments = model.environments(atoms)
    basis = model.tensor_bases[0]
    c_i = _core.density_coefficients(model.core, 0, environments)
    c_m = np.concatenate([model.arrays[f"basis0.densities.{a}"] for a in (0, 1)])
    species = np.repeat([0, 1], [len(model.arrays[f"basis0.densities.{a}"]) for a in (0, 1)])
    p_i = features_of_densities(model, 0, c_i, environments.species)
    p_m = features_of_densities(model, 0, c_m, species)
    s = (p_i @ p_m.T) ** (basis["zeta"] - 1) * (environments.species[:, None] == species)
    if part == Part(0, 1):
        return (s * (p_i @ p_m.T))[:, None, :, None]
    p = [(own["lambda"], own["sigma"]) for own in basis["parts"]].index(part)
    kept = model.arrays[f"basis0.features.{p}"]
    sides = [slow_psi_hat(model, 0, c, _norm(model, c), part, kept) for c in (c_i, c_m)]
    return np.einsum("ifa,mfb->iamb", *sides) * s[:, None, :, None]


def _norm(model, c):
    """|p|² is Σ_l |c^l cᵀ^l|² / (2l + 1)."""
    total, begin = 0.0, 0
    for k, n in enumerate(model.terms[0]["n_channels"]):
        own = c[:, begin : begin + (2 * k + 1) * n].reshape(len(c), 2 * k + 1, n)
        total = total + np.sum((own.transpose(0, 2, 1) @ own) ** 2, axis=(1, 2)) / (2 * k + 1)
        begin += (2 * k + 1) * n
    return np.sqrt(total)


@pytest.mark.parametrize("own", [DIPOLE, ALPHA, BETA], ids=lambda own: own["name"])
def test_a_fit_to_structures_is_dense_least_squares(result, train, test, own):
    model, rank, h = result.model, RANK[own["name"]], ALL.index(own)
    record = result.provenance["targets"][h]
    found = np.array([model.evaluate(atoms).properties[own["name"]] for atoms in test])
    expected = np.zeros((len(test), cartesian(rank).shape[1]))
    share = 1 if own.get("extensive", True) else 1 / 5
    for part, place in places(rank).items():
        K = np.array([share * kernels(model, a, part).sum(axis=0) for a in train])
        y = np.array([a.info[own["key"]] for a in train]) @ cartesian(rank)[:, place]
        mean = [record["mean"][name] for name in ("H", "O")] if part == Part(0, 1) else [0, 0]
        counts = share * np.array([[np.sum(a.numbers == z) for z in (1, 8)] for a in train])
        left = y - (counts @ mean)[:, None]
        U = prior(model, part, np.sqrt(np.mean((left / share) ** 2) / 5))
        rows = K.reshape(len(train) * part.size, -1) / own["noise"]
        w = np.linalg.lstsq(
            np.concatenate([rows, U]),
            np.concatenate([left.ravel() / own["noise"], np.zeros(len(U))]),
            rcond=None,
        )[0]
        K = np.array([share * kernels(model, a, part).sum(axis=0) for a in test])
        counts = share * np.array([[np.sum(a.numbers == z) for z in (1, 8)] for a in test])
        values = K.reshape(len(test), part.size, -1) @ w + (counts @ mean)[:, None]
        expected[:, place] = values
    found = found.reshape(len(test), -1) @ cartesian(rank)
    np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())


def prior(model, part, scale):
    """U of U^T U = S⁻¹ K_MM S⁻¹, by its eigenvalues."""
    blocks, factors = [], []
    for a in (0, 1):
        c = model.arrays[f"basis0.densities.{a}"]
        p = features_of_densities(model, 0, c, np.full(len(c), a))
        K = (p @ p.T)[:, None, :, None] ** model.tensor_bases[0]["zeta"]
        v = np.mean(np.diag(K[:, 0, :, 0])) - np.mean(K)
        if part != Part(0, 1):
            bases = model.tensor_bases[0]
            at = [(own["lambda"], own["sigma"]) for own in bases["parts"]].index(part)
            kept = model.arrays[f"basis0.features.{at}"]
            psi = slow_psi_hat(model, 0, c, _norm(model, c), part, kept)
            K = np.einsum("ifa,mfb->iamb", psi, psi)
            K = K * ((p @ p.T) ** (bases["zeta"] - 1))[:, None, :, None]
            v = np.mean(np.einsum("mama->m", K)) / part.size
        n = len(c) * part.size
        blocks.append(K.reshape(n, n))
        factors += [scale / np.sqrt(v)] * n
    size = sum(map(len, blocks))
    K, begin = np.zeros((size, size)), 0
    for block in blocks:
        K[begin : begin + len(block), begin : begin + len(block)] = block
        begin += len(block)
    values, vectors = np.linalg.eigh(K / np.outer(factors, factors))
    return np.sqrt(np.maximum(values, 0))[:, None] * vectors.T


def test_targets_are_learnt(result, test):
    for own in (DIPOLE, ALPHA):
        labels = np.array([a.info[own["key"]] for a in test])
        assert result.test_property_errors[own["name"]]["all"].rmse < 0.7 * np.std(labels)


def test_rotated_data_give_rotated_predictions(train, test):
    Q = Rotation.random(rng=np.random.default_rng(4)).as_matrix()
    plain = fit(tensor_settings(*ALL), train=train, progress=False).model
    other = fit(tensor_settings(*ALL), train=[rotated(a, Q) for a in train], progress=False).model
    for atoms in test[:3]:
        before, after = (
            plain.evaluate(atoms).properties,
            other.evaluate(rotated(atoms, Q)).properties,
        )
        for name, rank in RANK.items():
            expected = turned(before[name], Q, rank)
            scale = np.abs(expected).max()
            np.testing.assert_allclose(after[name], expected, atol=1e-7 * scale)


def rotated(atoms, Q):
    out = ase.Atoms(atoms.numbers, atoms.positions @ Q.T, cell=atoms.cell @ Q.T, pbc=atoms.pbc)
    for own in ALL:
        rank, key = RANK[own["name"]], own["key"]
        if own["per_atom"]:
            T = atoms.arrays[key].reshape(len(atoms), 3, 3)
            out.arrays[key] = turned(T, Q, rank).reshape(len(atoms), 9)
        else:
            out.info[key] = turned(atoms.info[key].reshape((3,) * rank), Q, rank).ravel()
    return out


def test_the_choice_does_not_depend_on_the_order_of_structures(result, train):
    other = fit(tensor_settings(*ALL), train=train[::-1], progress=False).model
    for name, array in result.model.arrays.items():
        if name.startswith("basis0.features"):
            np.testing.assert_array_equal(other.arrays[name], array)
        elif name.startswith("basis0"):
            np.testing.assert_allclose(other.arrays[name], array, atol=1e-13)


def test_an_isotropic_tensor_is_a_scalar(train, test):
    """With all environments as sparse points, so that both stand on the same ones."""
    frames = train[:8]
    for atoms in frames:
        alpha = float(np.trace(atoms.info["polarizability"].reshape(3, 3)))
        atoms.info |= {"one": alpha, "iso": alpha * np.eye(3).ravel()}
    one = {"name": "one", "key": "one", "per_atom": False, "noise": 0.01}
    iso = ALPHA | {"name": "iso", "key": "iso", "n_sparse": 30, "noise": 0.01 * np.sqrt(3)}
    settings = tensor_settings(one, iso) | {"terms": [TERM | {"n_sparse": 30}]}
    model = fit(settings, train=frames, progress=False).model
    for atoms in test:
        found = model.evaluate(atoms).properties
        np.testing.assert_allclose(found["iso"], found["one"] * np.eye(3), rtol=1e-6, atol=1e-8)


def test_tensors_beside_a_potential_leave_it_alone(train):
    frames = [a.copy() for a in train[:10]]
    for k, atoms in enumerate(frames):
        atoms.info["E"] = float(k)
    data = {"data": {"energy_key": "E"}}
    both = fit(tensor_settings(DIPOLE, **data), train=frames, progress=False).model
    alone = fit(tensor_settings(**data), train=frames, progress=False).model
    for a in (0, 1):
        name = f"term0.weights.{a}"
        np.testing.assert_array_equal(both.arrays[name], alone.arrays[name])
    found = both.evaluate(frames[0])
    assert np.isfinite(found.energy) and found.properties["dipole"].shape == (3,)


@pytest.mark.skipif(not ZUNDEL.exists(), reason="needs ../shared/data")
def test_dipoles_of_zundel_are_learnt_to_half_a_percent():
    frames = ase.io.read(ZUNDEL, ":250")
    for atoms in frames:
        atoms.calc = None
        atoms.info.pop("energy", None)
    own = DIPOLE | {"key": "dipole_au", "noise": 0.001, "n_sparse": 100, "n_features": 200}
    settings = {
        "terms": [TERM | {"cutoff": 5.0, "n_max": 6, "l_max": 5, "atom_sigma": 0.3}],
        "targets": [own],
    }
    found = fit(settings, train=frames[:150], test=frames[150:], progress=False)
    labels = np.array([a.info["dipole_au"] for a in frames[150:]])
    error = found.test_property_errors["dipole"]["all"].rmse
    assert error < 0.006 * np.sqrt(np.mean(labels**2))


BAD = [
    (DIPOLE | {"column": 1}, "column: found one, expected none with kind = .vector."),
    (DIPOLE | {"rank": 2}, "rank: found one, expected none with kind = .vector."),
    (
        ALPHA | {"rank": 3, "symmetric": False},
        "symmetric: found false, expected true with rank = 3",
    ),
    ({**DIPOLE, "kind": "scalar"}, "n_sparse: found one, expected none with kind = .scalar."),
    (DIPOLE | {"key": "polarizability"}, r"found shape \(9,\), expected 3 numbers"),
    (ALPHA | {"key": "mu"}, r"found shape \(3,\), expected 9 numbers"),
    (DIPOLE | {"terms": [2]}, "terms: found 2, expected numbers to 1"),
    (DIPOLE | {"n_features": 100_000}, "found n_features = 100000, expected at most"),
    (DIPOLE | {"n_sparse": {"H": 5}}, "found n_sparse for H, expected O as well"),
    (DIPOLE | {"n_sparse": {"H": 0, "O": 0}}, "target dipole: found n_sparse = 0 for all species"),
    (DIPOLE | {"name": "forces"}, "expected another one, as it has a meaning of its own"),
]


@pytest.mark.parametrize(("own", "message"), BAD)
def test_bad_settings_are_one_sentence(train, own, message):
    with pytest.raises(SoapGprError, match=message) as error:
        fit(tensor_settings(own), train=train[:6], progress=False)
    assert "\n" not in str(error.value)


def test_a_vector_that_is_zero_everywhere_is_refused(train):
    frames = [a.copy() for a in train[:6]]
    for atoms in frames:
        atoms.info["mu"] = np.zeros(3)
    with pytest.raises(SoapGprError, match="target dipole: all 18 labels are 0"):
        fit(tensor_settings(DIPOLE), train=frames, progress=False)


@pytest.mark.parametrize("more", [{}, {"scale": 1.0}], ids=["scale found", "scale given"])
def test_a_tensor_that_is_the_same_everywhere_is_refused(train, more):
    frames = [a.copy() for a in train[:6]]
    for atoms in frames:
        atoms.info["polarizability"] = 5 * np.eye(3)
        traces = np.where(atoms.numbers == 1, 3.0, atoms.positions[:, 0])
        atoms.arrays["shielding"] = traces[:, None] * np.eye(3).ravel()
    with pytest.raises(SoapGprError, match="target alpha: found labels that are all equal, or"):
        fit(tensor_settings(ALPHA | more), train=frames, progress=False)
    with pytest.raises(SoapGprError, match="target cs: found labels of H that are all equal, exp"):
        fit(tensor_settings(SHIELDING | more), train=frames, progress=False)


def test_species_that_no_structure_has_are_said(train):
    own = DIPOLE | {"n_sparse": {"H": 5, "O": 5, "C": 5}}
    warnings = fit(tensor_settings(own), train=train[:6], progress=False).warnings
    assert "target dipole: n_sparse: C is in no training structure" in warnings


def test_a_table_of_sparse_points_needs_separate_centres(train):
    shared = TERM | {"centers": "shared"}
    own = DIPOLE | {"n_sparse": {"H": 5, "O": 5}}
    message = 'number 1 n_sparse: found a table by species, expected one number with centers = "sh'
    with pytest.raises(SoapGprError, match=message):
        fit({"terms": [shared], "targets": [own]}, train=train[:6], progress=False)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"n_features": 100_000}, "found n_features = 100000, expected at most"),
        ({"n_sparse": {"H": 5}}, "found n_sparse for H, expected O as well"),
        (ALPHA | {"mean": {"H": 1.0}}, "target alpha: found mean for H, expected O as well"),
        ({"weights": {"C": 2.0}}, "target dipole: found C in weights, expected species of the"),
        (ALPHA | {"scale": {"O": 0.1}}, "target alpha: found scale for O, expected H as well"),
    ],
)
def test_a_dry_run_and_the_beginning_of_a_fit_refuse(train, tmp_path, monkeypatch, own, message):
    """What cannot be fitted is said before the regression of the potential."""
    frames = [a.copy() for a in train[:6]]
    for k, atoms in enumerate(frames):
        atoms.calc = SinglePointCalculator(atoms, energy=float(k % 4))
    ase.io.write(tmp_path / "train.xyz", frames)
    data = {"train": [str(tmp_path / "train.xyz")]}
    settings = tensor_settings(DIPOLE | own, data=data)
    with pytest.raises(SoapGprError, match=message):
        estimate(settings)
    monkeypatch.setattr(fit_rows, "accumulate", None)
    with pytest.raises(SoapGprError, match=message):
        fit(settings, progress=False)


def test_a_dry_run_says_the_weights_and_the_memory_of_tensors(train, tmp_path, result):
    ase.io.write(tmp_path / "train.xyz", train)
    data = {"train": [str(tmp_path / "train.xyz")]}
    text = estimate(tensor_settings(*ALL, data=data))
    weights = sum(own["weights"] for own in result.provenance["targets"])
    assert f"of their own, apart by λ; at most {weights} weights" in text
    assert "of memory for all of these on each rank" in text
    assert "Time " not in text, "there is no potential"


@pytest.mark.parametrize("own", ALL, ids=lambda own: own["name"])
def test_sizes_are_known_before_sparse_environments_are(result, train, own):
    model, settings, h = (
        result.model,
        as_settings(tensor_settings(*ALL), data_required=False),
        ALL.index(own),
    )
    problem = TargetProblem(model, settings)
    groups = [problem.groups[g] for g in problem.groups_of(h)]
    structures = result.train
    largest = max(map(len, structures))
    expected = [(group.n_weights, group.most_rows(largest)) for group in groups]
    assert most_sizes(model, settings.targets[h], settings, structures) == expected


def test_too_few_environments_to_choose_products_on_are_said(train, monkeypatch):
    monkeypatch.setattr(tensor_basis, "SAMPLE_BYTES", 1)
    settings = tensor_settings(DIPOLE | {"n_sparse": 5, "n_features": 20})
    found = fit(settings, train=train[:6], progress=False)
    kept = len(found.model.arrays["basis0.features.0"])
    assert kept < 20
    (said,) = [own for own in found.warnings if "n_features" in own]
    assert f"targets dipole: only {kept} products of λ = 1, n_features = 20 were asked" in said
    assert "too many to choose by more than 2 environments" in said


def test_parts_are_those_of_the_contract():
    assert parts_of(2, False) == (Part(0, 1), Part(1, -1), Part(2, 1))
