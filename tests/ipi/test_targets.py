# SPDX-License-Identifier: BSD-3-Clause
"""Targets of a model among i-PI's extras."""

import json

import numpy as np
import pytest
from ipi_runs import Run, client_threads, find_program, read_binary
from models import random_model, random_structure
from targets import ALL_KINDS, BY_COLUMN, WEIGHTED, with_targets

from ipi_driver.evaluation import Evaluator
from ipi_driver.units import BOHR_PER_ANGSTROM
from potential.errors import SoapGprError


@pytest.mark.parametrize("targets", [ALL_KINDS, WEIGHTED], ids=["plain", "weighted"])
def test_extras_are_the_values_of_python(targets):
    model, atoms = with_targets(random_model(), targets), random_structure([8, 1, 1] * 3, seed=1)
    forces, virial = np.empty((9, 3)), np.empty((3, 3))
    cell = atoms.cell.array.T * BOHR_PER_ANGSTROM
    positions = atoms.positions * BOHR_PER_ANGSTROM
    _, extras = Evaluator(model, atoms).evaluate(cell, positions, forces, virial)
    found, expected = json.loads(extras), model.evaluate(atoms).properties
    assert set(found) == set(expected)
    np.testing.assert_allclose(found["charge"], expected["charge"], rtol=1e-9)
    assert found["gap"] == pytest.approx(expected["gap"], rel=1e-9)
    shielding = np.array(found["shielding"], dtype=float)  # null becomes nan
    np.testing.assert_allclose(shielding, expected["shielding"], rtol=1e-9)


def test_model_without_a_potential_is_refused():
    alone = with_targets(random_model(), potential=False)
    with pytest.raises(SoapGprError, match="has targets and no potential"):
        Evaluator(alone, random_structure([8, 1, 1]))


def test_weights_by_a_column_are_refused():
    model = with_targets(random_model(), BY_COLUMN)
    with pytest.raises(SoapGprError, match="in the target volume by the column 'part'"):
        Evaluator(model, random_structure([8, 1, 1]))


@pytest.mark.skipif(find_program("i-pi") is None, reason="i-PI is not installed")
def test_ipi_writes_the_values_of_python(tmp_path, water):
    model = with_targets(random_model())
    extras = "".join(
        f'<trajectory stride="1" filename="{name}" extra_type="{name}">extras</trajectory>'
        for name in ("charge", "shielding", "gap")
    )
    with Run(tmp_path, water, beads=2, outputs=extras) as run:
        with client_threads(run, [Evaluator(model, water)]):
            run.wait()
        run.assert_agrees(model)
    for bead in range(2):
        positions = read_binary(tmp_path / f"out.pos_{bead}.bin", run.steps + 1)
        for name in ("charge", "gap"):
            text = (tmp_path / f"out.{name}_{bead}").read_text()
            rows = [line.split() for line in text.splitlines() if "#" not in line]
            found = np.array(rows, dtype=float).reshape(run.steps + 1, -1)
            expected = [
                model.evaluate(water.numbers, own, water.cell.array, True).properties[name]
                for own in positions
            ]
            np.testing.assert_allclose(found, np.reshape(expected, found.shape), rtol=1e-9)
