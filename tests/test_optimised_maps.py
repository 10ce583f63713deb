# SPDX-License-Identifier: BSD-3-Clause
"""Fits that optimise the alchemical map of a term first: which structures, what is on record."""

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers

from potential import SoapGprError, fit
from potential.cli import main
from potential.descriptors import SoapDescriptor
from potential.settings.file import parse_settings
from potential.training.estimate import estimate
from potential.training.maps import set_apart
from potential.validation.row_store import SEEN, prepare, read_data

METALS = ("Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt")
SPECIES = sorted(atomic_numbers[name] for name in METALS)
TERM = dict(cutoff=4.0, n_max=3, l_max=2, zeta=1, n_sparse=60, centers="shared")

PLAIN = TERM | {"alchemy": {"dimensions": 3}}


def alloys(n, seed=0, metals=METALS):
    """Four atoms each, strained and rattled, of metals at random; energies and forces."""
    rng, frames = np.random.default_rng(seed), []
    for _ in range(n):
        atoms = bulk("Cu", "fcc", a=3.9, cubic=True)
        atoms.symbols[:] = rng.choice(metals, 4)
        atoms.set_cell(atoms.cell.array * (1 + 0.02 * rng.standard_normal()), scale_atoms=True)
        atoms.positions += 0.05 * rng.standard_normal((4, 3))
        atoms.calc = EMT()
        atoms.get_forces()
        results = {name: atoms.calc.results[name] for name in ("energy", "forces")}
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    return frames


def settings(term=(), **optimise):
    own = {"dimensions": 3, "optimise": {"n_structures": 60, "steps": 30} | optimise}
    return {
        "baseline": {"isolated_atom_energies": "average"},
        "terms": [TERM | {"alchemy": own} | dict(term)],
    }


@pytest.fixture(scope="module")
def frames():
    return alloys(60)


@pytest.fixture(scope="module")
def fitted(frames):
    return fit(settings(), train=frames, test=alloys(20, seed=1), progress=False)


def recorded(result):
    return result.model.metadata["settings"]["terms"][0]["alchemy"]


def said(result):
    return [line for line in result.warnings if "alchemy" in line]


def rmse(result):
    return result.test_errors["all"]["energy"].rmse


def test_fit_records_the_table_that_it_found(fitted):
    found = recorded(fitted)
    table = np.array([found["start"][name] for name in sorted(METALS, key=atomic_numbers.get)])
    np.testing.assert_array_equal(table, fitted.model.arrays["term0.alchemy"])
    assert found["optimised_zeta"] == 1 and found["optimise"] is None
    (line,) = said(fitted)
    assert "[[terms]] number 1: alchemy was optimised on 60 structures, of those it learns" in line
    first, last = line.split("marginal_likelihood ")[1].split(" in ")[0].split(" → ")
    assert float(last) < float(first)


def test_settings_on_record_give_the_same_model_without_optimising(fitted, frames, monkeypatch):
    monkeypatch.setattr("potential.training.optimised.optimise_map", None)
    terms = fitted.model.metadata["settings"]["terms"]
    again = fit(settings() | {"terms": terms}, train=frames, progress=False)
    for name in ("term0.alchemy", "term0.sparse_points.0", "term0.weights.0"):
        np.testing.assert_array_equal(again.model.arrays[name], fitted.model.arrays[name])
    assert not said(again)


def test_optimised_map_has_smaller_errors_than_its_start(fitted, frames):
    plain = fit(
        settings() | {"terms": [PLAIN]}, train=frames, test=alloys(20, seed=1), progress=False
    )
    assert rmse(fitted) < 0.5 * rmse(plain)


def test_map_does_not_depend_on_the_order_of_the_frames(fitted, frames):
    other = fit(settings(), train=frames[::-1], progress=False)
    np.testing.assert_array_equal(
        other.model.arrays["term0.alchemy"], fitted.model.arrays["term0.alchemy"]
    )


@pytest.mark.parametrize(
    "optimise, n_learnt",
    [({"n_structures": 12}, 48), ({"apart": True, "n_structures": 30}, 30), ({}, 60)],
)
def test_structures_are_set_apart_where_there_are_plenty_or_when_asked(optimise, n_learnt, frames):
    result = fit(settings(steps=1, **optimise), train=frames, progress=False)
    assert result.provenance["train"]["structures"] == n_learnt == len(result.train)
    assert ("which the model does not learn from" in said(result)[0]) == (n_learnt < 60)


def test_no_species_is_set_apart_as_a_whole(frames):
    from potential.structures.structure import structure_from_atoms

    few = alloys(1, metals=["Al"]) + alloys(60, seed=3, metals=["Cu", "Ag"])
    asked = parse_settings(settings(apart=True, n_structures=25) | {"data": {"train": ["x.xyz"]}})
    structures = [structure_from_atoms(atoms) for atoms in few]
    apart, rest = set_apart(asked, structures)
    assert len(apart) == 25 and rest[0] is structures[0] and len(rest) == 36


def test_checkpoint_goes_on_with_the_map_that_was_found(fitted, frames, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("potential.training.fitting._solution", None)
        patch.setattr("potential.training.checkpoint.INTERVAL", 0.0)
        with pytest.raises(TypeError):
            fit(settings(), train=frames, progress=False, checkpoint=path)
    monkeypatch.setattr("potential.training.optimised.optimise_map", None)
    resumed = fit(settings(), train=frames, progress=False, checkpoint=path)
    assert recorded(resumed) == recorded(fitted) and said(resumed) == said(fitted)


def test_factor_keeps_the_map_for_more_structures(frames, tmp_path, monkeypatch):
    path = tmp_path / "factor"
    first = fit(settings(n_structures=5), train=frames[:40], progress=False, factor=path)
    assert len(first.train) == 40
    monkeypatch.setattr("potential.training.optimised.optimise_map", None)
    more = fit(settings(n_structures=5), train=frames, progress=False, factor=path)
    assert recorded(more) == recorded(first)


def test_extra_species_move_with_those_that_were_seen(frames):
    seen = [atoms for atoms in frames if "Au" not in atoms.symbols]
    own = settings(n_structures=30, steps=30)
    own["baseline"] = {"isolated_atom_energies": dict.fromkeys(METALS, 0.0)}
    result = fit(own | {"data": {"extra_species": ["Au"]}}, train=seen, progress=False)
    own["terms"] = [PLAIN]
    plain = fit(own | {"data": {"extra_species": ["Au"]}}, train=seen, progress=False)
    moves = result.model.arrays["term0.alchemy"] - plain.model.arrays["term0.alchemy"]
    assert SPECIES[-1] == 79 and 0.0 < np.abs(moves[-1]).max() < 2 * np.abs(moves[:-1]).max()


def test_another_zeta_is_warned_of(frames):
    result = fit(settings({"zeta": 2}, zeta=1, steps=1), train=frames[:31], progress=False)
    assert "optimised for zeta = 1 and is used with zeta = 2" in said(result)[1]


@pytest.mark.parametrize("energies", ("fit", "average"))
@pytest.mark.parametrize("loss", ("leave_one_out", "marginal_likelihood"))
def test_both_losses_with_both_baselines(energies, loss, frames):
    own = settings(loss=loss, steps=15) | {"baseline": {"isolated_atom_energies": energies}}
    line = said(fit(own, train=frames, progress=False))[0]
    assert f"{loss} " in line and "in 15 steps" in line


def test_a_map_that_is_no_better_than_its_start_is_not_taken(frames):
    result = fit(settings(penalty=1e9), train=frames, progress=False)
    assert "30 steps found nothing better than its start, which stays" in said(result)[0]
    plain = fit(settings() | {"terms": [PLAIN]}, train=frames, progress=False)
    name = "term0.alchemy"
    np.testing.assert_array_equal(result.model.arrays[name], plain.model.arrays[name])


def test_command_and_estimate_say_what_is_optimised(frames, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ase.io.write("train.xyz", frames, format="extxyz")
    (tmp_path / "fit.toml").write_text(
        '[data]\ntrain = ["train.xyz"]\n[[terms]]\ncutoff = 4.0\nn_max = 3\nl_max = 2\nzeta = 1\n'
        "n_sparse = 30\nalchemy = {dimensions = 2, optimise = {n_structures = 10, steps = 2}}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("potential.training.optimised.optimise_map", None)
        text = estimate("fit.toml")
    assert "Training data  50 structures" in text
    assert "number 1: optimised first on 10 structures set apart, in at most 2 steps" in text
    assert main(["fit", "fit.toml", "-o", "model.sgpr"]) == 0
    assert "alchemy was optimised on 10 structures, which the model does" in capsys.readouterr().out


@pytest.mark.parametrize(
    "alchemy, message",
    [
        ({"optimise": {"loss": "rmse"}}, "loss"),
        ({"optimise": {"n_structures": 2}}, "n_structures"),
        ({"optimise": {"penalty": -1}}, "penalty"),
        ({"optimise": {"apart": 1}}, "apart"),
        ({"optimise": {"step": 3}}, "step"),
        ({"optimise": 3}, "optimise"),
        ({"optimised_zeta": 2}, "nothing without a table start"),
    ],
)
def test_bad_settings_are_errors_that_name_the_key(alchemy, message):
    values = {
        "data": {"train": ["x.xyz"]},
        "terms": [TERM | {"alchemy": {"dimensions": 2} | alchemy}],
    }
    with pytest.raises(SoapGprError, match=message):
        parse_settings(values)


def test_other_representations_are_refused():
    term = TERM | {"alchemy": {"dimensions": 2, "optimise": {}}, "representation": "bispectrum"}
    with pytest.raises(SoapGprError, match=r"with alchemy\.optimise"):
        parse_settings({"data": {"train": ["x.xyz"]}, "terms": [term]})


def test_descriptors_and_products_have_no_data_to_optimise_on(frames):
    asked = {"dimensions": 2, "optimise": {}}
    with pytest.raises(SoapGprError, match="expected one only in a soap term of a fit"):
        SoapDescriptor(alchemy=asked, species=METALS)(frames[:1])
    factors = [{"cutoff": 3.0, "alchemy": asked}, {"cutoff": 3.0}]
    with pytest.raises(SoapGprError, match="expected one only in a soap term of a fit"):
        product = {"kind": "product", "n_sparse": 5, "factors": factors}
        fit({"terms": [product]}, train=frames[:5], progress=False)


def test_too_few_energies_are_an_error(frames):
    with pytest.raises(SoapGprError, match="expected at least 3 to optimise"):
        fit(settings(), train=frames[:2], progress=False)


def test_what_is_set_apart_leaves_half_of_the_structures(frames):
    own = fit(settings(apart=True, n_structures=200, steps=2), train=frames, progress=False)
    assert len(own.train) == 30


def test_trials_that_a_map_has_seen_are_warned_of(frames, tmp_path):
    ase.io.write(tmp_path / "train.xyz", frames)
    own = settings(steps=2) | {"data": {"train": [str(tmp_path / "train.xyz")]}}
    seen = parse_settings(own)
    assert SEEN in prepare(seen, read_data(seen)).warnings
    own["terms"] = settings(steps=2, apart=True, n_structures=20)["terms"]
    apart = parse_settings(own)
    found = prepare(apart, read_data(apart))
    assert SEEN not in found.warnings and len(found.train) == 40
