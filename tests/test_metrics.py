# SPDX-License-Identifier: BSD-3-Clause
"""Errors against numbers worked out by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from potential.scores import metrics
from potential.structures.structure import Structure

pytestmark = pytest.mark.check


def structure(n=2, config_type="a", energy=None, forces=None, virial=None, pbc=True):
    return Structure(
        numbers=np.full(n, 14),
        positions=np.zeros((n, 3)),
        cell=2.0 * np.eye(3),
        pbc=np.full(3, pbc),
        energy=energy,
        forces=forces,
        virial=virial,
        config_type=config_type,
    )


def prediction(n=2, energy=0.0, forces=0.0, virial=0.0):
    return SimpleNamespace(
        energy=energy, forces=np.full((n, 3), forces), virial=np.full((3, 3), virial)
    )


def test_energy_errors_are_per_atom():
    structures = [structure(2, energy=1.0), structure(4, "b", energy=1.0)]
    table = metrics.errors(structures, [prediction(2, 1.4), prediction(4, 0.6)])
    everything = table["all"]["energy"]
    assert everything.count == 2
    assert everything.rmse == pytest.approx(np.sqrt((0.2**2 + 0.1**2) / 2))
    assert everything.mae == pytest.approx(0.15)
    assert everything.largest == pytest.approx(0.2)
    assert table["b"]["energy"].rmse == pytest.approx(0.1)
    assert set(table) == {"all", "a", "b"}


def test_force_components_count_one_by_one():
    forces = np.zeros((2, 3))
    forces[0, 0] = 0.6
    table = metrics.errors([structure(forces=forces)], [prediction()])
    force = table["all"]["force"]
    assert (force.count, force.largest) == (6, 0.6)
    assert force.rmse == pytest.approx(0.6 / np.sqrt(6))
    assert "energy" not in table["all"]


def test_virial_is_per_atom_and_stress_per_volume():
    table = metrics.errors([structure(virial=np.zeros((3, 3)))], [prediction(virial=0.8)])
    assert table["all"]["virial"].rmse == pytest.approx(0.4)
    assert table["all"]["virial"].count == 6
    assert table["all"]["stress"].mae == pytest.approx(0.1)


def test_no_stress_without_a_periodic_cell():
    table = metrics.errors([structure(virial=np.zeros((3, 3)), pbc=False)], [prediction()])
    assert "virial" in table["all"] and "stress" not in table["all"]


def test_json_round_trip():
    table = metrics.errors([structure(energy=1.0)], [prediction(energy=1.5)])
    assert metrics.from_json(json.loads(json.dumps(metrics.to_json(table)))) == table


def test_table_shows_units_people_use():
    text = metrics.format_table(
        metrics.errors([structure(energy=1.0)], [prediction(energy=1.02)]), "Errors"
    )
    lines = text.splitlines()
    assert lines[0] == "Errors"
    assert lines[-1].split() == ["all", "energy", "1", "10.000", "10.000", "10.000", "meV/atom"]


def test_several_config_types_each_have_rows():
    table = metrics.errors(
        [structure(energy=1.0), structure(config_type="b", energy=1.0)], [prediction()] * 2
    )
    assert [row[0] for row in metrics.rows(table)] == ["all", "a", "b"]
