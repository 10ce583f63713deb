# SPDX-License-Identifier: BSD-3-Clause
"""What members of a committee say of targets: each is a model of its own (docs/theory.md eq. 25n),
and what is wrong in a file is said."""

import json

import numpy as np
import pytest
from models import product_model, random_model, random_structure, symmetry_model
from targets import ALL_KINDS, BY_COLUMN, WEIGHTED, with_targets
from uncertain import member, with_members, with_target_members

from potential import SoapGprCalculator
from potential.errors import SoapGprError
from potential.model.uncertainty import Uncertainty, uncertainty_of

C = 4


@pytest.fixture(scope="module")
def atoms():
    atoms = random_structure([8] * 5 + [1] * 9, seed=2)
    atoms.arrays["part"] = np.linspace(0.0, 1.0, len(atoms))
    return atoms


@pytest.fixture(scope="module")
def model():
    return with_target_members(with_targets(with_members(random_model(n_terms=2, zeta=3), C)), C)


def assert_members_are_models(model, atoms, rtol=1e-9):
    """Deviations are differences of the models of members from that of all."""
    found = model.evaluate(atoms, forces=False, uncertainty=("targets",))
    own, n = found.uncertainty, model.uncertainty.n_members
    names = [target.name for target in model.targets if target.kernel is None]
    assert list(own.member_properties) == names
    for c in range(n):
        of_member = member(model, c).evaluate(atoms, forces=False).properties
        for name in names:
            wanted = of_member[name] - found.properties[name]
            atol = rtol * np.nanmax(np.abs(of_member[name]))
            np.testing.assert_allclose(own.member_properties[name][c], wanted, rtol=0, atol=atol)


@pytest.mark.parametrize("targets", [ALL_KINDS, WEIGHTED, BY_COLUMN], ids=["all", "w", "column"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: random_model(n_terms=2, zeta=3),
        lambda: random_model(zeta=1),
        lambda: random_model(zeta=2),
        product_model,
        symmetry_model,
    ],
    ids=["zeta 3", "zeta 1", "zeta 2", "product", "acsf"],
)
def test_members_are_models_of_their_own(make, targets, atoms):
    assert_members_are_models(with_target_members(with_targets(make(), targets), C), atoms)


def test_many_members_of_quadratic_kernels(atoms):
    """More columns than a matrix would be cheaper for."""
    model = with_targets(random_model(zeta=2), ALL_KINDS)
    assert_members_are_models(with_target_members(model, 24), atoms)


def test_values_of_model_and_members_stay(model, atoms):
    plain = with_members(random_model(n_terms=2, zeta=3), C)
    asked = ("energies", "targets")
    found, wanted = (
        m.evaluate(atoms, uncertainty=a) for m, a in ((model, asked), (plain, asked[:1]))
    )
    np.testing.assert_array_equal(found.energies, wanted.energies)
    np.testing.assert_array_equal(found.forces, wanted.forces)
    np.testing.assert_allclose(
        found.uncertainty.member_energies, wanted.uncertainty.member_energies, rtol=1e-12
    )
    alone = model.evaluate(atoms).properties
    for name, value in alone.items():
        np.testing.assert_array_equal(found.properties[name], value)


def test_spreads_are_scaled_by_kind(model, atoms):
    own = model.evaluate(atoms, targets=False, uncertainty=("targets",)).uncertainty
    values = model.evaluate(atoms).properties
    for target in model.targets:
        deviations = own.member_properties[target.name]
        scale = model.uncertainty.targets[target.name]
        if target.per_atom:
            scale = np.array([scale[model.species.index(z)] for z in atoms.numbers])
        sigma = scale * np.std(deviations, axis=0, ddof=1)
        np.testing.assert_allclose(own.properties_uncertainty[target.name], sigma, rtol=1e-9)
        mean = own.committee_properties[target.name].mean(axis=0)
        np.testing.assert_allclose(mean, values[target.name], rtol=1e-9)
    absent = np.isnan(own.properties_uncertainty["shielding"])
    assert np.array_equal(absent, atoms.numbers != 1)


def test_model_without_a_potential_has_them(atoms):
    model = with_target_members(with_targets(random_model(), potential=False), C)
    assert model.uncertainty.measures == ("targets",) and model.uncertainty.committee is None
    assert_members_are_models(model, atoms)
    with pytest.raises(SoapGprError, match="the model has no committee: fit it"):
        model.evaluate(atoms, uncertainty=("energies",))


def test_what_a_model_lacks_is_said(atoms):
    model = with_targets(with_members(random_model(), C))
    with pytest.raises(SoapGprError, match="no committee of targets: fit it with"):
        model.evaluate(atoms, uncertainty=("targets",))
    with pytest.raises(SoapGprError, match="found targets, expected what the model has: energies"):
        SoapGprCalculator(model, uncertainty=("targets",))


def test_ase_has_the_errors_of_targets(model, atoms):
    atoms = atoms.copy()
    atoms.calc = SoapGprCalculator(model)
    own = model.evaluate(atoms, uncertainty=("targets",)).uncertainty.properties_uncertainty
    for name, sigma in own.items():
        found = atoms.calc.get_property(f"{name}_uncertainty", atoms)
        np.testing.assert_allclose(found, sigma, rtol=1e-12)
    assert "forces_uncertainty" not in atoms.calc.results
    both = SoapGprCalculator(model, uncertainty=("targets", "forces"))
    both.calculate(atoms, ["energy"])
    assert {"gap_uncertainty", "forces_uncertainty", "gap"} <= set(both.results)


def test_other_targets_have_no_members_of_the_old(model):
    other = with_targets(model, ALL_KINDS[:1])
    assert other.uncertainty.measures == ("energies", "forces")
    assert not any(name.startswith("members.target") for name in other.arrays)
    none = model.without_uncertainty()
    assert none.uncertainty is None and not any("members" in name for name in none.arrays)


def test_entry_of_measures_is_read_back(model):
    for own in (model.uncertainty, Uncertainty(4, targets={"gap": 2.0, "charge": (1.0, 3.0)})):
        assert uncertainty_of({"uncertainty": json.dumps(own.entry())}) == own


def changed(model, change):
    """The model with other metadata or arrays."""
    metadata, arrays = dict(model._contents[0]), dict(model.arrays)
    values = json.loads(metadata["uncertainty"])
    change(values, arrays)
    return type(model).from_arrays(metadata | {"uncertainty": json.dumps(values)}, arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, a: v["targets"].pop("gap"), "gap"),
        (lambda v, a: v["targets"].update(other={"scale": 1.0}), "other"),
        (lambda v, a: v["targets"]["gap"].update(scale=-1.0), "scale"),
        (lambda v, a: v["targets"]["gap"].update(scale=[1.0, 1.0]), "scale"),
        (lambda v, a: v["targets"]["gap"].update(more=1.0), "more"),
        (lambda v, a: v["targets"]["charge"].update(scale=1.0), "scale"),
        (lambda v, a: v["targets"]["charge"].update(scale=[1.0]), "one number from 0 for each"),
        (lambda v, a: v["targets"]["charge"].update(scale=[1.0, -1.0]), "one number from 0 for"),
        (lambda v, a: a.pop("members.target3.term1.weights.1"), "members.target3.term1.weights.1"),
        (lambda v, a: v.pop("targets"), "members.target0.term0.weights.0"),
        (
            lambda v, a: a.update(
                {"members.target0.term0.weights.0": a["members.target0.term0.weights.0"][:3]}
            ),
            "members.target0.term0.weights.0",
        ),
        (
            lambda v, a: a.update({"target0.term0.weights.0": 0 * a["target0.term0.weights.0"]}),
            "holds deviations from weights that are all zero",
        ),
    ],
)
def test_wrong_files_are_one_sentence(model, change, message):
    with pytest.raises(SoapGprError, match=message) as caught:
        changed(model, change)
    assert "\n" not in str(caught.value)


def test_measures_of_energies_without_a_potential_are_refused():
    model = with_target_members(with_targets(random_model(), potential=False), C)
    scales = {"energy": 1.0, "force": 1.0}
    with pytest.raises(SoapGprError, match="scales"):
        changed(model, lambda v, a: v["committee"].update(scales=scales))
    with pytest.raises(SoapGprError, match="uncertainty of energies and no potential"):
        changed(
            model,
            lambda v, a: (
                [v.pop("targets")]
                + [a.pop(name) for name in [n for n in a if n.startswith("members.")]]
            ),
        )
