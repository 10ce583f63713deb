# SPDX-License-Identifier: BSD-3-Clause
"""Infrared and Raman spectra: intensities that are known, rotations, shifts, polarizers."""

import numpy as np
import pytest
from scipy.constants import Avogadro, atomic_mass, c, e, epsilon_0
from scipy.constants import Boltzmann as k_B
from scipy.spatial.transform import Rotation

from potential.errors import SoapGprError
from potential.spectra.estimate import CM_PER_FS, EstimateOptions, make_plan
from potential.spectra.quantum import PER_CM, correction
from potential.spectra.spectrum import (
    Conditions,
    antisymmetric_share,
    in_angstrom,
    infrared,
    power,
    raman,
)

DEBYE = 1e-21 / c  # C m
WARM = Conditions(temperature=300.0)


def plan_of(n, time_step=0.5, **options):
    return make_plan([n], time_step, EstimateOptions(**options))


def noise(n, components, seed=0):
    """(n, components) that wander and tremble."""
    steps = np.random.default_rng(seed).normal(size=(n, components))
    return np.cumsum(steps, axis=0) * 0.01 + steps


def values(spectrum, name=None):
    (curve,) = [own for own in spectrum.curves if name in (None, own.name)]
    return curve.values


@pytest.mark.parametrize("nu", [1000.0, 3500.0])
def test_absorption_of_a_harmonic_oscillator_has_its_integrated_intensity(nu):
    # dμ/dx = 1 D/Å and 1 amu: 42.256 km/mol, N_A (dμ/dQ)² / (12 ε₀ c²)
    n, temperature, time_step = 120001, 300.0, 0.5
    omega = 2 * np.pi * CM_PER_FS * nu * 1e15
    amplitude = np.sqrt(2 * k_B * temperature / atomic_mass) / omega * 1e10  # Å
    x = amplitude * np.cos(1e-15 * omega * time_step * np.arange(n) + 0.4)
    dipoles = np.outer(x, [0.6, 0.0, 0.8]) * in_angstrom("dipole", "Debye")
    found = infrared([dipoles], plan_of(n - 1), Conditions(temperature))
    assert found.unit == "Å^2"
    total = values(found).sum() * found.wavenumbers[1] * 1e-16 * Avogadro * 1e-5  # km/mol
    by_hand = Avogadro * (DEBYE / 1e-10) ** 2 / atomic_mass / (12 * epsilon_0 * c**2) * 1e-3
    assert by_hand == pytest.approx(42.256, abs=2e-3)
    assert total == pytest.approx(by_hand, rel=1e-3)


def test_absorption_coefficient_is_the_cross_section_by_volume():
    dipoles, plan = [noise(4001, 3)], plan_of(4000, resolution=100.0)
    of_cell = infrared(dipoles, plan, Conditions(300.0, volume=500.0))
    assert of_cell.unit == "cm^-1"
    per_angstrom = values(infrared(dipoles, plan, WARM)) / 500.0
    np.testing.assert_allclose(values(of_cell), 1e8 * per_angstrom, rtol=1e-13)


@pytest.mark.parametrize("factor", ["none", "standard", "schofield"])
def test_absorption_with_a_factor_is_by_the_population_of_levels(factor):
    # ω (1 − exp(−βħω)) Q C against that of the harmonic factor, where it is βħω² C
    dipoles, plan = [noise(4001, 3)], plan_of(4000, resolution=100.0)
    found = infrared(dipoles, plan, Conditions(300.0, factor))
    harmonic = infrared(dipoles, plan, WARM)
    x = PER_CM * found.wavenumbers[1:] / 300.0
    ratio = (1 - np.exp(-x)) * correction(factor, found.wavenumbers[1:], 300.0) / x
    np.testing.assert_allclose(values(found)[1:], ratio * values(harmonic)[1:], rtol=1e-12)


def test_spectra_do_not_change_under_rotation_and_shift():
    turn = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    dipoles, plan = noise(3001, 3), plan_of(3000, resolution=100.0)
    moved = dipoles @ turn.T + [3.0, -5.0, 40.0]
    expected = values(infrared([dipoles], plan, WARM))
    found = values(infrared([moved], plan, WARM))
    np.testing.assert_allclose(found, expected, atol=1e-11 * expected.max())
    alpha = noise(3000, 9).reshape(-1, 3, 3)
    alpha = alpha + alpha.transpose(0, 2, 1)
    moved = turn @ alpha @ turn.T + np.diag([5.0, 6.0, 9.0])
    expected, found = (
        raman([own.reshape(-1, 9)], plan, Conditions(300.0, laser=532.0), 9000.0)
        for own in (alpha, moved)
    )
    for name in ("isotropic", "anisotropic", "VV", "VH"):
        scale = values(expected, name).max()
        np.testing.assert_allclose(values(found, name), values(expected, name), atol=1e-10 * scale)


def test_isotropic_and_anisotropic_parts_are_told_apart():
    plan, bare = plan_of(3000, resolution=100.0), Conditions(factor="none")
    breathing = noise(3000, 1) * np.eye(3).ravel()
    found = raman([breathing], plan, bare)
    expected = power([breathing[:, :1] - breathing[:, :1].mean()], plan)
    np.testing.assert_allclose(values(found, "isotropic"), values(expected), rtol=1e-9, atol=1e-15)
    assert np.abs(values(found, "VH")).max() < 1e-20
    shear = noise(3000, 1) * np.array([0, 1, 0, 1, 0, 0, 0, 0, 0.0])
    found = raman([shear], plan, bare)
    assert np.abs(values(found, "isotropic")).max() == 0
    np.testing.assert_allclose(values(found, "VV"), 4 / 3 * values(found, "VH"), rtol=1e-12)


def test_polarizers_see_the_averages_over_all_directions():
    # of turned molecules that scatter on their own; the icosahedral group averages four factors
    plan, bare = plan_of(1000, resolution=200.0), Conditions(factor="none")
    alpha = noise(1000, 9).reshape(-1, 3, 3)
    alpha = alpha + alpha.transpose(0, 2, 1)
    turns = Rotation.create_group("I").as_matrix()

    def mean(i, j):
        turned = (np.einsum("a,b,nab->n", turn[i], turn[j], alpha) for turn in turns)
        of_each = [values(power([(own - own.mean())[:, None]], plan)) for own in turned]
        return np.mean(of_each, axis=0)

    found = raman([alpha.reshape(-1, 9)], plan, bare)
    np.testing.assert_allclose(values(found, "VV"), mean(2, 2), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(values(found, "VH"), mean(0, 2), rtol=1e-9, atol=1e-12)


def test_raman_factors_multiply_the_density():
    plan, alpha = plan_of(3000, resolution=100.0), [noise(3000, 9)]
    bare = raman(alpha, plan, Conditions(factor="none"), 4000.0)
    found = raman(alpha, plan, Conditions(300.0, "harmonic", laser=500.0), 4000.0)
    factor = correction("harmonic", bare.wavenumbers, 300.0)
    factor *= (2 * np.pi * 1e-8 * (20000 - bare.wavenumbers)) ** 4
    np.testing.assert_allclose(values(found, "VV"), factor * values(bare, "VV"), rtol=1e-12)
    assert bare.unit == "Å^6 cm" and found.unit == "Å^2 cm"
    assert found.wavenumbers[-1] <= 4000 < plan.wavenumbers[-1]


def test_antisymmetric_parts_are_noticed():
    alpha = noise(50, 9).reshape(-1, 3, 3)
    even = alpha + alpha.transpose(0, 2, 1)
    assert antisymmetric_share([even.reshape(-1, 9)]) == 0
    odd = np.zeros_like(even)
    odd[7, 0, 1], odd[7, 1, 0] = 0.1, -0.1
    share = antisymmetric_share([(even + odd).reshape(-1, 9)])
    assert share == pytest.approx(0.1 / np.abs(even + odd).max())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda plan: infrared([noise(401, 3)], plan, Conditions()), "expected --temperature"),
        (
            lambda plan: raman([noise(400, 9)], plan, Conditions(1.0, "schofield")),
            "a factor beyond all numbers at 33356 cm.-1 and 1 K",
        ),
        (
            lambda plan: raman([noise(400, 9)], plan, Conditions(300.0, laser=1064.0)),
            "found --laser 1064 nm, which is 9398.5 cm.-1, expected more than",
        ),
    ],
)
def test_conditions_that_do_not_fit_are_refused(make, message):
    with pytest.raises(SoapGprError, match=message):
        make(plan_of(400, resolution=400.0))


@pytest.mark.parametrize(
    ("quantity", "unit", "expected"),
    [
        ("dipole", "e*Å", 1.0),
        ("dipole", "a.u.", 0.529177210903),
        ("dipole", "Debye", DEBYE / (e * 1e-10)),
        ("polarizability", "Å^3", 1.0),
        ("polarizability", "a.u.", 0.529177210903**3),
        ("polarizability", "e^2*angstrom^2/eV", e / (4 * np.pi * epsilon_0) * 1e10),
    ],
)
def test_units_are_those_of_codata(quantity, unit, expected):
    assert in_angstrom(quantity, unit) == pytest.approx(expected, rel=1e-8)


def test_an_unknown_unit_is_refused():
    with pytest.raises(SoapGprError, match="--unit: found 'C m', expected of a dipole one of atom"):
        in_angstrom("dipole", "C m")
