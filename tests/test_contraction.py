# SPDX-License-Identifier: BSD-3-Clause
"""Contraction of density channels: kernels, covariance against its twin, fits, the descriptor."""

import numpy as np
import pytest
import slow_twin
from body_order import (
    SMALL,
    assert_forces_are_derivatives,
    assert_rows_are_the_evaluation,
    weights_of,
)
from models import contracted_model, random_structure, tabulated_term
from training_data import emt_frames

from potential import Model, SoapDescriptor, SoapGprError
from potential.basis.contraction import contracted, principal_components
from potential.settings.file import as_settings
from potential.structures.structure import structure_from_atoms
from potential.terms.density_covariance import density_covariance
from potential.terms.features import features
from potential.terms.training_model import build_model
from potential.training.fitting import fit
from potential.training.provenance import summary

SPECIES = (1, 8)


def water(n=3):
    return [structure_from_atoms(random_structure([8, 1, 1] * (k + 1), seed=k)) for k in range(n)]


def model_of(draft):
    return build_model(SPECIES, [-1.0, -8.0], [draft])


def slow_covariance(model, structures, by):
    """C^l as loops over structures, atoms and m."""
    tables = {
        "tables": {a: model.arrays[f"term0.table.{a}"] for a in range(2)},
        "central": {a: model.arrays[f"term0.central.{a}"] for a in range(2)},
        **model.terms[0],
    }
    l_max = model.terms[0]["l_max"]
    sums = [[np.zeros((q, q)) for q in model.terms[0]["n_channels"]] for _ in SPECIES]
    counts = np.zeros(len(SPECIES))
    for s in structures:
        species = model.species_indices(s.numbers)
        near = slow_twin.neighbours(s.positions, s.cell, s.pbc, model.cutoff)
        for i, (j, r_ij) in enumerate(near):
            counts[species[i]] += 1
            c = slow_twin.expansion(tables, l_max, species[i], species[j], r_ij)
            for C, c_l in zip(sums[species[i]], c, strict=True):
                for c_m in c_l:
                    C += np.outer(c_m, c_m)
    if by == "environments":
        return [sum(of_l) / counts.sum() for of_l in zip(*sums, strict=True)]
    return [
        sum(C / n for C, n in zip(of_l, counts, strict=True)) / len(counts)
        for of_l in zip(*sums, strict=True)
    ]


@pytest.mark.parametrize("basis", ["gto", "laplacian"])
def test_all_channels_give_the_same_kernels_energies_and_forces(basis):
    rotated, plain = (contracted_model(n, basis=basis) for n in (100, None))
    assert rotated.terms[0]["n_channels"] == plain.terms[0]["n_channels"]
    assert rotated.terms[0]["channel_begin"] == [[0] * 4] * 2
    np.testing.assert_allclose(rotated.kernel_matrix(), plain.kernel_matrix(), rtol=1e-11)
    for atoms in (random_structure([8, 1, 1], seed=7, cell=SMALL), random_structure([8] * 4)):
        X, Y = (features(own, 0, atoms) for own in (rotated, plain))
        np.testing.assert_allclose(X @ X.T, Y @ Y.T, atol=1e-12)
        one, other = (own.evaluate(atoms) for own in (rotated, plain))
        np.testing.assert_allclose(one.energies, other.energies, rtol=1e-11)
        np.testing.assert_allclose(one.forces, other.forces, atol=1e-10)
        np.testing.assert_allclose(one.virial, other.virial, atol=1e-10)


@pytest.mark.parametrize("by", ["environments", "species"])
def test_covariance_is_that_of_the_slow_twin_whatever_the_order(by):
    model, structures = model_of(tabulated_term(SPECIES, n_max=3, l_max=2)), water(4)
    found = density_covariance(model, 0, structures, by)
    for C, expected in zip(found, slow_covariance(model, structures, by), strict=True):
        np.testing.assert_allclose(C, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    again = density_covariance(model, 0, structures[::-1], by)
    assert all((other == C).all() for C, other in zip(found, again, strict=True))


def test_covariance_is_the_mean_power_spectrum():
    """[D], note 64: C^l_qq' = √(2l + 1) ⟨p^l_qq'⟩, without the √2 of eq. (5)."""
    draft, structures = tabulated_term(SPECIES, n_max=3, l_max=2), water(2)
    model = model_of(draft | {"normalize": False})
    mean = np.concatenate([features(model, 0, s) for s in structures]).mean(axis=0)
    begin = 0
    for l, C in enumerate(density_covariance(model, 0, structures)):
        upper = np.triu_indices(len(C))
        own = mean[begin : begin + len(upper[0])] * np.where(upper[0] == upper[1], 1, 0.5**0.5)
        np.testing.assert_allclose(C[upper], np.sqrt(2 * l + 1) * own, rtol=1e-11)
        begin += len(own)


def test_kept_channels_are_uncorrelated_and_hold_the_variance_they_say():
    draft, structures = tabulated_term(SPECIES), water(3)
    covariance = density_covariance(model_of(draft), 0, structures)
    found = principal_components(covariance, retained_variance=0.99)
    own = density_covariance(model_of(draft | contracted(draft, found.matrices)), 0, structures)
    for C, before, V, retained in zip(own, covariance, *found, strict=True):
        np.testing.assert_allclose(V @ V.T, np.eye(len(V)), atol=1e-13)
        np.testing.assert_allclose(C, np.diag(np.diag(C)), atol=1e-12 * C[0, 0])
        assert np.trace(C) == pytest.approx(retained * np.trace(before), rel=1e-11)
        assert 0.99 <= retained <= 1 and np.trace(C[:-1, :-1]) < 0.99 * np.trace(before)
        assert (np.diff(np.diag(C)) <= 1e-12 * C[0, 0]).all()


def test_channels_without_any_density_keep_one():
    nothing = principal_components([np.zeros((3, 3))], retained_variance=0.5)
    assert nothing.matrices[0].shape == (1, 3) and nothing.retained_variance == [1.0]


def test_no_more_channels_are_kept_than_there_are():
    assert [len(V) for V in principal_components([np.eye(3), np.eye(2)], 9).matrices] == [3, 2]
    all_of_it = principal_components([np.diag([3.0, 1e-20])], retained_variance=1.0)
    assert all_of_it.retained_variance == [1.0]


def test_rows_are_the_evaluation_and_forces_are_derivatives():
    model = contracted_model(3)
    atoms = random_structure([8, 1, 1], seed=3, cell=SMALL)
    assert len(weights_of(model)) == 10
    assert_rows_are_the_evaluation(model, atoms)
    assert_forces_are_derivatives(model, atoms)


def fit_settings(**term):
    return {"data": {}, "terms": [{"cutoff": 4.0, "n_max": 4, "l_max": 2, "n_sparse": 10, **term}]}


def test_a_fit_contracts_records_and_shows_it(tmp_path):
    settings = fit_settings(contraction={"retained_variance": 0.99, "by": "species"})
    settings["terms"].append({"kind": "pair", "cutoff": 3.0, "n_sparse": 4})
    frames = emt_frames(4)
    result = fit(settings, train=frames, progress=False)
    result.model.save(tmp_path / "model.sgpr")
    model = Model.load(tmp_path / "model.sgpr")
    (own, none) = model.metadata["provenance"]["terms"]
    kept = model.terms[0]["n_channels"]
    assert own["contraction"]["kept"] == kept and own["contraction"]["channels"] == [8] * 3
    assert none == {} and max(kept) < 8
    assert min(own["contraction"]["retained_variance"]) >= 0.99
    text = f"l=0 {kept[0]}/8 {own['contraction']['retained_variance'][0]:.6g}"
    assert text in summary(model) and "Contraction" in summary(model)
    again = fit(settings, train=frames[::-1], progress=False)
    for name, array in model.arrays.items():
        np.testing.assert_array_equal(again.model.arrays[name], array, err_msg=name)
    assert model.metadata["settings"]["terms"][0]["contraction"]["by"] == "species"


def test_a_bispectrum_is_made_of_the_channels_that_are_kept():
    """There are too many products of three for all of them."""
    term = {"representation": "bispectrum", "n_max": 12, "l_max": 5, "n_sparse": 5}
    settings, frames = fit_settings(**term), emt_frames(2)
    with pytest.raises(SoapGprError, match="at most 50000 products of three"):
        fit(settings, train=frames, progress=False)
    settings["terms"][0]["contraction"] = {"n_channels": 2}
    model = fit(settings, train=frames, progress=False).model
    assert model.terms[0]["n_channels"] == [2] * 6
    assert_rows_are_the_evaluation(model, frames[0])


def test_factors_of_a_product_are_contracted_and_shown():
    small = {"cutoff": 4.0, "n_max": 3, "l_max": 1}
    factors = [small | {"contraction": {"n_channels": 2}}, small]
    settings = {"data": {}, "terms": [{"kind": "product", "factors": factors, "n_sparse": 6}]}
    frames = emt_frames(2)
    model = Model.from_bytes(fit(settings, train=frames, progress=False).model.to_bytes())
    assert [own["n_channels"] for own in model.terms[0]["factors"]] == [[2, 2], [6, 6]]
    assert "term 1, factor 1, channels kept" in summary(model)


def test_a_factor_keeps_the_contraction_and_its_record(tmp_path):
    settings, frames = fit_settings(contraction={"n_channels": 3}), emt_frames(4)
    first, second = (
        fit(settings, train=frames[:n], progress=False, factor=tmp_path / "fit.factor").model
        for n in (3, 4)
    )
    assert first.metadata["provenance"]["terms"] == second.metadata["provenance"]["terms"]
    np.testing.assert_array_equal(first.arrays["term0.table.0"], second.arrays["term0.table.0"])
    assert first.metadata["provenance"]["train"] != second.metadata["provenance"]["train"]


@pytest.mark.parametrize(
    "term",
    [
        {"atom_sigma": 0},
        {"atom_sigma": {"Cu": 0.4, "Au": 0}},
        {"atom_sigma_growth": 0.1},
        {"basis": "laplacian", "max_eigenvalue": 3.0},
        {"contraction": {"n_channels": 3}, "sparse_basis": "derivatives", "n_sparse": 24},
    ],
    ids=["points", "points of one species", "growing widths", "smooth", "derivatives"],
)
def test_fits_of_every_setting_have_the_keystones(term):
    settings = fit_settings(**term)
    if "max_eigenvalue" in term:
        del settings["terms"][0]["n_max"], settings["terms"][0]["l_max"]
    frames = emt_frames(3)
    model = fit(settings, train=frames, progress=False).model
    assert_forces_are_derivatives(model, frames[0])
    if "sparse_basis" not in term:
        assert_rows_are_the_evaluation(model, frames[0])
    assert "terms" not in model.metadata["provenance"] or "contraction" in term


@pytest.mark.parametrize(
    ("contraction", "message"),
    [
        ({}, r"\[terms.contraction\] found neither of n_channels and retained_variance"),
        ({"n_channels": 2, "retained_variance": 0.9}, "found both of n_channels and retained"),
        ({"n_channels": 0}, "n_channels: found 0, expected an integer from 1"),
        ({"retained_variance": 1.5}, "retained_variance: found 1.5, expected a number > 0 and <="),
        ({"n_channels": 2, "method": "ica"}, 'method: found "ica", expected one of "pca"'),
        ({"n_channels": 2, "by": "atoms"}, 'by: found "atoms", expected one of "environments"'),
        ({"n_channel": 2}, "unknown key 'n_channel'; did you mean 'n_channels'"),
        (3, "expected a table"),
    ],
)
def test_bad_contractions_are_refused_with_the_key(contraction, message):
    with pytest.raises(SoapGprError, match=message):
        as_settings(fit_settings(contraction=contraction), data_required=False)


def test_a_damaged_record_is_refused():
    model = contracted_model(2)
    record = {"terms": [{"contraction": {"kept": [2], "channels": [5]}}]}
    damaged = model.with_record({}, record).to_bytes()
    with pytest.raises(SoapGprError, match=r"terms\[0\].contraction: lacks the key retained"):
        _ = Model.from_bytes(damaged).metadata


def test_the_descriptor_contracts_what_fit_sees():
    frames = [random_structure([8, 1, 1] * 2, seed=k) for k in range(3)]
    small = {"cutoff": 3.5, "n_max": 4, "l_max": 2}
    full = SoapDescriptor(**small).fit(frames)(frames)
    soap = SoapDescriptor(**small, contraction={"n_channels": 100}).fit(frames)
    np.testing.assert_allclose(soap(frames) @ soap(frames).T, full @ full.T, atol=1e-11)
    assert soap.get_feature_names_out()[1] == "q=0 q=1 l=0"
    soap.set_params(contraction={"n_channels": 3})
    with pytest.raises(SoapGprError, match="changed since fit made the contraction"):
        soap(frames)
    values, gradients = soap.fit(frames)(frames, gradients=True)
    assert values.shape[1] == gradients.strain.shape[2] == 3 * 6
    assert [V.shape for V in soap.contraction_.matrices] == [(3, 8)] * 3
    assert len(soap.contraction_.retained_variance) == 3
    with pytest.raises(SoapGprError, match="made by fit: call it first"):
        SoapDescriptor(**small, species=["H", "O"], contraction={"n_channels": 3})(frames)
    with pytest.raises(SoapGprError, match="structure 0: found H, expected only O"):
        SoapDescriptor(**small, species=["O"], contraction={"n_channels": 3}).fit(frames)
