# SPDX-License-Identifier: BSD-3-Clause
"""The picture of the spectra, and where their bands are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from potential.reports.plots import COLORS, INK, SOFT, style

NAMES = {"classical": "classical nuclei", "trpmd": "quantum nuclei (TRPMD)"}
KINDS = {
    "infrared": "infrared absorption",
    "isotropic": "Raman, isotropic",
    "anisotropic": "Raman, anisotropic",
}
WINDOWS = ((20.0, 1900.0), (3250.0, 4050.0))  # cm⁻¹
BANDS = {"bend": (1500, 1800), "bonded O-H": (3250, 3700), "free O-H": (3700, 4050)}  # cm⁻¹
# Bands of (H2O)3 in jets: Huisken, Kaloudis, Kulcke, J. Chem. Phys. 104, 17 (1996)
MEASURED = {"infrared": (3533.0, 3726.0)}
HEIGHT, FOOT = 1.25, -0.12  # of the axes, of the tallest spectrum


def plot(spectra: dict[str, Any], harmonic: list[dict[str, float]], path: Path) -> None:
    """Both methods with errors; sticks are harmonic, triangles measured.

    spectra: by method and kind ``wavenumber``, ``value`` and ``error``; harmonic: as of
    ``harmonic.modes``. Each panel has a scale of its own, which both methods share.
    """
    figure = Figure(figsize=(9.5, 7.2), layout="constrained")
    axes = figure.subplots(len(KINDS), len(WINDOWS), gridspec_kw={"width_ratios": (1.25, 1)})
    for row, (kind, name) in zip(axes, KINDS.items(), strict=True):
        for panel, window in zip(row, WINDOWS, strict=True):
            style(panel)
            curves(panel, spectra, kind, window)
            sticks(panel, harmonic, kind, window)
            marks(panel, MEASURED.get(kind, ()), window)
        row[0].set_ylabel(name, color=INK)
    for panel in axes[-1]:
        panel.set_xlabel("wavenumber / cm⁻¹", color=INK)
    handles, labels = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    figure.savefig(path, dpi=160)


def curves(axes: Axes, spectra: dict[str, Any], kind: str, window: tuple[float, float]) -> None:
    """One window of the spectra of one kind; the highest point of any of them is 1."""
    parts = {}
    for method, own in spectra.items():
        x, y, error = (np.array(own[kind][key]) for key in ("wavenumber", "value", "error"))
        kept = (x >= window[0]) & (x <= window[1])
        parts[method] = x[kept], y[kept], error[kept]
    top = max(y.max() for _, y, _ in parts.values())
    for (method, (x, y, error)), color in zip(parts.items(), COLORS, strict=False):
        axes.fill_between(x, (y - error) / top, (y + error) / top, color=color, alpha=0.3, lw=0)
        axes.plot(x, y / top, color=color, lw=1.5, label=NAMES[method])
    axes.set_xlim(*window)
    axes.set_ylim(FOOT, HEIGHT)
    axes.set_yticks([])


def sticks(
    axes: Axes, harmonic: list[dict[str, float]], kind: str, window: tuple[float, float]
) -> None:
    """Harmonic modes below the axis, as dark as they are strong among those of the window."""
    modes = [mode for mode in harmonic if window[0] <= mode["wavenumber"] <= window[1]]
    top = max((mode[kind] for mode in modes), default=1.0)
    for k, mode in enumerate(modes):
        x, share = mode["wavenumber"], mode[kind] / top
        axes.plot([x, x], [FOOT, FOOT * (1 - share)], color=INK, lw=1.6,
                  label="harmonic, B3LYP" if k == 0 else None)  # fmt: skip


def marks(axes: Axes, measured: tuple[float, ...], window: tuple[float, float]) -> None:
    """Measured bands above the spectra."""
    shown = [x for x in measured if window[0] <= x <= window[1]]
    if shown:
        axes.plot(shown, [HEIGHT - 0.08] * len(shown), "v", color=SOFT, label="measured")


def bands(spectra: dict[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """Centres of mass (cm⁻¹) of the bands, by method, kind and band."""
    found: dict[str, Any] = {}
    for method, own in spectra.items():
        for kind in KINDS:
            x, y = (np.array(own[kind][key]) for key in ("wavenumber", "value"))
            for band, (low, high) in BANDS.items():
                kept = (x >= low) & (x <= high)
                centre = float(np.sum(x[kept] * y[kept]) / np.sum(y[kept]))
                found.setdefault(method, {}).setdefault(kind, {})[band] = centre
    return found


def table(spectra: dict[str, Any]) -> str:
    """Where the bands are, a line each."""
    centres = bands(spectra)
    lines = [f"{'centre of band, cm⁻¹':32s}" + "".join(f"{NAMES[m]:>24s}" for m in centres)]
    for kind in KINDS:
        for band in BANDS:
            values = "".join(f"{centres[method][kind][band]:24.0f}" for method in centres)
            lines.append(f"{KINDS[kind] + ', ' + band:32s}{values}")
    return "\n".join(lines)
