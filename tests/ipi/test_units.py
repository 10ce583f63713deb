# SPDX-License-Identifier: BSD-3-Clause
import ase.units
import pytest

from ipi_driver import units


def test_factors_are_those_of_ipi():
    table = pytest.importorskip("ipi.utils.units").UnitMap
    assert table["length"]["angstrom"] == units.BOHR_PER_ANGSTROM
    assert table["energy"]["electronvolt"] == units.HARTREE_PER_EV
    assert table["force"]["ev/ang"] == units.HARTREE_PER_BOHR_PER_EV_PER_ANGSTROM


def test_factors_agree_with_codata_to_the_digits_ipi_keeps():
    force = units.HARTREE_PER_BOHR_PER_EV_PER_ANGSTROM
    assert abs(units.BOHR_PER_ANGSTROM * ase.units.Bohr - 1) < 3e-8
    assert abs(units.HARTREE_PER_EV * ase.units.Hartree - 1) < 2e-7
    assert abs(force * units.BOHR_PER_ANGSTROM / units.HARTREE_PER_EV - 1) < 2e-7
