# SPDX-License-Identifier: BSD-3-Clause
"""Dipoles, polarizabilities and their derivatives among i-PI's extras, as i-PI's own code reads
them."""

import json
from pathlib import Path

import numpy as np
import pytest
from ipi_runs import Run, assert_close, client_threads, find_program, read_binary
from models import random_model, random_structure
from tensor_models import with_tensors

import ipi_driver
from ipi_driver.evaluation import Evaluator
from ipi_driver.units import BOHR_PER_ANGSTROM
from potential.errors import SoapGprError
from potential.model.targets import Target

TARGETS = (
    Target("dipole", "e*Å", False, basis=0, rank=1),
    Target("polarizability", "Å^3", False, basis=0, rank=2),
    Target("other", "", False, basis=0, rank=2),
)


def with_units(dipole="e*Å", alpha="Å^3"):
    units = (dipole, alpha, "")
    own = [
        Target(t.name, u, False, basis=0, rank=t.rank) for t, u in zip(TARGETS, units, strict=True)
    ]
    return with_tensors(random_model(), own, zeta=2)


@pytest.fixture(scope="module")
def model():
    return with_units()


@pytest.fixture(scope="module")
def atoms():
    return random_structure([8, 1, 1] * 3, seed=1)


def extras_of(evaluator, atoms):
    forces, virial = np.empty((len(atoms), 3)), np.empty((3, 3))
    cell = atoms.cell.array.T * BOHR_PER_ANGSTROM
    _, extras = evaluator.evaluate(cell, atoms.positions * BOHR_PER_ANGSTROM, forces, virial)
    return json.loads(extras)


def test_dipole_and_polarizability_are_in_atomic_units(model, atoms):
    evaluator = Evaluator(model, atoms)
    found, expected = extras_of(evaluator, atoms), model.evaluate(atoms).properties
    assert evaluator.notes == []
    np.testing.assert_allclose(found["dipole"], BOHR_PER_ANGSTROM * expected["dipole"], rtol=1e-9)
    alpha = BOHR_PER_ANGSTROM**3 * expected["polarizability"].ravel()
    np.testing.assert_allclose(found["polarizability"], alpha, rtol=1e-9)
    np.testing.assert_allclose(found["other"], expected["other"], rtol=1e-9)
    assert "BEC" not in found


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("a.u.", 1), ("e bohr", 1), ("Debye", 0.3934303), ("e*angstrom", BOHR_PER_ANGSTROM)],
)
def test_units_of_dipoles_are_known(atoms, unit, factor):
    model = with_units(dipole=unit)
    found = extras_of(Evaluator(model, atoms), atoms)["dipole"]
    np.testing.assert_allclose(
        found, factor * model.evaluate(atoms).properties["dipole"], rtol=1e-7
    )


def test_an_unknown_unit_is_said(atoms):
    model = with_units(dipole="")
    evaluator = Evaluator(model, atoms)
    (note,) = evaluator.notes
    assert note.startswith("target dipole: found no unit, expected one of a") and "\n" not in note
    found = extras_of(evaluator, atoms)["dipole"]
    np.testing.assert_allclose(found, model.evaluate(atoms).properties["dipole"], rtol=1e-9)


def test_derivatives_have_the_shapes_that_ipi_reads(model, atoms):
    evaluator = Evaluator(model, atoms, derivatives=["dipole", "polarizability"])
    found = extras_of(evaluator, atoms)
    bec = np.array(found["BEC"])
    assert bec.shape == (3 * len(atoms), 3)
    assert np.abs(bec.reshape(-1, 3, 3).sum(axis=0)).max() < 1e-8  # i-PI's asr_threshold
    moved = atoms.copy()
    step = 1e-4
    moved.positions[2, 1] += step / BOHR_PER_ANGSTROM
    change = np.array(extras_of(evaluator, moved)["dipole"]) - found["dipole"]
    np.testing.assert_allclose(bec[3 * 2 + 1], change / step, atol=1e-3 * np.abs(bec).max())
    flat = np.array(found["dipole_derivative"]).reshape(-1, 3, 3)  # atom, component, axis
    np.testing.assert_allclose(flat, bec.reshape(-1, 3, 3).transpose(0, 2, 1))
    raman = np.array(found["polarizability_derivative"]).reshape(len(atoms), 9, 3)
    change = np.array(extras_of(evaluator, moved)["polarizability"]) - found["polarizability"]
    np.testing.assert_allclose(raman[2, :, 1], change / step, atol=1e-3 * np.abs(raman).max())


def test_derivatives_of_anything_else_are_refused(model, atoms):
    with pytest.raises(SoapGprError, match="derivatives of 'charge', expected a vector or tensor"):
        Evaluator(model, atoms, derivatives=["charge"])


def test_derivatives_have_the_threads_of_the_client(model, atoms, monkeypatch):
    asked = []

    def gradients(self, *structure, n_threads=1):
        asked.append(n_threads)
        return found

    found = model.gradients("dipole", atoms)
    monkeypatch.setattr(type(model), "gradients", gradients)
    extras_of(Evaluator(model, atoms, derivatives=["dipole"], n_threads=2), atoms)
    assert asked == [2]


PES = Path(ipi_driver.__file__).with_name("pes.py")
DERIVATIVES = ("dipole", "polarizability")
EXTRAS = (*DERIVATIVES, "other", "BEC", *(f"{name}_derivative" for name in DERIVATIVES))
DIRECT = (
    f'<ffdirect name="model"><pes>custom</pes><pes_path>{PES}</pes_path>'
    "<batch_size>2</batch_size><parameters>{model: model.sgpr, template: template.xyz, "
    f"derivatives: {' '.join(DERIVATIVES)}}}</parameters></ffdirect>"
)


def extras_of_python(model, atoms):
    """Each of EXTRAS as the row that i-PI writes."""
    values = model.evaluate(atoms).properties
    born, raman = (model.gradients(name, atoms).positions for name in DERIVATIVES)
    rows = {
        "dipole": BOHR_PER_ANGSTROM * values["dipole"],
        "polarizability": BOHR_PER_ANGSTROM**3 * values["polarizability"],
        "other": values["other"],
        "BEC": born,
        "dipole_derivative": born.transpose(0, 2, 1),
        "polarizability_derivative": BOHR_PER_ANGSTROM**2
        * raman.reshape(len(atoms), 3, 9).transpose(0, 2, 1),
    }
    return {name: row.ravel() for name, row in rows.items()}


@pytest.mark.skipif(find_program("i-pi") is None, reason="i-PI is not installed")
@pytest.mark.parametrize("way", ["one by one", "batches", "in its process"])
def test_ipi_writes_the_values_of_python(tmp_path, model, water, way):
    extras = "".join(
        f'<trajectory stride="1" filename="{name}" extra_type="{name}">extras</trajectory>'
        for name in EXTRAS
    )
    options = "<batch_size>2</batch_size>" if way == "batches" else ""
    direct = DIRECT if way == "in its process" else None
    model.save(tmp_path / "model.sgpr")
    water.write(tmp_path / "template.xyz")
    with Run(tmp_path, water, 4, outputs=extras, options=options, forcefield=direct) as run:
        evaluators = [Evaluator(model, water, derivatives=DERIVATIVES)] * (direct is None)
        with client_threads(run, evaluators):
            run.wait()
        run.assert_agrees(model)
    for bead in range(4):
        positions = read_binary(tmp_path / f"out.pos_{bead}.bin", run.steps + 1)
        found = {}
        for name in EXTRAS:
            text = (tmp_path / f"out.{name}_{bead}").read_text()
            rows = [line.split() for line in text.splitlines() if "#" not in line]
            found[name] = np.array(rows, dtype=float).reshape(run.steps + 1, -1)
        for step, x in enumerate(positions):
            atoms = water.copy()
            atoms.positions = x.reshape(-1, 3)
            for name, expected in extras_of_python(model, atoms).items():
                assert_close(found[name][step], expected, 1e-9)


DRIVEN = """<motion mode="driven_dynamics">
      <driven_dynamics mode="eda-nve">
        <timestep units="femtosecond">0.25</timestep>
        <efield><amp>[0, 0, 1e-3]</amp></efield>
        <bec mode="driver"/>
      </driven_dynamics>
    </motion>"""


@pytest.mark.skipif(find_program("i-pi") is None, reason="i-PI is not installed")
def test_ipi_drives_atoms_by_an_electric_field(tmp_path, model, water):
    """i-PI takes BEC from the extras: the field moves what has a charge."""
    ends = []
    for name, motion in (("field", {"motion": DRIVEN}), ("none", {})):
        (tmp_path / name).mkdir()
        evaluator = Evaluator(model, water, derivatives=["dipole"])
        with Run(tmp_path / name, water, **motion) as run, client_threads(run, [evaluator]):
            run.wait()
        ends.append(read_binary(tmp_path / name / "out.pos_0.bin", run.steps + 1)[-1])
    assert np.abs(ends[0] - ends[1]).max() > 1e-7
