# SPDX-License-Identifier: BSD-3-Clause
"""The picture of the spectra, and where their bands are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from potential.reports.plots import COLORS, INK, SOFT, style

Mode = dict[str, float]  # as of ``harmonic.modes``
Spectra = dict[str, dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]]
SOURCES = {  # file of the method, curve in it
    "infrared": ("infrared", "absorption"),
    "isotropic": ("raman", "isotropic"),
    "anisotropic": ("raman", "anisotropic"),
}
NAMES = {"classical": "classical nuclei", "trpmd": "quantum nuclei (TRPMD)"}
KINDS = {
    "infrared": "infrared absorption",
    "isotropic": "Raman, isotropic",
    "anisotropic": "Raman, anisotropic",
}
WINDOWS = ((60.0, 1900.0), (3250.0, 4050.0))  # cm⁻¹; below, the cluster turns
BANDS = {"bends": (1500, 1800), "O-H stretches": (3250, 4050)}  # cm⁻¹
# Bands of (H2O)3 in jets: Huisken, Kaloudis, Kulcke, J. Chem. Phys. 104, 17 (1996)
MEASURED = {"infrared": (3533.0, 3726.0)}
HEIGHT, FOOT = 1.25, -0.12  # of the axes, of the tallest spectrum


def read_spectra(folder: Path, methods: Sequence[str]) -> Spectra:
    """What ``soap-gpr spectrum --json`` wrote for each method: by method and kind wavenumbers,
    values and errors, which are nan where there is one block."""
    found: Spectra = {}
    for method in methods:
        for kind, (file, curve) in SOURCES.items():
            made = json.loads((folder / f"{method}_{file}.json").read_text())
            values = np.array(made["curves"][curve]["values"])
            errors = np.array(made["curves"][curve]["errors"] or np.full(len(values), np.nan))
            own = np.array(made["wavenumbers"]), values, errors
            found.setdefault(method, {})[kind] = own
    return found


def plot(spectra: Spectra, harmonic: list[Mode], path: Path) -> None:
    """Both methods with errors; sticks are harmonic, triangles measured.

    The highest point of each curve in each panel is 1, as widths and with them heights differ much.
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
    with rc_context({"svg.hashsalt": "spectra"}):
        figure.savefig(path, metadata={"Date": None})


def curves(axes: Axes, spectra: Spectra, kind: str, window: tuple[float, float]) -> None:
    """One window of the spectra of one kind."""
    for (method, own), color in zip(spectra.items(), COLORS, strict=False):
        x, y, error = own[kind]
        kept = (x >= window[0]) & (x <= window[1])
        x, y, error = x[kept], y[kept] / y[kept].max(), error[kept] / y[kept].max()
        axes.fill_between(x, y - error, y + error, color=color, alpha=0.3, lw=0)
        axes.plot(x, y, color=color, lw=1.5, label=NAMES[method])
    axes.set_xlim(*window)
    axes.set_ylim(FOOT, HEIGHT)
    axes.set_yticks([])


def sticks(axes: Axes, harmonic: list[Mode], kind: str, window: tuple[float, float]) -> None:
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


def bands(spectra: Spectra) -> dict[str, dict[str, dict[str, float]]]:
    """Centres of mass (cm⁻¹) of the bands, by method, kind and band."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for method, own in spectra.items():
        for kind in KINDS:
            x, y, _ = own[kind]
            for band, (low, high) in BANDS.items():
                kept = (x >= low) & (x <= high)
                centre = float(np.sum(x[kept] * y[kept]) / np.sum(y[kept]))
                found.setdefault(method, {}).setdefault(kind, {})[band] = centre
    return found


def table(spectra: Spectra, harmonic: list[Mode]) -> str:
    """Where the bands are, a line each: centres of spectra, and of the harmonic modes."""
    centres = bands(spectra)
    names = [*(NAMES[method] for method in centres), "harmonic"]
    lines = [f"{'centre of band, cm⁻¹':36s}" + "".join(f"{name:>24s}" for name in names)]
    for kind in KINDS:
        for band, (low, high) in BANDS.items():
            modes = [mode for mode in harmonic if low <= mode["wavenumber"] <= high]
            weight = sum(mode[kind] for mode in modes)
            mean = sum(mode[kind] * mode["wavenumber"] for mode in modes) / weight
            values = [*(own[kind][band] for own in centres.values()), mean]
            lines.append(f"{KINDS[kind] + ', ' + band:36s}" + "".join(f"{x:24.0f}" for x in values))
    return "\n".join(lines)
