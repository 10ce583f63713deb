# SPDX-License-Identifier: BSD-3-Clause
"""Contractions that fit the data, and contractions of alchemical channels."""

import numpy as np
import pytest
from alchemical import contracted_alchemical_model
from body_order import SMALL, assert_forces_are_derivatives, assert_rows_are_the_evaluation
from models import random_structure, tabulated_term
from test_optimised_maps import alloys
from training_data import emt_frames, write_frames

from potential import Model, SoapDescriptor, SoapGprError, tune
from potential.basis.contraction import contracted, principal_components, variance_in
from potential.optimization import (
    KernelOfStructures,
    Targets,
    as_table,
    channel_densities_of,
    optimise_map,
)
from potential.optimization.losses import LOSSES
from potential.optimization.optimise import Objective
from potential.settings.file import as_settings, parse_settings
from potential.structures.structure import structure_from_atoms
from potential.terms import build_model
from potential.terms.density_covariance import density_covariance
from potential.terms.features import features
from potential.training.estimate import estimate
from potential.training.fitting import fit
from potential.training.maps import relative_errors
from potential.training.provenance import summary
from potential.validation.row_store import prepare

SPECIES = (6, 7, 8)
KERNELS = [
    KernelOfStructures(),
    KernelOfStructures(zeta=2, centers="shared"),
    KernelOfStructures(zeta=2.5, centers="alchemical"),
    KernelOfStructures(zeta=3, normalize=False, offset=0.2),
]


@pytest.fixture(scope="module")
def draft():
    return tabulated_term(SPECIES, 2, 2, 3.5, 1)


@pytest.fixture(scope="module")
def structures():
    choices = [(6, 7, 8, 8), (6, 6), (7, 8), (8, 8, 8), (6, 8, 6), (7, 7, 6), (7,)]
    return [random_structure(np.array(z), seed=k) for k, z in enumerate(choices)]


@pytest.fixture(scope="module")
def start(draft, structures):
    """Three channels of each l."""
    model = build_model(SPECIES, [0.0] * 3, [draft])
    frames = [structure_from_atoms(s) for s in structures]
    return principal_components(density_covariance(model, 0, frames), 3).matrices


@pytest.fixture(scope="module")
def own(draft, structures):
    model = build_model(SPECIES, [0.0] * 3, [draft])
    kappa = np.array([[1, 0.5, 0.2], [0.5, 1, 0.6], [0.2, 0.6, 1]])
    return channel_densities_of(model, 0, structures, [3] * 3, kappa)


@pytest.fixture(scope="module")
def targets(structures, own, start):
    rng = np.random.default_rng(2)
    n_atoms = np.array([len(s) for s in structures])
    other = as_table(start) + 0.3 * rng.normal(size=as_table(start).shape)
    K, _ = KernelOfStructures(zeta=2)(own, other)
    return Targets(K @ rng.normal(size=len(K)), n_atoms**0.5, n_atoms)


@pytest.mark.check
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_kernel_is_that_of_the_contracted_model(kernel, draft, structures, own):
    rng = np.random.default_rng(0)
    matrices = [rng.normal(size=(3, 6)) for _ in range(3)]
    entry = draft | contracted(draft, matrices) | {"normalize": kernel.normalize}
    model = build_model(SPECIES, [0.0] * 3, [entry])
    X = np.concatenate([features(model, 0, s) for s in structures])
    couple = {"separate": np.eye(3), "shared": np.ones((3, 3)), "alchemical": own.kappa}
    k = (X @ X.T + kernel.offset) ** kernel.zeta
    k *= couple[kernel.centers][own.center][:, own.center]
    pool = (own.structure == np.arange(len(structures))[:, None]).astype(float)
    found, _ = kernel(own, as_table(matrices))
    np.testing.assert_allclose(found, pool @ k @ pool.T, rtol=1e-10)


@pytest.mark.check
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_is_the_finite_difference(kernel, loss, own, targets, start):
    table = as_table(start)
    objective = Objective(own, targets, kernel, table, loss=loss, penalty=2.0)
    at, h = table + 0.1, 1e-5
    slopes = objective(at, -2.0)[2]
    for k in [(0, 0), (2, 5), (4, 1), (7, 3), (8, 4)]:
        step = np.zeros_like(at)
        step[k] = h
        up, down = (sum(objective(x, -2.0)[:2]) for x in (at + step, at - step))
        assert slopes[k] == pytest.approx((up - down) / (2 * h), rel=1e-5, abs=1e-8)


@pytest.mark.check
def test_rotated_channels_give_the_same_kernel_and_lengths_do_not(own, start):
    kernel, O = KernelOfStructures(zeta=2), np.linalg.qr(np.arange(9.0).reshape(3, 3) ** 2 + 1)[0]
    K, _ = kernel(own, as_table(start))
    np.testing.assert_allclose(kernel(own, as_table([O @ V for V in start]))[0], K, rtol=1e-10)
    lengths = np.diag([1.0, 2.0, 3.0])
    assert np.abs(kernel(own, as_table([lengths @ V for V in start]))[0] - K).max() > 1e-3


@pytest.mark.check
def test_optimum_has_a_smaller_loss_and_stays_near_where_it_must(own, targets, start):
    kernel, table = KernelOfStructures(zeta=2), as_table(start)
    loose = optimise_map(own, targets, kernel, table, penalty=0.01, steps=20)
    assert loose.losses[-1] < loose.losses[0] and np.abs(loose.u - table).max() > 0.01
    stiff = optimise_map(own, targets, kernel, table, penalty=1e8)
    np.testing.assert_allclose(stiff.u, table, atol=1e-4)


def test_channels_of_unequal_number_keep_their_places():
    matrices = [np.arange(6.0).reshape(2, 3), np.ones((1, 2))]
    table = as_table(matrices)
    assert table.tolist() == [[0, 1, 2], [3, 4, 5], [1, 1, 0]]


def test_variance_is_that_of_the_span(start):
    C = [np.diag(np.arange(6.0, 0, -1))] * 2
    V = principal_components(C, 2).matrices
    mixed = [np.array([[2.0, 0.3], [0.0, 5.0]]) @ own for own in V]
    assert variance_in(C, mixed) == pytest.approx([11 / 21] * 2)
    assert variance_in([np.zeros((6, 6))], V[:1]) == [1.0]


# Contractions of alchemical channels


@pytest.mark.parametrize("centers", ("separate", "alchemical", "shared"))
def test_all_alchemical_channels_give_the_uncontracted_model(centers):
    basis = {"atom_sigma": {"H": 0.3, "C": 0.5, "O": 0.5}}
    found, plain = contracted_alchemical_model(100, centers, basis=basis, species=(1, 6, 8))
    assert "table_of" not in found.terms[0] and "term0.alchemy" not in found.arrays
    assert found.terms[0]["n_channels"] == plain.terms[0]["n_channels"]
    atoms = random_structure([8, 1, 1, 6], seed=7, cell=SMALL)
    one, other = (m.evaluate(atoms) for m in (found, plain))
    np.testing.assert_allclose(one.energies, other.energies, rtol=1e-9)
    np.testing.assert_allclose(one.forces, other.forces, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(one.virial, other.virial, rtol=1e-7, atol=1e-8)


def test_contracted_alchemical_channels_have_the_keystones():
    model, _ = contracted_alchemical_model(2, zeta=3)
    atoms = random_structure([*model.species, 1], seed=3, cell=SMALL)
    assert model.terms[0]["n_channels"] == [2] * 3
    assert_rows_are_the_evaluation(model, atoms)
    assert_forces_are_derivatives(model, atoms)


def test_the_descriptor_contracts_alchemical_channels():
    frames = [random_structure([8, 1, 1] * 2, seed=k) for k in range(3)]
    small = {"cutoff": 3.5, "n_max": 3, "l_max": 2, "alchemy": {"dimensions": 1}}
    full = SoapDescriptor(**small).fit(frames)(frames)
    soap = SoapDescriptor(**small, contraction={"n_channels": 3}).fit(frames)
    np.testing.assert_allclose(soap(frames) @ soap(frames).T, full @ full.T, atol=1e-11)
    assert soap.get_feature_names_out()[1] == "q=0 q=1 l=0"


# Fits


def settings(contraction=(), term=(), **optimise):
    own = {"cutoff": 4.0, "n_max": 3, "l_max": 2, "zeta": 2, "n_sparse": 30}
    asked = {"n_channels": 3, "optimise": {"n_structures": 40, "steps": 12} | optimise}
    own |= {"contraction": asked | dict(contraction)} | dict(term)
    return {"data": {}, "baseline": {"isolated_atom_energies": "average"}, "terms": [own]}


@pytest.fixture(scope="module")
def frames():
    return alloys(40, metals=("Cu", "Au", "Pd"))


@pytest.fixture(scope="module")
def fitted(frames):
    return fit(settings(), train=frames, progress=False)


def said(result):
    return [line for line in result.warnings if "optimised" in line]


def test_a_fit_optimises_records_and_says_it(fitted, frames):
    (line,) = said(fitted)
    start = "[[terms]] number 1: contraction was optimised on 40 structures, of those it learns"
    assert line.startswith(start) and line.endswith("in 12 steps")
    (own,) = fitted.provenance["terms"]
    assert own["contraction"]["kept"] == [3] * 3 and own["contraction"]["channels"] == [9] * 3
    assert own["contraction"]["optimised"] == line.split(": ")[-1]
    model = Model.from_bytes(fitted.model.to_bytes())
    assert f"term 1, optimised: {line.split(': ')[-1]}" in summary(model)
    assert model.metadata["settings"]["terms"][0]["contraction"]["optimise"]["steps"] == 12
    first, last = line.split("marginal_likelihood ")[1].split(" in ")[0].split(" → ")
    assert float(last) < float(first)
    assert_rows_are_the_evaluation(fitted.model, frames[0])
    assert_forces_are_derivatives(model, frames[0])


def test_it_does_not_depend_on_the_order_of_the_frames_and_comes_again(fitted, frames):
    again = fit(settings() | {"terms": fitted.model.metadata["settings"]["terms"]},
                train=frames[::-1], progress=False)  # fmt: skip
    for name in ("term0.table.0", "term0.weights.0"):
        np.testing.assert_array_equal(again.model.arrays[name], fitted.model.arrays[name])


def test_a_stiff_penalty_leaves_the_contraction_of_the_covariance(frames):
    stiff = fit(settings(penalty=1e12, steps=5), train=frames, progress=False)
    plain = fit(settings({"optimise": None}), train=frames, progress=False)
    for name in ("term0.table.0", "term0.central.2"):
        found, expected = (own.model.arrays[name] for own in (stiff, plain))
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
    assert not said(plain)


def test_structures_are_set_apart_and_another_zeta_is_warned_of(frames):
    own = settings(apart=True, n_structures=15, zeta=1, steps=2)
    result = fit(own, train=frames, progress=False)
    first, second = said(result)
    assert len(result.train) == 25 and "which the model does not learn from" in first
    assert "contraction was optimised for zeta = 1 and is used with zeta = 2" in second


@pytest.mark.parametrize("centers", ("separate", "alchemical"))
def test_map_and_contraction_are_optimised_one_after_the_other(centers, frames):
    alchemy = {"dimensions": 2, "optimise": {"n_structures": 30, "steps": 3}}
    own = settings(steps=3, term={"alchemy": alchemy, "centers": centers})
    result = fit(own, train=frames, progress=False)
    assert [line.split()[3] for line in said(result)] == ["alchemy", "contraction"]
    model = result.model
    assert model.terms[0]["n_channels"] == [3] * 3 and "term0.alchemy" not in model.arrays
    (record,) = result.provenance["terms"]
    assert record["contraction"]["channels"] == [6] * 3
    alchemy = model.metadata["settings"]["terms"][0]["alchemy"]
    assert alchemy["optimise"] is None and set(alchemy["start"]) == {"Cu", "Au", "Pd"}
    assert_rows_are_the_evaluation(model, frames[0])


def test_the_plan_and_the_trial_do_without_optimising(frames, tmp_path, monkeypatch):
    import ase.io

    ase.io.write(tmp_path / "train.xyz", frames)
    monkeypatch.setattr("potential.training.optimised.optimise_map", None)
    text = estimate(settings() | {"data": {"train": [str(tmp_path / "train.xyz")]}})
    assert "Contraction    [[terms]] number 1: optimised first on 40 structures, in at" in text


def test_a_factor_keeps_the_contraction_that_was_found(frames, tmp_path, monkeypatch):
    path, own = tmp_path / "fit.factor", settings(steps=2)
    first = fit(own, train=frames[:30], progress=False, factor=path).model
    monkeypatch.setattr("potential.training.optimised.optimise_map", None)
    second = fit(own, train=frames, progress=False, factor=path).model
    np.testing.assert_array_equal(first.arrays["term0.table.0"], second.arrays["term0.table.0"])


def test_unusable_places_are_errors_that_name_the_key(frames):
    asked = {"n_channels": 2, "optimise": {}}
    with pytest.raises(SoapGprError, match=r"contraction\.optimise: found a table that is fitted"):
        SoapDescriptor(contraction=asked).fit(frames[:2])
    with pytest.raises(SoapGprError, match=r'"power_spectrum" with contraction\.optimise'):
        as_settings(settings(term={"representation": "bispectrum"}), data_required=False)
    with pytest.raises(SoapGprError, match="at least 3 to optimise the contraction"):
        fit(settings(), train=frames[:2], progress=False)


@pytest.mark.parametrize("key", ("alchemy", "contraction"))
def test_a_factor_of_a_product_names_itself(key):
    asked = {"alchemy": {"dimensions": 2}, "contraction": {"n_channels": 2}}[key]
    factors = [{"cutoff": 3.0}, {"cutoff": 3.0, key: asked | {"optimise": {}}}]
    terms = [{"kind": "pair"}, {"kind": "product", "factors": factors}]
    message = (
        rf"\[\[terms.factors\]\] number 2 of \[\[terms\]\] number 2 {key}\.optimise: found a table"
    )
    with pytest.raises(SoapGprError, match=message):
        as_settings({"data": {}, "terms": terms}, data_required=False)


def test_only_the_noise_of_energies_makes_another_map():
    frames = [structure_from_atoms(atoms) for atoms in emt_frames(4)]

    def errors(default, odd):
        noise = {"energy_per_atom": default, "config_type": {"odd": {"energy_per_atom": odd}}}
        own = settings() | {"noise": noise, "data": {"train": ["x.xyz"]}}
        return relative_errors(parse_settings(own), frames)

    assert errors(0.001, 0.002) == errors(0.003, 0.006) == [1, 2, 1, 2]
    assert errors(0.001, 0.003) == [1, 3, 1, 3]
    assert errors(np.inf, np.inf) == [np.inf] * 4


def test_trials_optimise_again_where_energies_count_otherwise(tmp_path, monkeypatch):
    frames = emt_frames(8, labels=("energy",))
    name = write_frames(tmp_path / "train.xyz", frames)
    prepared = []

    def counted(settings, *rest):
        prepared.append(settings.noise.config_type["odd"].energy_per_atom)
        return prepare(settings, *rest)

    monkeypatch.setattr("potential.validation.tuning.prepare", counted)
    own = settings(steps=1, term={"n_sparse": 5})
    own |= {
        "data": {"train": [name]},
        "noise": {"config_type": {"odd": {"energy_per_atom": 0.002}}},
        "tune": {
            "method": "grid",
            "folds": 2,
            "search": {
                "noise.config_type.odd.energy_per_atom": [0.002, 0.02],
                "solver.jitter": [1e-10, 1e-9],
            },
        },
    }
    tuning = tune(own)
    assert len(tuning.trials) == 5 and not any(trial.error for trial in tuning.trials)
    assert prepared == [0.002, 0.02]


def test_elements_that_training_lacks_are_contracted_like_those_they_are_taken_for(frames):
    own = settings({"optimise": None}, {"alchemy": {"dimensions": 1}, "centers": "shared"})
    own["baseline"] = {"isolated_atom_energies": dict.fromkeys(("Cu", "Au", "Pd", "Ag"), 0.0)}
    own["data"] = {"extra_species": ["Ag"]}
    model = fit(own, train=frames[:10], progress=False).model
    atoms = frames[0].copy()
    atoms.symbols[0] = "Ag"
    assert list(model.species) == [29, 46, 47, 79] and model.terms[0]["n_channels"] == [3] * 3
    assert_forces_are_derivatives(model, atoms)
