# SPDX-License-Identifier: BSD-3-Clause
import warnings
from types import SimpleNamespace

import ase
import ase.io
import numpy as np
import pytest
from models import random_model

from ipi_driver.evaluation import Evaluator
from ipi_driver.units import BOHR_PER_ANGSTROM, HARTREE_PER_EV
from potential import SoapGprCalculator
from potential.errors import SoapGprError
from potential.model.evaluation import evaluate_structures
from potential.structures.structure import structure_from_atoms


def evaluate(evaluator, atoms):
    forces, virial = np.empty((len(atoms), 3)), np.empty((3, 3))
    cell = atoms.cell.array.T * BOHR_PER_ANGSTROM
    energy, extras = evaluator.evaluate(cell, atoms.positions * BOHR_PER_ANGSTROM, forces, virial)
    assert extras == b""
    return energy, forces, virial


def test_toy_model_forces_and_virial_are_derivatives(model, water):
    def energy(positions, cell):
        return model.evaluate(water.numbers, positions, cell, True).energy

    positions, cell = water.positions, water.cell.array
    result = model.evaluate(water.numbers, positions, cell, True)
    h = 1e-5
    for i in np.ndindex(3, 3):
        step = np.zeros((3, 3))
        step[i] = h
        slope = (energy(positions + step, cell) - energy(positions - step, cell)) / (2 * h)
        assert -slope == pytest.approx(result.forces[i], abs=1e-8)
        plus, minus = np.eye(3) + step, np.eye(3) - step
        slope = energy(positions @ plus, cell @ plus) - energy(positions @ minus, cell @ minus)
        assert -slope / (2 * h) == pytest.approx(result.virial[i], abs=1e-8)


def test_cell_columns_reach_the_model_as_rows(water):
    seen = {}

    def spy(numbers, positions, cell, pbc):
        seen.update(numbers=numbers, positions=positions, cell=cell, pbc=pbc)
        return SimpleNamespace(energy=1.0, forces=np.ones((3, 3)), virial=np.eye(3))

    energy, _, virial = evaluate(Evaluator(SimpleNamespace(evaluate=spy), water), water)
    np.testing.assert_allclose(seen["cell"], water.cell.array, rtol=1e-15)
    np.testing.assert_allclose(seen["positions"], water.positions, rtol=1e-15)
    assert seen["numbers"].tolist() == [8, 1, 1]
    assert energy == HARTREE_PER_EV
    np.testing.assert_array_equal(virial, HARTREE_PER_EV * np.eye(3))


def test_positions_many_cells_away_change_nothing(evaluator, water):
    expected = evaluate(evaluator, water)
    water.positions += np.array([[5, -7, 11], [-20, 3, 0], [1, 1, -9]]) @ water.cell.array
    for found, reference in zip(evaluate(evaluator, water), expected, strict=True):
        np.testing.assert_allclose(found, reference, atol=1e-11)


@pytest.mark.parametrize(
    ("cell", "pbc", "expected"),
    [
        (None, False, [True, True, True]),
        ([9, 9, 9], [True, True, False], [True, True, False]),
        ([9, 9, 9], False, [False, False, False]),
        ([9, 9, 9], True, [True, True, True]),
    ],
)
def test_periodicity_is_that_of_the_template(model, cell, pbc, expected):
    template = ase.Atoms("OHH", positions=np.eye(3), cell=cell, pbc=pbc)
    assert Evaluator(model, template).pbc.tolist() == expected


def test_template_is_read_by_ase(model, water, tmp_path):
    path = tmp_path / "start.xyz"
    ase.io.write(path, water)
    evaluator = Evaluator(model, path)
    assert evaluator.n_atoms == 3
    assert evaluator.pbc.all()


def test_missing_template_is_named(model, tmp_path):
    with pytest.raises(SoapGprError, match=r"start\.xyz not found"):
        Evaluator(model, tmp_path / "start.xyz")


@pytest.mark.parametrize("text", ["", "garbage\n", "2\n\nO 0 0 0\n"])
def test_unreadable_template_is_named(model, tmp_path, text):
    path = tmp_path / "start.xyz"
    path.write_text(text)
    with pytest.raises(SoapGprError, match=r"start\.xyz"):
        Evaluator(model, path)


def test_species_unknown_to_the_model_is_named(model):
    with pytest.raises(SoapGprError, match=r"contains C, Na; expected .* \(H, O\)"):
        Evaluator(model, ase.Atoms("OCNaC", positions=np.zeros((4, 3))))


def test_empty_template_is_an_error(model):
    with pytest.raises(SoapGprError, match="no atoms"):
        Evaluator(model, ase.Atoms())


@pytest.mark.parametrize("values", [(np.inf, -np.inf), (1e308, 1e308), (1e30, 0.0)])
@pytest.mark.parametrize("where", ["positions", "cell"])
def test_absurd_geometry_is_one_sentence_without_warnings(water, values, where):
    model = random_model(species=(1, 8))
    positions = water.positions * BOHR_PER_ANGSTROM
    cell = water.cell.array.T * BOHR_PER_ANGSTROM
    array = positions if where == "positions" else cell
    array[0, 0], array[2, 1] = values
    with (
        warnings.catch_warnings(),
        pytest.raises(SoapGprError, match=r"not finite|expected 1e\+08 Å"),
    ):
        warnings.simplefilter("error")
        Evaluator(model, water).evaluate(cell, positions, np.empty((3, 3)), np.empty((3, 3)))


def test_collapsed_cell_is_one_sentence_everywhere():
    """A run at constant pressure that went wrong: 96 atoms in a cube of 0.26 Å."""
    model, cell = random_model(species=(1, 8)), 0.26 * np.eye(3)
    positions = np.random.default_rng(0).uniform(0, 0.26, (96, 3))
    atoms = ase.Atoms("OHH" * 32, positions, cell=cell, pbc=True)
    sentence = r"neighbours of each atom within 3\.5 Å, expected 20000 at most"
    with pytest.raises(SoapGprError, match=sentence):
        evaluate(Evaluator(model, atoms), atoms)
    atoms.calc = SoapGprCalculator(model)
    with pytest.raises(SoapGprError, match=sentence):
        atoms.get_potential_energy()
    with pytest.raises(SoapGprError, match="a.xyz#3: found about .* " + sentence):
        evaluate_structures(model, [structure_from_atoms(atoms.copy(), source="a.xyz#3")])


@pytest.mark.parametrize("key", ["energy", "forces", "virial"])
def test_result_that_is_not_finite_is_an_error(water, key):
    result = {"energy": 1.0, "forces": np.zeros((3, 3)), "virial": np.zeros((3, 3))}
    result[key] = result[key] + np.nan
    broken = SimpleNamespace(evaluate=lambda *_: SimpleNamespace(**result))
    with pytest.raises(SoapGprError, match="not finite"):
        evaluate(Evaluator(broken, water), water)
