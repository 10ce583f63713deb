# SPDX-License-Identifier: BSD-3-Clause
"""Members of a committee among i-PI's extras, its committee force field on them, and its tool that
reweights."""

import json
import subprocess

import numpy as np
import pytest
from ipi_runs import NESTED, Run, client_threads, find_program, read_binary
from models import random_model, random_structure
from targets import SITE, labelled, target_settings, with_targets
from uncertain import with_members, with_target_members
from variances import variance_model

from ipi_driver.evaluation import Evaluator
from ipi_driver.units import (
    BOHR_PER_ANGSTROM,
    HARTREE_PER_BOHR_PER_EV_PER_ANGSTROM,
    HARTREE_PER_EV,
)
from potential import fit
from potential.errors import SoapGprError

BASELINE = 0.002  # hartree
COMMITTEE = """
<ffcommittee name="model">
  <parse_json>True</parse_json>
  <baseline_name>base</baseline_name>
  <baseline_uncertainty units="atomic_unit">{uncertainty}</baseline_uncertainty>
  <ffsocket name="base" mode="unix" pbc="False"><address>ADDRESS-base</address></ffsocket>
  <ffsocket name="members" mode="unix" pbc="False"><address>ADDRESS</address></ffsocket>
</ffcommittee>
"""


@pytest.fixture(scope="module")
def committee():
    return with_members(random_model())


def read_extras(path, n_frames):
    """(n_frames, n) of a file of extras."""
    rows = [line.split() for line in path.read_text().splitlines() if "#" not in line]
    return np.array([x for row in rows for x in row], dtype=float).reshape(n_frames, -1)


def extras_of(model, atoms, measures):
    forces, virial = np.empty((len(atoms), 3)), np.empty((3, 3))
    cell = atoms.cell.array.T * BOHR_PER_ANGSTROM
    evaluator = Evaluator(model, atoms, uncertainty=measures)
    energy, extras = evaluator.evaluate(cell, atoms.positions * BOHR_PER_ANGSTROM, forces, virial)
    return energy, forces, virial, json.loads(extras)


def test_extras_are_the_values_of_python(committee):
    atoms = random_structure([8, 1, 1] * 3, seed=1)
    energy, forces, virial, found = extras_of(committee, atoms, ("forces",))
    own = committee.evaluate(atoms, uncertainty=("forces",)).uncertainty
    unit = HARTREE_PER_EV
    np.testing.assert_allclose(found["committee_pot"], unit * own.committee_energies, rtol=1e-9)
    members = HARTREE_PER_BOHR_PER_EV_PER_ANGSTROM * own.committee_forces.reshape(4, -1)
    np.testing.assert_allclose(found["committee_force"], members, rtol=1e-9, atol=1e-12)
    virials = unit * own.committee_virials
    np.testing.assert_allclose(found["committee_virial"], virials, rtol=1e-9, atol=1e-12)
    sigma = unit * own.energies_uncertainty
    np.testing.assert_allclose(found["energies_uncertainty"], sigma, rtol=1e-9)
    sigma = HARTREE_PER_BOHR_PER_EV_PER_ANGSTROM * own.forces_uncertainty
    np.testing.assert_allclose(found["forces_uncertainty"], sigma, rtol=1e-9)
    # i-PI takes the mean of the members in the place of these
    assert np.mean(found["committee_pot"]) == pytest.approx(energy, rel=1e-12)
    mean = np.mean(found["committee_force"], axis=0).reshape(-1, 3)
    np.testing.assert_allclose(mean, forces, atol=1e-12)
    np.testing.assert_allclose(np.mean(found["committee_virial"], axis=0), virial, atol=1e-12)


def test_energies_alone(committee):
    *_, found = extras_of(committee, random_structure([8, 1, 1]), ("energies",))
    assert set(found) == {"committee_pot", "energies_uncertainty"}


def test_variances():
    model, *_ = variance_model(random_model())
    atoms = random_structure([8, 1, 1] * 3, seed=1)
    *_, found = extras_of(model, atoms, ("variance",))
    own = model.evaluate(atoms, uncertainty=("variance",)).uncertainty
    sigma = HARTREE_PER_EV * own.energies_uncertainty
    np.testing.assert_allclose(found["energies_uncertainty"], sigma, rtol=1e-9)
    np.testing.assert_allclose(found["rigidities"], own.rigidities / HARTREE_PER_EV**2, rtol=1e-9)
    np.testing.assert_allclose(found["grades"], own.grades, rtol=1e-9)
    assert set(found) == {"energies_uncertainty", "rigidities", "grades"}


def test_targets():
    model = with_target_members(with_targets(random_model()))
    atoms = random_structure([8, 1, 1] * 3, seed=1)
    *_, found = extras_of(model, atoms, ("targets",))
    own = model.evaluate(atoms, uncertainty=("targets",)).uncertainty.properties_uncertainty
    assert set(found) == {t.name for t in model.targets} | {f"{name}_uncertainty" for name in own}
    charges = found["charge_uncertainty"]
    np.testing.assert_allclose(charges, own["charge"], rtol=1e-9)
    assert found["gap_uncertainty"] == pytest.approx(own["gap"], rel=1e-9)


def test_variances_of_targets():
    frames = labelled(8, seed=1)
    own = target_settings(SITE | {"species": ["Au"]}, n_sparse=10)
    own["uncertainty"] = {"committee": 0, "variance": True, "n_blocks": 4}
    model = fit(own, train=frames, progress=False).model
    *_, found = extras_of(model, frames[0], ("targets_variance",))
    of = model.evaluate(frames[0], uncertainty=("targets_variance",)).uncertainty.of_targets
    assert set(found) - {"site"} == {"site_uncertainty", "site_rigidity", "site_grade"} == set(of)
    for name, values in of.items():  # null of copper
        np.testing.assert_allclose(np.array(found[name], dtype=float), values, rtol=1e-9)


def test_what_the_model_lacks_is_refused(committee):
    atoms = random_structure([8, 1, 1])
    with pytest.raises(SoapGprError, match="found variance, expected what the model has: energ"):
        Evaluator(committee, atoms, uncertainty=("variance",))
    with pytest.raises(SoapGprError, match="nothing, it was fitted without"):
        Evaluator(random_model(), atoms, uncertainty=("forces",))


@pytest.mark.skipif(find_program("i-pi") is None, reason="i-PI is not installed")
def test_weighted_baseline(tmp_path, water, committee):
    """E = E_base + Ē s²/(s² + σ²), and i-PI's σ is ours."""
    base = random_model(seed=5)
    outputs = "".join(
        f'<trajectory stride="1" filename="{name}" extra_type="{name}">extras</trajectory>'
        for name in ("committee_pot", "committee_uncertainty")
    )
    forcefield = COMMITTEE.format(uncertainty=BASELINE)
    with Run(tmp_path, water, forcefield=forcefield, outputs=outputs) as run:
        members = Evaluator(committee, water, uncertainty=("forces",))
        with (
            client_threads(run, [Evaluator(base, water)], NESTED, "-base"),
            client_threads(run, [members], NESTED),
        ):
            run.wait()
    rows = np.loadtxt(tmp_path / "out.properties")
    positions = read_binary(tmp_path / "out.pos_0.bin", run.steps + 1)
    members = read_extras(tmp_path / "out.committee_pot_0", run.steps + 1)
    sigma = read_extras(tmp_path / "out.committee_uncertainty_0", run.steps + 1)
    for step, r in enumerate(positions):
        geometry = water.numbers, r, water.cell.array, True
        own = committee.evaluate(*geometry, uncertainty=("forces",))
        expected = HARTREE_PER_EV * own.uncertainty.committee_energies
        np.testing.assert_allclose(members[step], expected, rtol=1e-9)
        s = HARTREE_PER_EV * own.uncertainty.energy_uncertainty
        assert sigma[step][0] == pytest.approx(s, rel=1e-7)
        mixing = BASELINE**2 / (BASELINE**2 + s**2)
        total = base.evaluate(*geometry).energy + own.energy * mixing
        assert rows[step, 2] == pytest.approx(total, rel=1e-9)
    assert np.ptp(rows[:, 1]) < 1e-3 * np.ptp(rows[:, 2])  # forces are its derivatives
    np.savetxt(tmp_path / "pot", members)
    np.savetxt(tmp_path / "obs", rows[:, 2])
    tool = [find_program("i-pi-committee-reweight"), "pot", "obs", "--kt", "0.00095"]
    done = subprocess.run(tool, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
