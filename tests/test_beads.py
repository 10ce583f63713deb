# SPDX-License-Identifier: BSD-3-Clause
"""Coarse-grained models: names of beads in files, settings, models, ASE and i-PI."""

import ase
import ase.io
import numpy as np
import pytest
from coarse import coarse_frames, write_named
from numerical import numerical_forces
from training_data import small_settings

from ipi_driver.evaluation import Evaluator
from ipi_driver.units import ANGSTROM_PER_BOHR, HARTREE_PER_EV
from potential import Model, SoapGprCalculator, fit
from potential.cli import main
from potential.errors import SoapGprError
from potential.species import is_species, species_number, symbol
from potential.structures.beads import species_of

NAMES = ("MW", "MW", "PO") * 9


def settings(train, **data):
    own = small_settings(train, n_sparse={"MW": 60, "PO": 40}, atom_sigma={"MW": 0.6, "PO": 0.5})
    own["data"] |= {"beads": ["MW", "PO"]} | data
    own["noise"] = {"force": 0.01}
    return own


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of frames in a file, and other frames."""
    folder = tmp_path_factory.mktemp("beads")
    train = write_named(folder / "train.xyz", coarse_frames(10, NAMES))
    write_named(folder / "test.xyz", coarse_frames(2, NAMES, seed=1))
    result = fit(settings(train), progress=False)
    assert result.warnings == []
    result.model.save(folder / "model.sgpr")
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return Model.load(folder / "model.sgpr")


@pytest.fixture
def frame():
    return coarse_frames(1, NAMES, seed=1)[0]


@pytest.mark.parametrize("name", ["MW", "PO", "W1", "a", "SC_1a", "zzzzz", "water"])
def test_number_of_a_name_spells_it(name):
    number = species_number(name)
    assert symbol(number) == name
    assert is_species(number)
    assert 118 < number < 2**31


def test_elements_and_what_looks_like_them_are_no_beads():
    assert species_number("Po") == 84
    assert [species_number(name) for name in ("W", "Xx", "X", "", "1W", "longer", "a b")] == [
        74,
        *[0] * 6,
    ]
    assert not any(map(is_species, (-1, 0, 119, 10**9)))


def test_model_of_beads_predicts_their_forces(model, frame):
    predicted = model.evaluate(frame)
    error = predicted.forces - frame.get_forces()
    assert np.sqrt(np.mean(error**2)) < 0.15 * np.std(frame.get_forces())


def test_forces_between_beads_are_derivatives(model, frame):
    numbers, cell = species_of(frame), frame.cell.array

    def energy(positions):
        return model.evaluate(numbers, positions, cell, True).energy

    np.testing.assert_allclose(
        model.evaluate(frame).forces, numerical_forces(energy, frame.positions, 2e-3), atol=1e-6
    )


def test_frames_in_python_give_the_model_of_their_file(model, frame):
    other = fit(settings("unused"), train=coarse_frames(10, NAMES), progress=False).model
    np.testing.assert_allclose(
        other.evaluate(frame).energy, model.evaluate(frame).energy, rtol=1e-6
    )


def test_names_are_shown(folder, capsys):
    assert main(["info", str(folder / "model.sgpr")]) == 0
    said = capsys.readouterr().out
    assert "Species        MW, PO" in said
    assert "e0             MW -" in said
    assert "MW" in repr(Model.load(folder / "model.sgpr"))


def test_predictions_in_a_file_can_be_read_again(folder, model, capsys):
    out = folder / "out.xyz"
    args = ["evaluate", str(folder / "model.sgpr"), str(folder / "test.xyz"), "-o", str(out)]
    assert main(args) == 0
    (first, *_) = ase.io.read(out, ":")
    assert set(first.symbols) == {"X"}
    assert tuple(first.arrays["bead"]) == NAMES
    assert main(["evaluate", str(folder / "model.sgpr"), str(out), "--json", "-"]) == 0
    assert '"rmse": ' in capsys.readouterr().out


def test_calculator_takes_x_with_names(model, frame):
    expected = model.evaluate(frame)
    frame.calc = SoapGprCalculator(model)
    np.testing.assert_array_equal(frame.get_forces(), expected.forces)


def test_ipi_takes_a_template_with_names(folder, model, frame):
    evaluator = Evaluator(model, str(folder / "test.xyz@0"))
    assert evaluator.formula == "MW18 PO9"
    forces, virial = np.empty((27, 3)), np.empty((3, 3))
    scale = 1 / ANGSTROM_PER_BOHR
    energy, _ = evaluator.evaluate(
        frame.cell.array.T * scale, frame.positions * scale, forces, virial
    )
    assert energy == pytest.approx(model.evaluate(frame).energy * HARTREE_PER_EV, rel=1e-9)


def test_po_is_polonium_where_nobody_says_otherwise(folder, capsys):
    assert main(["check", str(folder / "train.xyz")]) == 0
    train = str(folder / "train.xyz")
    with pytest.raises(SoapGprError, match="found the species MW, expected chemical elements, or"):
        fit(small_settings(train), progress=False)
    with pytest.raises(SoapGprError, match="found the key 'MW', expected a chemical symbol or a"):
        fit(settings(train, beads=[]), progress=False)


def test_declared_names_that_no_frame_has_are_warned_of():
    own = settings("unused", beads=["MW", "PO", "OIL"])
    warnings = fit(own, train=coarse_frames(2, NAMES), progress=False).warnings
    assert "[data] beads: OIL is in no training structure" in warnings


@pytest.mark.parametrize(
    ("beads", "message"),
    [
        (["W"], "found 'W', a chemical symbol, expected names of up to 5 letters"),
        (["Xx"], "found 'Xx', expected names of up to 5 letters"),
        ("MW", 'found "MW", expected a list of names'),
        (["MW", "MW"], "expected each name once"),
    ],
)
def test_names_that_cannot_be_are_refused(beads, message):
    with pytest.raises(SoapGprError, match=message):
        fit(settings("unused", beads=beads), train=coarse_frames(1), progress=False)


def test_x_without_a_name_is_refused(model):
    with pytest.raises(SoapGprError, match="the model does not know X, it was trained for MW, PO"):
        model.evaluate(ase.Atoms("X2", [[0, 0, 0], [0, 0, 2]]))


def test_repulsion_of_nuclei_is_refused(folder):
    own = settings(str(folder / "train.xyz")) | {"baseline": {"zbl": {}}}
    with pytest.raises(SoapGprError, match="pair MW-MW, expected chemical elements"):
        fit(own, progress=False)


def test_a_report_shows_where_beads_lie(folder, tmp_path):
    own = settings(str(folder / "train.xyz"))
    own["terms"][0]["alchemy"] = {"dimensions": 2, "start": {"MW": [1, 0.2], "PO": [0.3, 1]}}
    fit(own, progress=False).model.save(tmp_path / "model.sgpr")
    page = tmp_path / "page.html"
    data = str(folder / "test.xyz")
    assert main(["report", str(tmp_path / "model.sgpr"), data, "-o", str(page)]) == 0
    text = page.read_text()
    assert "Elements along the two leading directions" in text
    assert "periodic table" not in text


def test_features_of_beads_are_compared(folder, capsys):
    model = str(folder / "model.sgpr")
    frames = str(folder / "train.xyz")
    assert main(["compare-features", model, model, frames, "--centers", "PO"]) == 0
    said = capsys.readouterr().out
    assert "B from A" in said and "A: " + model in said
