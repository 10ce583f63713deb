# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of spectra."""

from __future__ import annotations

from matplotlib.figure import Figure

from potential.reports.plots import COLORS, INK, SOFT, style
from potential.spectra.compute import Result
from potential.spectra.spectrum import POWER

_UNITS = {
    "cm^-1": "cm$^{-1}$",
    "Å^2": "Å$^2$",
    "Å^6 cm": "Å$^6$ cm",
    "Å^2 cm": "Å$^2$ cm",
    "unit^2 cm": "unit$^2$ cm",
}
_SHOWN = ("absorption", "density", "isotropic", "anisotropic")


def spectrum_figure(result: Result, title: str = "") -> Figure:
    """A panel for each curve, with a band of one standard error; the resolution is said, and drawn
    to scale where that can be seen."""
    spectrum = result.spectrum
    curves = [curve for curve in spectrum.curves if curve.name in _SHOWN]
    fig = Figure(figsize=(7.2, 1.2 + 2.6 * len(curves)), layout="constrained")
    panels = fig.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    for axes, curve, color in zip(panels, curves, COLORS, strict=False):
        style(axes)
        low, high = curve.values - curve.errors, curve.values + curve.errors
        axes.fill_between(spectrum.wavenumbers, low, high, color=color, alpha=0.25, linewidth=0)
        axes.plot(spectrum.wavenumbers, curve.values, color=color, linewidth=1.3)
        axes.set_ylim(bottom=min(0.0, float(curve.values.min())))
        unit = _UNITS[spectrum.unit]
        name = f"{curve.name}, " if len(curves) > 1 else ""
        axes.set_ylabel(f"{name}{spectrum.quantity} ({unit})", color=INK, fontsize=9)
    panels[-1].set_xlim(0, spectrum.wavenumbers[-1])
    panels[-1].set_xlabel("wavenumber (cm$^{-1}$)", color=INK)
    if title:
        panels[0].set_title(title, color=INK, fontsize=11, loc="left", pad=22)
    panels[0].text(0, 1.03, _caption(result), color=SOFT, fontsize=8, transform=panels[0].transAxes)
    return fig


def _caption(result: Result) -> str:
    plan, conditions = result.plan, result.conditions
    parts = [f"resolution {plan.resolution:.3g} cm$^{{-1}}$ ({plan.options.window})"]
    if result.spectrum.kind != POWER:
        parts.append(f"quantum correction: {conditions.factor}")
        if conditions.temperature is not None:
            parts.append(f"{conditions.temperature:g} K")
    parts.append(
        f"band: standard error of {plan.n_blocks} blocks"
        if plan.n_blocks > 1
        else "one block, errors not known"
    )
    return ", ".join(parts)
