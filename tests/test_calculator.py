# SPDX-License-Identifier: BSD-3-Clause
"""The ASE calculator: units, signs and orders as ASE has them."""

import ase.units
import numpy as np
import pytest
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_stress
from ase.io import read
from ase.md.verlet import VelocityVerlet
from models import random_model, random_structure
from uncertain import with_members
from variances import variance_model

from potential import SoapGprCalculator
from potential.errors import SoapGprError


@pytest.fixture(scope="module")
def model():
    return random_model()


def test_stress_equals_ase_numeric_stress(model):
    atoms = random_structure([8, 1, 1] * 3, seed=1)
    atoms.calc = SoapGprCalculator(model)
    np.testing.assert_allclose(
        atoms.get_stress(), calculate_numerical_stress(atoms, eps=1e-5), atol=1e-7
    )


def test_per_atom_properties_add_up(model):
    atoms = random_structure([8, 1, 1] * 3, seed=2)
    atoms.calc = SoapGprCalculator(model)
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy())
    assert atoms.calc.results["free_energy"] == atoms.get_potential_energy()
    np.testing.assert_allclose(atoms.get_stresses().sum(axis=0), atoms.get_stress(), atol=1e-12)
    np.testing.assert_allclose(atoms.get_forces().sum(axis=0), 0, atol=1e-12)


def test_cluster_has_no_stress_and_path_is_accepted(model, tmp_path):
    model.save(tmp_path / "m.sgpr")
    atoms = random_structure([8, 1, 1], seed=3, pbc=False)
    atoms.calc = SoapGprCalculator(tmp_path / "m.sgpr", n_threads=2)
    atoms.get_forces()
    assert "stress" not in atoms.calc.results


def test_results_survive_a_round_trip_through_extended_xyz(model, tmp_path):
    atoms = random_structure([8, 1, 1], seed=4)
    atoms.calc = SoapGprCalculator(model)
    atoms.get_stress()
    atoms.write(tmp_path / "a.xyz")
    again = read(tmp_path / "a.xyz")
    assert again.get_potential_energy() == pytest.approx(atoms.get_potential_energy())


def test_total_energy_is_conserved():
    atoms = random_structure([8, 1, 1] * 4, seed=5)
    atoms.calc = SoapGprCalculator(random_model(weight=0.3))
    dynamics = VelocityVerlet(atoms, 0.2 * ase.units.fs)
    atoms.get_forces()
    energies = []
    for _ in range(20):
        dynamics.run(20)
        energies.append(atoms.get_total_energy())
    exchanged = atoms.get_kinetic_energy()
    assert exchanged > 0.05
    assert np.ptp(energies) < 1e-3 * exchanged


def test_uncertainty_is_what_the_model_says():
    model = with_members(random_model())
    atoms = random_structure([8, 1, 1] * 3, seed=4)
    own = model.evaluate(atoms, uncertainty=("forces",)).uncertainty
    atoms.calc = SoapGprCalculator(model)
    atoms.get_potential_energy()
    assert "energy_uncertainty" not in atoms.calc.results  # only when asked for
    assert atoms.calc.get_property("energy_uncertainty", atoms) == own.energy_uncertainty
    assert "forces_uncertainty" not in atoms.calc.results
    found = atoms.calc.get_property("forces_uncertainty", atoms)
    np.testing.assert_array_equal(found, own.forces_uncertainty)
    always = SoapGprCalculator(model, uncertainty=("forces",))
    atoms.calc = always
    atoms.get_forces()
    for name in ("energies_uncertainty", "committee_energies", "committee_forces"):
        np.testing.assert_array_equal(always.results[name], getattr(own, name))
    mean = always.results["committee_forces"].mean(axis=0)
    np.testing.assert_allclose(mean, atoms.get_forces(), atol=1e-12)


def test_uncertainty_by_the_variance():
    model, *_ = variance_model(random_model())
    atoms = random_structure([8, 1, 1] * 3, seed=4)
    own = model.evaluate(atoms, uncertainty=("variance",)).uncertainty
    calculator = SoapGprCalculator(model)
    for name in ("energies_uncertainty", "deviations", "rigidities", "grades"):
        found = calculator.get_property(name, atoms)
        np.testing.assert_array_equal(found, getattr(own, name))
    with pytest.raises(PropertyNotImplementedError):
        calculator.get_property("energy_uncertainty", atoms)


def test_uncertainty_that_the_model_lacks_is_refused(model):
    with pytest.raises(SoapGprError, match="found energies, expected what the model has: nothing"):
        SoapGprCalculator(model, uncertainty=("energies",))
    with pytest.raises(SoapGprError, match="found variance, expected what the model has: energies"):
        SoapGprCalculator(with_members(model), uncertainty=("variance",))
    with pytest.raises(PropertyNotImplementedError):
        SoapGprCalculator(model).get_property("energy_uncertainty", random_structure([8]))
