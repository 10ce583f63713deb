# SPDX-License-Identifier: BSD-3-Clause
"""Spectra of series whose spectrum is known: the numbers and the plot of docs/spectra.md.

A dipole of three damped oscillators in each direction with Gaussian noise, sampled exactly: its
absorption is a sum of three lines in closed form. The table says how far estimates are from it, in
their own errors, for each window; --plot draws one of them, and what quantum corrections make of
the spectrum.

  python benchmarks/spectra.py
  python benchmarks/spectra.py --plot docs/images/spectrum.svg --json spectra.json
"""

import argparse

import numpy as np
from common import add_output_option, emit, machine, table
from matplotlib.figure import Figure
from scipy.constants import Boltzmann, c, e, epsilon_0
from scipy.linalg import expm

from potential.reports.learning_curve import save_figure
from potential.reports.plots import COLORS, INK, SOFT, style
from potential.spectra.correlation import WINDOWS
from potential.spectra.estimate import CM_PER_FS, EstimateOptions, Plan, make_plan
from potential.spectra.quantum import FACTORS, correction
from potential.spectra.spectrum import Conditions, Spectrum, infrared

# wavenumber and full width in cm⁻¹, root mean square of the dipole in e Å
LINES = ((650.0, 250.0, 0.30), (1650.0, 70.0, 0.06), (3400.0, 300.0, 0.08))
TEMPERATURE, VOLUME, TIME_STEP = 300.0, 1000.0, 1.0  # K, Å³, fs
RESOLUTION, HIGHEST = 25.0, 4500.0  # cm⁻¹


def oscillators(n: int, seed: int) -> np.ndarray:
    """(n, 3) dipoles, e Å: x'' = -ω² x - γ x' + noise in each direction, without an error of the
    time step."""
    rng = np.random.default_rng(seed)
    dipoles = np.zeros((n, 3))
    for wavenumber, width, size in LINES:
        omega, gamma = (2 * np.pi * CM_PER_FS * value for value in (wavenumber, width))
        stationary = np.diag([size**2, (size * omega) ** 2])
        step = expm(TIME_STEP * np.array([[0.0, 1.0], [-(omega**2), -gamma]]))
        noise = np.linalg.cholesky(stationary - step @ stationary @ step.T)
        state = np.sqrt(stationary) @ rng.normal(size=(2, 3))
        for k, kick in enumerate(rng.normal(size=(n, 2, 3))):
            dipoles[k] += state[0]
            state = step @ state + noise @ kick
    return dipoles


def exact(wavenumbers: np.ndarray) -> np.ndarray:
    """Their absorption in cm⁻¹, eq. (27e) of docs/theory.md with the harmonic factor."""
    omega = 2 * np.pi * CM_PER_FS * wavenumbers  # 1/fs
    density = np.zeros_like(omega)
    for wavenumber, width, size in LINES:
        omega_0, gamma = (2 * np.pi * CM_PER_FS * value for value in (wavenumber, width))
        line = 2 * gamma * omega_0**2 / ((omega**2 - omega_0**2) ** 2 + (gamma * omega) ** 2)
        density += 3 * size**2 * omega**2 * line  # (e Å)²/fs
    in_si = density * (e * 1e-10) ** 2 / 1e-15
    return in_si / (6 * Boltzmann * TEMPERATURE * c * epsilon_0 * VOLUME * 1e-30) / 100


def estimate(dipoles: np.ndarray, window: str, factor: str = "harmonic") -> tuple[Spectrum, Plan]:
    plan = make_plan(
        [len(dipoles) - 1], TIME_STEP, EstimateOptions(resolution=RESOLUTION, window=window)
    )
    conditions = Conditions(TEMPERATURE, factor, VOLUME)
    return infrared([dipoles], plan, conditions, HIGHEST), plan


def compare(dipoles: np.ndarray, window: str) -> dict:
    """How far the estimate is from the exact spectrum."""
    found, plan = estimate(dipoles, window)
    (curve,) = found.curves
    truth = exact(found.wavenumbers)
    deviation = np.abs(curve.values - truth) / curve.errors
    return {
        "window": window,
        "longest_lag_ps": 1e-3 * plan.n_lags * TIME_STEP,
        "n_blocks": plan.n_blocks,
        "within_1_error": float(np.mean(deviation < 1)),
        "within_2_errors": float(np.mean(deviation < 2)),
        "rms_deviation_by_highest": float(np.sqrt(np.mean((curve.values - truth) ** 2)))
        / float(truth.max()),
    }


def draw(dipoles: np.ndarray, path: str) -> None:
    found, plan = estimate(dipoles, "hann")
    (curve,) = found.curves
    x, scale = found.wavenumbers, 1e-3
    fig = Figure(figsize=(7.2, 5.6), layout="constrained")
    above, below = fig.subplots(2, 1, sharex=True)
    style(above)
    low, high = (scale * (curve.values + sign * curve.errors) for sign in (-1, 1))
    above.fill_between(x, low, high, color=COLORS[0], alpha=0.3, linewidth=0)
    label = f"soap-gpr spectrum, {plan.n_blocks} blocks of {1e-3 * plan.block * TIME_STEP:.0f} ps"
    above.plot(x, scale * curve.values, color=COLORS[0], linewidth=1.2, label=label)
    above.plot(x, scale * exact(x), color=INK, linewidth=1.0, linestyle="--", label="exact")
    above.set_title(
        f"three damped oscillators, resolution {plan.resolution:.3g} cm$^{{-1}}$ (Hann)",
        color=SOFT,
        fontsize=9,
        loc="left",
    )
    above.set_ylabel("n(ω) α(ω) (10$^3$ cm$^{-1}$)", color=INK)
    style(below)
    for name, color in zip(FACTORS, COLORS, strict=False):
        ratio = correction(name, x, TEMPERATURE) / correction("harmonic", x, TEMPERATURE)
        below.semilogy(x, ratio, color=color, label=name)
    below.set_title(f"quantum corrections at {TEMPERATURE:g} K", color=SOFT, fontsize=9, loc="left")
    below.set_ylabel("Q by that of harmonic", color=INK)
    below.set_xlabel("wavenumber (cm$^{-1}$)", color=INK)
    below.set_xlim(0, HIGHEST)
    for axes in (above, below):
        axes.legend(fontsize=8, frameon=False)
    save_figure(fig, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=100_001, help="1 fs apart")
    parser.add_argument("--plot", metavar="FILE", help="draw docs/images/spectrum.svg")
    add_output_option(parser)
    args = parser.parse_args()
    dipoles = oscillators(args.records, seed=1)
    rows = [compare(dipoles, window) for window in WINDOWS]
    if args.plot:
        draw(dipoles, args.plot)
    text = table([*rows[0]], [list(row.values()) for row in rows])
    emit(text, {**machine(), "resolution": RESOLUTION, "windows": rows}, args.json)


if __name__ == "__main__":
    main()
