# SPDX-License-Identifier: BSD-3-Clause
"""Molecules with energies alone, and energies in other units than eV."""

import json

import ase
import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from training_data import emt_frames, small_settings, write_frames

from potential import fit
from potential.cli import main
from potential.errors import SoapGprError
from potential.scores import metrics
from potential.settings import LabelKeys
from potential.structures.energy_units import EV_PER
from potential.structures.read import read_data_set
from potential.structures.structure import structure_from_atoms
from potential.terms import soap_points
from potential.terms.soap_points import thinned_features
from potential.validation.search_space import parse_tune

NAMES = ("CH4", "NH3", "H2O", "C2H6", "C2H4", "CH3OH", "C2H2", "HCN", "H2CO", "N2H4")
ENERGIES = {"H": -1.0, "C": -5.0, "N": -4.0, "O": -4.5}  # eV, and what bends add


def molecules(n, seed=0, unit="eV"):
    """Rattled molecules with an energy that depends on composition and distances."""
    rng = np.random.default_rng(seed)
    frames = []
    for k in range(n):
        atoms = molecule(NAMES[k % len(NAMES)])
        atoms.positions += 0.05 * rng.standard_normal((len(atoms), 3))
        distances = atoms.get_all_distances()[np.triu_indices(len(atoms), 1)]
        energy = sum(ENERGIES[s] for s in atoms.symbols) + np.sum(np.exp(-distances))
        atoms.info["energy_dft"] = energy / EV_PER[unit]
        frames.append(atoms)
    return frames


def settings(**data):
    own = small_settings("unused", n_sparse=10)
    return own | {"data": {"energy_key": "energy_dft"} | data}


@pytest.fixture(scope="module")
def fitted():
    return fit(
        settings(energy_unit="kcal/mol") | {"baseline": {"isolated_atom_energies": "zero"}},
        train=molecules(40, unit="kcal/mol"),
        test=molecules(10, seed=1, unit="kcal/mol"),
        progress=False,
    )


def converted(frames, unit):
    """The same frames with labels and expected errors in another unit, under names of their own."""
    changed = []
    for atoms in frames:
        other = ase.Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
        results = {name: value / EV_PER[unit] for name, value in atoms.calc.results.items()}
        other.calc = SinglePointCalculator(other, **results)
        for name in ("energy_sigma", "force_sigma", "virial_sigma"):
            other.info[name] = 0.1 / EV_PER[unit]
        changed.append(other)
    return changed


@pytest.mark.parametrize("unit", EV_PER)
def test_labels_in_any_unit_become_the_same_ev(unit, tmp_path):
    frames = emt_frames(2)
    path = write_frames(tmp_path / "frames.xyz", converted(frames, unit))
    found = read_data_set([path], LabelKeys(energy_unit=unit)).structures
    expected = read_data_set([write_frames(tmp_path / "ev.xyz", converted(frames, "eV"))])
    for a, b in zip(found, expected.structures, strict=True):
        np.testing.assert_allclose(a.labels, b.labels, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose([a.sigma_energy, a.sigma_force, a.sigma_virial], 0.1, rtol=1e-6)


def test_hartree_and_kcal_have_their_values():
    assert EV_PER["Hartree"] / EV_PER["kcal/mol"] == pytest.approx(627.5095, rel=1e-6)
    assert EV_PER["Hartree"] / EV_PER["kJ/mol"] == pytest.approx(2625.4996, rel=1e-7)


def test_unknown_unit_is_refused_with_those_known():
    with pytest.raises(
        SoapGprError, match=r'\[data\] energy_unit: found "Ry", expected one of "eV"'
    ):
        fit(settings(energy_unit="Ry"), train=molecules(3), progress=False)


def test_energies_alone_give_energies_and_errors_alone(fitted):
    assert fitted.warnings == []
    assert set(fitted.test_errors[metrics.ALL]) == {"energy", metrics.TOTAL_ENERGY}
    assert fitted.test_errors[metrics.ALL]["energy"].rmse < 0.02
    assert set(fitted.model.e0.values()) == {0.0}
    assert fitted.train[0].energy == pytest.approx(molecules(1)[0].info["energy_dft"], rel=1e-9)


def test_total_energies_of_molecules_are_in_kcal_per_mol(fitted):
    table = metrics.format_table(fitted.test_errors)
    row = next(line for line in table.splitlines() if metrics.TOTAL_ENERGY in line)
    errors = [
        (fitted.model.evaluate(s).energy - s.energy) / EV_PER["kcal/mol"] for s in fitted.test
    ]
    assert row.split()[2:4] == ["10", f"{np.sqrt(np.mean(np.square(errors))):.3f}"]
    assert row.endswith("kcal/mol")


def test_crystals_have_no_total_energy():
    structures = [structure_from_atoms(atoms) for atoms in emt_frames(2)]
    assert metrics.TOTAL_ENERGY not in metrics.errors(structures, structures)[metrics.ALL]


def chosen(monkeypatch, n_bytes):
    """Sparse points and warnings with so much room for candidates, and the room they took."""
    used = list[int]()

    def made(*arguments, **options):
        found = thinned_features(*arguments, **options)
        used.append(sum(own.X.nbytes for own in found.values()))
        return found

    monkeypatch.setattr(soap_points, "thinned_features", made)
    monkeypatch.setattr(soap_points, "CANDIDATE_BYTES", n_bytes)
    result = fit(settings(), train=molecules(60), progress=False)
    points = [result.model.arrays[f"term0.sparse_points.{a}"] for a in range(4)]
    return points, result.warnings, used


def test_candidates_in_turns_give_the_choice_of_all_at_once(monkeypatch):
    at_once, _, [all_of_them] = chosen(monkeypatch, 2**28)
    hydrogen = 8 * at_once[0].shape[1] * sum(np.sum(m.numbers == 1) for m in molecules(60))
    in_turns, warnings, used = chosen(monkeypatch, int(hydrogen))
    assert warnings == []
    assert len(used) > 1 and sum(used) == all_of_them and max(used) == hydrogen
    for one, other in zip(in_turns, at_once, strict=True):
        np.testing.assert_array_equal(one, other)


def test_candidates_that_are_thinned_are_few_and_said_to_be(monkeypatch):
    _, warnings, used = chosen(monkeypatch, 200_000)
    assert max(used) < 1.3 * 200_000
    (warning,) = warnings
    assert warning.startswith("term 1: sparse points are chosen from a random part of the env")
    assert " % of H, " in warning and warning.endswith(" take more than 0 MiB")


@pytest.fixture(scope="module")
def files(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("molecules")
    fitted.model.save(folder / "model.sgpr")
    write_frames(folder / "test.xyz", molecules(10, seed=1, unit="kcal/mol"))
    write_frames(folder / "ev.xyz", molecules(10, seed=1))
    return folder


def evaluated(folder, capsys, *options):
    assert main(["evaluate", str(folder / "model.sgpr"), *options, "--json", "-"]) == 0
    said = capsys.readouterr()
    return json.loads(said.out)["errors"]["all"]["energy"]["rmse"], said.err


def test_evaluate_takes_the_unit_of_training_and_says_so(files, fitted, capsys):
    rmse, said = evaluated(files, capsys, str(files / "test.xyz"))
    assert rmse == pytest.approx(fitted.test_errors["all"]["energy"].rmse, rel=1e-5)
    assert "labels are taken to be in kcal/mol, as in training" in said


def test_evaluate_takes_a_named_unit_silently(files, fitted, capsys):
    rmse, said = evaluated(files, capsys, str(files / "ev.xyz"), "--energy-unit", "eV")
    assert rmse == pytest.approx(fitted.test_errors["all"]["energy"].rmse, rel=1e-5)
    assert "eV" not in said


def test_info_says_the_unit_of_the_labels(files, capsys):
    assert main(["info", str(files / "model.sgpr")]) == 0
    assert "labels were read in kcal/mol and are kept in eV" in capsys.readouterr().out


def test_report_of_energies_has_no_parts_for_forces(files, tmp_path, capsys):
    page = tmp_path / "page.html"
    data = str(files / "test.xyz")
    assert main(["report", str(files / "model.sgpr"), data, "-o", str(page)]) == 0
    text = page.read_text().split("<h2>Model")[0]
    assert "kcal/mol" in text
    assert "force" not in text.lower()
    assert "Predicted minus reference energy" in text
    assert "reference total" not in text


def test_tune_searches_the_radial_scaling_of_a_file_without_one():
    search = {"terms.0.radial_scaling.scale": [1.5, 3.0], "terms.0.radial_scaling.exponent": [0, 7]}
    values = {"data": {"train": ["x.xyz"]}, "terms": [{}], "tune": {"search": search}}
    found = parse_tune(values, "fit.toml").fit_settings(
        {"terms.0.radial_scaling.scale": 1.5, "terms.0.radial_scaling.exponent": 7}
    )
    assert found.terms[0].radial_scaling == {"scale": 1.5, "exponent": 7.0, "rate": 1.0}
