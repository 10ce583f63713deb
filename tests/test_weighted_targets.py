# SPDX-License-Identifier: BSD-3-Clause
"""Targets that are weighted sums and means over atoms, docs/theory.md eq. (23g) and (23h)."""

import ase.io
import numpy as np
import pytest
from models import random_model, random_structure
from targets import BY_COLUMN, WEIGHTED, labelled, with_targets
from test_target_fits import AVERAGE, TOTAL, dense_weights, prior_scales, settings
from training_data import small_toml, write_frames

from potential import Model, SoapGprCalculator, SoapGprError, _core, fit
from potential.cli import main
from potential.model.targets import Target
from potential.structures.label_names import LabelNames
from potential.structures.structure import structure_from_atoms
from potential.structures.target_labels import TargetLabel

BY_SPECIES = {"Cu": 0.0, "Au": 2.0}


@pytest.fixture
def atoms():
    atoms = random_structure([8, 1, 1] * 3, seed=1)
    atoms.set_array("part", np.random.default_rng(0).uniform(size=len(atoms)))
    return atoms


def frames(n, seed):
    """Sums and means of the energies of sites by species, and by a column ``part``."""
    rng = np.random.default_rng(seed)
    made = labelled(n, seed)
    for atoms in made:
        energies = atoms.arrays["site_energy"]
        w = np.where(atoms.numbers == 79, 2.0, 0.0)
        part = rng.choice([0.0, 0.5, 1.0], size=len(atoms), p=[0.4, 0.2, 0.4])
        part[0] = 1.0
        atoms.set_array("part", part)
        atoms.info |= {"sum": w @ energies, "mean": part @ energies / part.sum()}
    return made


@pytest.fixture(scope="module")
def train():
    return frames(12, 1)


@pytest.fixture(scope="module")
def result(train):
    targets = TOTAL | {"weights": BY_SPECIES}, AVERAGE | {"weights": "part"}
    return fit(settings(*targets), train=train, test=frames(6, 2), progress=False)


def of_atoms(model, atoms):
    """τ of the first target (N,), from its sum over one atom at a time."""
    entry = {"name": "one", "unit": "", "per_atom": True}
    arrays = {name: own for name, own in model.arrays.items() if name.startswith("target0.")}
    return model.with_targets([Target(**entry)], arrays).evaluate(atoms).properties["one"]


def test_values_are_weighted_sums_and_means(atoms):
    model = with_targets(random_model(), WEIGHTED[2:])
    w = np.where(atoms.numbers == 8, 1.5, 0.0)
    found = model.evaluate(atoms).properties
    assert found["volume"] == pytest.approx(w @ of_atoms(model, atoms), rel=1e-12)
    model = with_targets(random_model(), WEIGHTED[3:])
    w = np.where(atoms.numbers == 8, 2.0, 0.3)
    expected = w @ of_atoms(model, atoms) / w.sum()
    assert model.evaluate(atoms).properties["gap"] == pytest.approx(expected, rel=1e-12)


def test_values_by_a_column_are_weighted_sums_and_means(atoms):
    w = atoms.arrays["part"]
    for target in BY_COLUMN:
        model = with_targets(random_model(), [target])
        expected = w @ of_atoms(model, atoms) / (1 if target.extensive else w.sum())
        found = model.evaluate(atoms).properties[target.name]
        assert found == pytest.approx(expected, rel=1e-12)
        assert model.evaluate(structure_with_columns(model, atoms)).properties[target.name] == found


def structure_with_columns(model, atoms):
    labels = [TargetLabel(own.name, own.name, weights=own.weights) for own in model.targets]
    return structure_from_atoms(atoms, LabelNames(targets=tuple(labels)))


def test_mask_is_a_column_of_weights_and_a_mean_over_nothing_is_not_a_number(atoms):
    model = with_targets(random_model(), BY_COLUMN)
    atoms.set_array("part", atoms.numbers == 8)
    expected = with_targets(
        random_model(), [Target("volume", "", False, True, weights=(0.0, 1.0))]
    ).evaluate(atoms)
    found = model.evaluate(atoms).properties
    assert found["volume"] == pytest.approx(expected.properties["volume"], rel=1e-12)
    atoms.arrays["part"][:] = False
    found = model.evaluate(atoms).properties
    assert found["volume"] == 0 and np.isnan(found["gap"])


@pytest.mark.parametrize("targets", [WEIGHTED, BY_COLUMN])
def test_model_file_keeps_weights(targets, tmp_path):
    with_targets(random_model(), targets).save(tmp_path / "m.sgpr")
    assert Model.load(tmp_path / "m.sgpr").targets == targets


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (None, "target volume: found no column 'part' of atoms"),
        (np.array(["x"] * 9), "part: found a column of words"),
        (np.ones((9, 2)), r"part: found shape \(9, 2\), expected \(9,\)"),
        (-np.ones(9), "part: found a weight that is negative, not finite"),
        (np.full(9, np.nan), "part: found a weight that is negative, not finite"),
    ],
)
def test_bad_columns_are_one_sentence(atoms, column, words):
    model = with_targets(random_model(), BY_COLUMN)
    del atoms.arrays["part"]
    if column is not None:
        atoms.arrays["part"] = column
    with pytest.raises(SoapGprError, match=words):
        model.evaluate(atoms)


def test_numbers_and_positions_have_no_column(atoms):
    model = with_targets(random_model(), BY_COLUMN)
    with pytest.raises(SoapGprError, match="found no column 'part'"):
        model.evaluate(atoms.numbers, atoms.positions)


def test_ase_calculates_again_when_the_column_changes(atoms):
    model = with_targets(random_model(), BY_COLUMN)
    atoms.calc = SoapGprCalculator(model)
    before, energy = atoms.calc.get_property("gap", atoms), atoms.get_potential_energy()
    atoms.arrays["part"][0] += 1
    after = atoms.calc.get_property("gap", atoms)
    assert after != before and after == model.evaluate(atoms).properties["gap"]
    assert atoms.get_potential_energy() == energy
    assert atoms.calc.calculation_required(atoms, ["gap"]) is False


def test_weighted_targets_are_learnt(result):
    spreads = {key: np.std([atoms.info[key] for atoms in frames(6, 2)]) for key in ("sum", "mean")}
    assert result.test_property_errors["total"]["all"].rmse < 0.5 * spreads["sum"]
    assert result.test_property_errors["average"]["all"].rmse < 0.5 * spreads["mean"]


def test_species_of_weight_zero_have_no_part(result):
    record = result.provenance["targets"][0]
    assert set(record["mean"]) == {"Au"} and record["weights"] == 20
    assert not result.model.arrays["target0.term0.weights.0"].any()
    assert result.model.targets[0].weights == (0.0, 2.0)


def test_weights_by_a_column_are_dense_least_squares(result, train):
    model, h, sigma = result.model, 1, 0.005
    W = np.array([atoms.arrays["part"] for atoms in train])
    y = np.array([atoms.info["mean"] for atoms in train])
    species = [model.species_indices(atoms.numbers) for atoms in train]
    kernels = [
        _core.kernel_rows(model.core, 0, model.environments(structure_from_atoms(atoms)))
        for atoms in train
    ]
    A = np.array([w @ K / w.sum() for w, K in zip(W, kernels, strict=True)])
    mean = model.arrays[f"target{h}.mean"]
    means = [w @ mean[own] / w.sum() for w, own in zip(W, species, strict=True)]
    left = y - np.array(means)
    scale = np.sqrt(np.mean((left * W.sum(axis=1)) ** 2 / (W**2).sum(axis=1)))
    expected = dense_weights(A, left, sigma, model.kernel_matrix(), prior_scales(model, scale))
    found = np.concatenate([model.arrays[f"target{h}.term0.weights.{a}"] for a in range(2)])
    np.testing.assert_allclose(A @ found, A @ expected, atol=1e-5 * left.std())


def test_weights_of_one_are_those_of_no_weights(train):
    plain, ones = (
        fit(settings(TOTAL | own), train=train, progress=False).model.arrays
        for own in ({}, {"weights": {"Cu": 1.0}})
    )
    for name in ("target0.mean", "target0.term0.weights.0", "target0.term0.weights.1"):
        np.testing.assert_array_equal(plain[name], ones[name])


def without_column(atoms):
    del atoms.arrays["part"]


def zeros(atoms):
    atoms.arrays["part"][:] = 0


def words(atoms):
    atoms.arrays["part"] = np.array(["x"] * len(atoms))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (without_column, r"train\[1\]: found no column 'part' of atoms"),
        (zeros, r"train\[1\]: target average: found weights that are all 0"),
        (words, r"train\[1\]: part: found a column of words"),
    ],
)
def test_bad_columns_in_training_are_one_sentence(train, change, text):
    changed = [atoms.copy() for atoms in train]
    change(changed[1])
    with pytest.raises(SoapGprError, match=text):
        fit(settings(AVERAGE | {"weights": "part"}), train=changed, progress=False)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (TOTAL | {"weights": {"Cu": -1.0}}, "weights.Cu: found -1.0, expected a number"),
        (TOTAL | {"weights": {"Xy": 1.0}}, "weights: found the key 'Xy', expected a chemical"),
        (TOTAL | {"weights": 2.0}, "weights: found 2.0, expected a non-empty string"),
        (TOTAL | {"weights": "forces"}, 'weights: found "forces", expected another column'),
        (TOTAL | {"weights": {"H": 1.0}}, "target total: found H in weights, expected species of"),
        (TOTAL | {"weights": {"Cu": 0.0, "Au": 0.0}}, "target total: found weights that are all 0"),
        (TOTAL | {"per_atom": True, "weights": {"Cu": 1.0}}, "weights: found some, expected none"),
    ],
)
def test_bad_settings_are_one_sentence(train, target, text):
    with pytest.raises(SoapGprError, match=text):
        fit(settings(target), train=train, progress=False)


def test_commands_take_and_keep_the_column(tmp_path, monkeypatch, capsys, train):
    monkeypatch.chdir(tmp_path)
    write_frames("train.xyz", train)
    write_frames("test.xyz", frames(4, 2))
    target = 'name = "average"\nkey = "mean"\nper_atom = false\nextensive = false\n'
    own = f'[[targets]]\n{target}noise = 0.005\nweights = "part"\n'
    (tmp_path / "fit.toml").write_text(small_toml(20) + own)
    assert main(["fit", "fit.toml", "-o", "m.sgpr"]) == 0
    assert "mean over atoms, weights in column part, terms 1" in capsys.readouterr().out
    assert main(["evaluate", "m.sgpr", "test.xyz", "-o", "out.xyz"]) == 0
    model = Model.load("m.sgpr")
    for written, atoms in zip(ase.io.read("out.xyz", ":"), frames(4, 2), strict=True):
        np.testing.assert_array_equal(written.arrays["part"], atoms.arrays["part"])
        expected = model.evaluate(atoms).properties["average"]
        assert written.info["average"] == pytest.approx(expected)
