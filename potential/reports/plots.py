# SPDX-License-Identifier: BSD-3-Clause
"""Parity plots and error histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

INK, SOFT, LINE = "#1c2430", "#5d6878", "#dfe4ea"
# Okabe and Ito's colours: told apart by colour-blind readers too.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#555555")
OTHERS = "other"


def figure(width: float = 4.4, height: float = 4.0) -> tuple[Figure, Axes]:
    """An empty figure in the style of the report; sizes in inches."""
    fig = Figure(figsize=(width, height), layout="constrained")
    axes = fig.add_subplot()
    style(axes)
    return fig, axes


def style(axes: Axes) -> None:
    """Frame, ticks and grid as in the report."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT)
    axes.tick_params(colors=SOFT, labelsize=9)
    axes.grid(color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)


def parity(
    reference: np.ndarray,
    predicted: np.ndarray,
    groups: Sequence[str] | np.ndarray,
    name: str,
    unit: str,
) -> Figure:
    """Predicted against reference values (n,), coloured by group (n,)."""
    fig, axes = figure()
    draw_parity(axes, reference, predicted, groups, name, unit)
    return fig


def draw_parity(
    axes: Axes,
    reference: np.ndarray,
    predicted: np.ndarray,
    groups: Sequence[str] | np.ndarray,
    name: str,
    unit: str,
) -> None:
    """``parity`` in these axes."""
    both = np.concatenate([reference, predicted])
    low, high = float(both.min()), float(both.max())
    margin = 0.04 * (high - low) or 0.5
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color=INK, linewidth=0.8, zorder=3)
    size, alpha = (14, 0.75) if len(reference) < 2000 else (5, 0.35)
    for group, color in palette(groups):
        member = np.array([of == group for of in merged(groups)])
        axes.scatter(
            reference[member],
            predicted[member],
            s=size,
            alpha=alpha,
            color=color,
            linewidths=0,
            rasterized=True,
            label=group,
        )
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.locator_params(nbins=6)  # numbers of three digits have room beside each other
    axes.set_xlabel(f"reference {name} ({unit})", color=INK)
    axes.set_ylabel(f"predicted {name} ({unit})", color=INK)
    _legend(axes, "upper left")


def error_histogram(
    error: np.ndarray, groups: Sequence[str] | np.ndarray, name: str, unit: str
) -> Figure:
    """Distribution of errors (n,) by group, by number; the last bins hold what lies beyond them."""
    fig, axes = figure()
    reach = max(6.0 * float(np.sqrt(np.mean(error**2))), 1e-12)
    reach = min(reach, float(np.abs(error).max()) or reach)
    edges = np.linspace(-reach, reach, 62).tolist()
    clipped = np.clip(error, -reach, reach)
    for group, color in palette(groups):
        member = np.array([of == group for of in merged(groups)])
        axes.hist(
            clipped[member], edges, histtype="stepfilled", color=color, alpha=0.28, label=group
        )
        axes.hist(clipped[member], edges, histtype="step", color=color, linewidth=1.1)
    if error.size > 200:
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"error of {name} ({unit})", color=INK)
    axes.set_ylabel("count", color=INK)
    _legend(axes, "upper right")
    return fig


def merged(groups: Sequence[str] | np.ndarray) -> list[str]:
    """Groups beyond the number of colours become one."""
    names, counts = np.unique(np.asarray(groups), return_counts=True)
    shown = {str(names[k]) for k in np.argsort(-counts, kind="stable")[: len(COLORS) - 1]}
    if len(names) <= len(COLORS):
        shown = {str(name) for name in names}
    return [group if group in shown else OTHERS for group in groups]


def palette(groups: Sequence[str] | np.ndarray) -> list[tuple[str, str]]:
    """(group, colour): the largest group first, so that it is drawn underneath."""
    names, counts = np.unique(np.asarray(merged(groups)), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [(str(names[k]), COLORS[rank % len(COLORS)]) for rank, k in enumerate(order)]


def _legend(axes: Axes, place: Literal["upper left", "upper right"]) -> None:
    if len(axes.get_legend_handles_labels()[1]) > 1:
        legend = axes.legend(fontsize=8, frameon=False, loc=place)
        for handle in filter(None, legend.legend_handles):
            handle.set_alpha(1.0)
            if isinstance(handle, PathCollection):
                handle.set_sizes([24])
