# SPDX-License-Identifier: BSD-3-Clause
"""Autocorrelation functions of series, and their Fourier transforms (docs/theory.md eq. (27) to
(27b))."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.fft import next_fast_len
from scipy.signal import windows

_WINDOWS = {
    "hann": windows.hann,
    "hamming": windows.hamming,
    "blackman": windows.blackman,
    "blackman-harris": windows.blackmanharris,
    "bartlett": windows.bartlett,
    "gaussian": lambda n: windows.gaussian(n, (n - 1) / 6),
    "none": windows.boxcar,
}
WINDOWS = tuple(_WINDOWS)


def window(name: str, n_lags: int) -> np.ndarray:
    """(n_lags + 1,) the right half, from 1 at no lag, of the symmetric window of 2 n_lags + 1
    points. The Gaussian has a standard deviation of a third of the longest lag."""
    return _WINDOWS[name](2 * n_lags + 1)[n_lags:]


@cache
def line_width(name: str) -> float:
    """Full width at half maximum, in frequency times the longest lag, of the line that an infinite
    cosine becomes with a window."""
    n_lags, fine = 512, 64
    line = cosine_transform(window(name, n_lags), 1.0, fine * n_lags)
    half = int(np.argmax(line < line[0] / 2))
    below, above = line[half - 1] - line[0] / 2, line[0] / 2 - line[half]
    return (half - 1 + below / (below + above)) / fine


def autocorrelation(block: np.ndarray, n_lags: int, *, circular: bool = False) -> np.ndarray:
    """(n_lags + 1,) correlation functions of the columns of a block (n, n_components), added up.

    Eq. (27), by Fourier transforms of the block with zeros behind it (Wiener and Khinchin).
    circular: with the block as a period, as i-PI's ``i-pi-getacf`` takes it, not with zeros.
    """
    n = len(block)
    length = n if circular else next_fast_len(n + n_lags, real=True)
    power = np.abs(np.fft.rfft(block, length, axis=0)) ** 2
    sums = np.fft.irfft(power.sum(axis=1), length)[: n_lags + 1]
    return sums / (n if circular else n - np.arange(n_lags + 1))


def cosine_transform(c: np.ndarray, time_step: float, n_frequencies: int) -> np.ndarray:
    """Spectral densities (n_frequencies + 1,) at the frequencies k / (2 n_frequencies time_step).

    Eq. (27a) of a correlation function (n_lags + 1,), windowed before, with zeros behind it up to
    n_frequencies >= n_lags: two-sided, so that their mean over the grid is c[0].
    """
    padded = np.append(c, np.zeros(n_frequencies + 1 - len(c)))
    return time_step * np.fft.hfft(padded)[: n_frequencies + 1]


def derivative_factor(n_frequencies: int) -> np.ndarray:
    """(n_frequencies + 1,) eq. (27b): what makes densities of differences over the time step
    those of the derivative."""
    half = np.pi * np.arange(n_frequencies + 1) / (2 * n_frequencies)  # ω Δt / 2
    return 1.0 / np.sinc(half / np.pi) ** 2
