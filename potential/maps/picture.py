# SPDX-License-Identifier: BSD-3-Clause
"""Pictures: a map, and what a survey found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from potential.maps.colors import MAP, Coloring
from potential.maps.nearest import Survey
from potential.maps.projection import Projection
from potential.reports.plots import COLORS, INK, SOFT, figure, style
from potential.runtime.output import atomic_file

DOTS = 150  # per inch
LEAST = 1e-3  # meV/atom that a plot tells from 0


def save(path: str | Path, drawn: Figure) -> None:
    """Write a PNG file in one step; raises SoapGprError when that is impossible."""
    with atomic_file(path) as temporary:
        drawn.savefig(temporary, format="png", dpi=DOTS, metadata={"Software": None})


def map_figure(projection: Projection, coloring: Coloring) -> Figure:
    """Points in the first two dimensions, with a legend or a scale."""
    fig, axes = figure(7.2, 5.0)
    x, y = projection.coordinates[:, :2].T
    size, alpha = (16, 0.8) if len(x) < 2000 else (6, 0.6)
    axes.scatter(x, y, s=size, c=coloring.colors, alpha=alpha, linewidths=0, rasterized=True)
    axes.set_xlabel(projection.names[0], color=INK)
    axes.set_ylabel(projection.names[1], color=INK)
    if coloring.limits is None:
        for name, color in coloring.groups:
            axes.scatter([], [], s=24, color=color, label=name)
        axes.legend(fontsize=8, frameon=False, title=coloring.of.title, title_fontsize=8)
    else:
        scale = ScalarMappable(Normalize(*coloring.limits), MAP)
        beyond = coloring.of.values[np.isfinite(coloring.of.values)]
        low, high = coloring.limits
        extend = {(True, True): "both", (True, False): "min", (False, True): "max"}
        ends = extend.get((bool(beyond.min() < low), bool(beyond.max() > high)), "neither")
        bar = fig.colorbar(scale, ax=axes, extend=ends)
        bar.set_label(coloring.of.title, color=INK)
        bar.ax.tick_params(colors=SOFT, labelsize=9)
    return fig


def survey_figure(found: Survey, energies: np.ndarray, groups: np.ndarray) -> Figure:
    """Distances to the nearest other, and differences of energy (eV/atom, nan without) against
    them; pairs of two groups (n,) in a colour of their own."""
    labelled = bool(np.isfinite(_differences(found, energies)).any())
    fig = Figure(figsize=(8.6 if labelled else 4.4, 3.8), layout="constrained")
    all_axes = fig.subplots(1, 2 if labelled else 1, squeeze=False)[0]
    for axes in all_axes:
        style(axes)
    between = groups != groups[found.nearest]
    d, floor = _shown(found)
    _histogram(all_axes[0], found, d, between)
    if labelled:
        _energies(all_axes[1], found, d, _differences(found, energies), between)
    for axes in all_axes:
        axes.set_xscale("log")
        axes.axvline(max(found.threshold, floor), color=INK, linewidth=0.9, linestyle="--")
        axes.set_xlabel("kernel distance to the nearest other", color=INK)
    return fig


def _differences(found: Survey, energies: np.ndarray) -> np.ndarray:
    return 1e3 * np.abs(energies - energies[found.nearest])


def _shown(found: Survey) -> tuple[np.ndarray, float]:
    """Distances on a logarithmic axis, where those of 0 stand at its left end, and that end."""
    positive = found.distance[found.distance > 0]
    floor = float(positive.min()) if len(positive) else 1.0
    floor = min(floor, 0.3 * found.threshold if found.threshold > 0 else floor)
    return np.maximum(found.distance, floor), floor


def _histogram(axes: Axes, found: Survey, d: np.ndarray, between: np.ndarray) -> None:
    edges = np.geomspace(d.min() / 1.05, d.max() * 1.05, 42)
    several = bool(between.any())
    parts = [("within one set" if several else "", ~between)]
    parts += [("between sets", between)] if several else []
    axes.hist(
        [d[own] for _, own in parts],
        edges.tolist(),
        stacked=True,
        color=[COLORS[k] for k in range(len(parts))],
        label=[name for name, _ in parts],
    )
    if np.isfinite(found.fence):
        axes.axvline(found.fence, color=SOFT, linewidth=0.9, linestyle=":")
    axes.set_ylabel("structures", color=INK)
    if several:
        axes.legend(fontsize=8, frameon=False)


def _energies(
    axes: Axes, found: Survey, d: np.ndarray, difference: np.ndarray, between: np.ndarray
) -> None:
    known, shown = np.isfinite(difference), np.maximum(difference, LEAST)
    for own, color in ((~between, COLORS[0]), (between, COLORS[1])):
        part = known & own
        axes.scatter(
            d[part], shown[part], s=12, alpha=0.6, color=color, linewidths=0, rasterized=True
        )
    axes.set_yscale("log")
    axes.set_ylabel("energy difference (meV/atom)", color=INK)
