# SPDX-License-Identifier: BSD-3-Clause
"""Correlations and spectral densities against the sums they stand for, and series whose spectra
are known."""

import numpy as np
import pytest

from potential.errors import SoapGprError
from potential.spectra.correlation import (
    WINDOWS,
    autocorrelation,
    cosine_transform,
    line_width,
    window,
)
from potential.spectra.estimate import (
    CM_PER_FS,
    EstimateOptions,
    densities,
    derivative_densities,
    make_plan,
    mean_and_error,
)
from potential.spectra.quantum import FACTORS, PER_CM, correction


def cosines(n, lines, time_step=0.5, seed=0):
    """(n, 3) sums of cosines in three directions; lines: {wavenumber: amplitude}."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * CM_PER_FS * time_step * np.arange(n)[:, None]
    return sum(a * np.cos(nu * phase + rng.uniform(0, 6, size=3)) for nu, a in lines.items())


def integral(wavenumbers, density, low, high):
    """Over positive wavenumbers in the range."""
    chosen = (wavenumbers >= low) & (wavenumbers <= high)
    return density[chosen].sum() * (wavenumbers[1] - wavenumbers[0])


@pytest.mark.parametrize("circular", [False, True])
def test_autocorrelation_is_the_sum_it_stands_for(circular):
    x = np.random.default_rng(1).normal(size=(23, 4))
    found = autocorrelation(x, 9, circular=circular)
    for k in range(10):
        if circular:
            expected = sum(x[i] @ x[(i + k) % 23] for i in range(23)) / 23
        else:
            expected = sum(x[i] @ x[i + k] for i in range(23 - k)) / (23 - k)
        assert abs(found[k] - expected) < 1e-13


def test_density_is_the_sum_it_stands_for():
    c, dt, n = np.random.default_rng(2).normal(size=6), 0.7, 11
    for k, value in enumerate(cosine_transform(c, dt, n)):
        omega = np.pi * k / (n * dt)
        expected = dt * (c[0] + 2 * sum(c[j] * np.cos(omega * j * dt) for j in range(1, 6)))
        assert abs(value - expected) < 1e-13


@pytest.mark.parametrize("name", WINDOWS)
def test_integral_of_the_density_is_the_mean_square(name):
    series = np.random.default_rng(3).normal(size=(400, 3))
    options = EstimateOptions(lag=0.02, block=0.2, window=name, padding=3)
    plan = make_plan([400], 0.5, options)
    (density,) = densities([series], plan)
    spacing = plan.wavenumbers[1]
    both_sides = 2 * density.sum() - density[0] - density[-1]
    assert both_sides * spacing == pytest.approx((series**2).sum() / 400, rel=1e-12)


@pytest.mark.parametrize("name", WINDOWS)
def test_resolution_is_the_width_of_a_line(name):
    assert window(name, 50)[0] == pytest.approx(1.0, rel=1e-12)
    plan = make_plan([40000], 0.5, EstimateOptions(window=name, padding=20))
    assert plan.resolution == pytest.approx(10.0, rel=1e-3)
    (density,) = densities([cosines(40000, {1500: 1.0})], plan)[:1]
    above = plan.wavenumbers[density > density.max() / 2]
    assert above[-1] - above[0] == pytest.approx(10.0, abs=2 * plan.wavenumbers[1])


def test_width_of_a_hann_window_is_the_inverse_of_its_longest_lag():
    assert line_width("hann") == pytest.approx(1.0, abs=1e-3)


def test_cosines_become_lines_of_their_places_and_intensities():
    lines = {600.0: 0.3, 1650.0: 0.2, 3400.0: 0.1}
    plan = make_plan([120000], 0.5, EstimateOptions())
    density, _ = mean_and_error(densities([cosines(120000, lines)], plan))
    for nu, amplitude in lines.items():
        near = np.abs(plan.wavenumbers - nu) < 100
        peak = plan.wavenumbers[near][np.argmax(density[near])]
        assert abs(peak - nu) <= plan.wavenumbers[1] / 2 + 0.2
        # three components, a² / 2 each, half of it at positive wavenumbers
        found = integral(plan.wavenumbers, density, nu - 100, nu + 100)
        assert found == pytest.approx(3 * amplitude**2 / 4, rel=1e-3)


@pytest.mark.parametrize("nu", [700.0, 3300.0])
def test_differences_give_the_density_of_the_derivative(nu):
    # at a time step where the differences alone are wrong by a third at 3300 cm⁻¹
    plan = make_plan([60000], 3.0, EstimateOptions())
    found, _ = mean_and_error(derivative_densities([cosines(60001, {nu: 1.0}, 3.0)], plan))
    rate = 2 * np.pi * CM_PER_FS * nu
    total = integral(plan.wavenumbers, found, nu - 100, nu + 100)
    assert total == pytest.approx(3 / 4 * rate**2, rel=3e-3)


def autoregressive(n, keep, seed, columns=3):
    """(n, columns) with unit variance and the correlation keep^k."""
    from scipy.signal import lfilter

    noise = np.random.default_rng(seed).normal(size=(n + 500, columns)) * np.sqrt(1 - keep**2)
    return lfilter([1.0], [1.0, -keep], noise, axis=0)[500:]


def test_exponential_correlations_give_a_lorentzian_within_the_errors():
    time_step, tau, keep = 1.0, 20.0, np.exp(-1 / 20)
    options = EstimateOptions(lag=0.4, block=8.0, window="none", padding=1)
    plan = make_plan([400000], time_step, options)
    found, error = mean_and_error(densities([autoregressive(400000, keep, 5)], plan))
    omega = 2 * np.pi * CM_PER_FS * plan.wavenumbers
    lorentzian = 3 * 2 * tau / (1 + (omega * tau) ** 2) * CM_PER_FS
    exact = 3 * (1 - keep**2) / (1 - 2 * keep * np.cos(omega * time_step) + keep**2) * CM_PER_FS
    low = omega * tau < 3
    np.testing.assert_allclose(exact[low], lorentzian[low], rtol=3e-3)  # the step is short
    deviation = (found - exact) / error
    assert np.abs(deviation).max() < 5 and 0.7 < np.sqrt(np.mean(deviation**2)) < 1.4
    assert error[0] < 0.1 * found[0]


def test_errors_over_blocks_are_those_of_white_noise():
    n_lags, length, n_blocks = 50, 500, 200
    series = np.random.default_rng(6).normal(size=(length * n_blocks, 1))
    plan = make_plan([len(series)], 1.0, EstimateOptions(lag=0.05, block=0.5, padding=1))
    assert (plan.n_lags, plan.n_blocks, plan.n_left_out) == (n_lags, n_blocks, 0)
    found, error = mean_and_error(densities([series], plan))
    k = np.arange(1, n_lags + 1)
    own = window("hann", n_lags)[1:]
    cosine = np.cos(np.pi * np.outer(np.arange(n_lags + 1), k) / n_lags)
    # c(k) has the variance 1 / (length - k), c(0) twice that; they are independent
    variance = 2 / length + 4 * (own**2 * cosine**2 / (length - k)).sum(axis=1)
    expected = CM_PER_FS * np.sqrt(variance / n_blocks)
    assert np.mean(error**2 / expected**2) == pytest.approx(1.0, abs=0.1)
    inside = np.abs(found - CM_PER_FS) < 2 * error
    assert 0.85 < inside.mean() <= 1.0


def test_trajectories_are_cut_into_about_ten_blocks():
    plan = make_plan([20000, 30500], 0.5, EstimateOptions(resolution=40.0))
    assert plan.block == 4000 and plan.n_blocks == 5 + 7
    assert plan.n_records == 48000 and plan.n_left_out == 2500
    series = [np.random.default_rng(k).normal(size=(n, 1)) for k, n in enumerate((20000, 30500))]
    assert densities(series, plan).shape == (12, plan.n_frequencies + 1)


@pytest.mark.parametrize(
    ("lengths", "options", "message"),
    [
        ([900], EstimateOptions(), "found a trajectory of 0.45 ps, expected at least"),
        ([9000], EstimateOptions(lag=1.0, block=0.5), "found --block 0.5 ps, expected 2 ps"),
        ([9000], EstimateOptions(lag=1.0, block=9.0), "to 4.5 ps, the shortest trajectory"),
        ([9000], EstimateOptions(lag=1e-4), "a longest lag of two records"),
        ([9000], EstimateOptions(resolution=1e5), "a longest lag of two records"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(lengths, options, message):
    with pytest.raises(SoapGprError, match=message):
        make_plan(lengths, 0.5, options)


def test_the_resolution_that_is_proposed_is_one_that_fits():
    with pytest.raises(SoapGprError) as raised:
        make_plan([901], 0.5, EstimateOptions())
    proposed = float(str(raised.value).split("--resolution ")[1].split()[0])
    make_plan([901], 0.5, EstimateOptions(resolution=proposed))
    with pytest.raises(SoapGprError):
        make_plan([901], 0.5, EstimateOptions(resolution=0.98 * proposed))


@pytest.mark.parametrize("name", FACTORS)
def test_quantum_factors_are_one_without_a_quantum_and_in_detailed_balance(name):
    nu, temperature = np.array([0.0, 1e-6, 200.0, 1500.0]), 300.0
    up, down = correction(name, nu, temperature), correction(name, -nu, temperature)
    np.testing.assert_allclose(up[:2], 1.0, atol=1e-8)
    x = PER_CM * nu / temperature
    np.testing.assert_allclose(up / down, 1.0 if name == "none" else np.exp(x), rtol=1e-12)


def test_quantum_factors_have_their_values():
    nu = 1.0 / PER_CM * 300.0  # ħω = k_B T
    e = np.e
    expected = {
        "none": 1.0,
        "harmonic": 1 / (1 - 1 / e),
        "standard": 2 / (1 + 1 / e),
        "schofield": np.sqrt(e),
        "harmonic-schofield": np.sqrt(1 / (1 - 1 / e)) * e**0.25,
    }
    for name, value in expected.items():
        assert correction(name, np.array([nu]), 300.0)[0] == pytest.approx(value, rel=1e-12)
    assert pytest.approx(1.4387769, rel=1e-7) == PER_CM  # hc/k_B in cm K
