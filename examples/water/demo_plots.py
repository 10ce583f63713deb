# SPDX-License-Identifier: BSD-3-Clause
"""Figures of the demo's report, and the picture of the README.

Every ``draw_`` function fills axes, so that the report and the picture show the same curves.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from demo_analysis import Curve, Drift
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from potential.output import atomic_file
from potential.report_plots import COLORS, INK, LINE, SOFT, figure

CLASSICAL, QUANTUM, FAINT = COLORS[0], COLORS[1], "#b8c0cb"
WIDTH, HEIGHT = 5.2, 3.7  # inches
Draw = Callable[[Axes], None]


def single(draw: Draw) -> Figure:
    """A figure that holds one plot."""
    fig, axes = figure(WIDTH, HEIGHT)
    draw(axes)
    return fig


def draw_curves(
    axes: Axes, classical: Curve, quantum: Curve, label: str, x_label: str = "r (Å)"
) -> None:
    """Classical against quantum, with bands of two standard errors."""
    for curve, color, name in (
        (classical, CLASSICAL, "classical"),
        (quantum, QUANTUM, "quantum"),
    ):
        low, high = curve.mean - 2 * curve.error, curve.mean + 2 * curve.error
        axes.fill_between(curve.x, low, high, color=color, alpha=0.22, linewidth=0)
        axes.plot(curve.x, curve.mean, color=color, linewidth=1.6, label=name)
    axes.set_xlabel(x_label, color=INK)
    axes.set_ylabel(label, color=INK)
    axes.set_xlim(classical.x[0], classical.x[-1])
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=9, frameon=False, loc="upper right")


def draw_rdf(
    axes: Axes, classical: Curve, quantum: Curve, pair: str, beyond: float = 0.0, start: float = 0.0
) -> None:
    """g(r) of a pair of elements from ``start``; the height fits what lies beyond ``beyond`` Å."""
    draw_curves(axes, classical, quantum, f"g$_{{\\mathrm{{{pair}}}}}$(r)")
    axes.axhline(1.0, color=SOFT, linewidth=0.8, linestyle=":", zorder=1)
    axes.set_xlim(left=start)
    shown = classical.x > beyond
    top = max(classical.mean[shown].max(), quantum.mean[shown].max())
    axes.set_ylim(0, 1.25 * top)


def draw_conservation(
    axes: Axes, time: np.ndarray, total: np.ndarray, line: Drift, n_atoms: int
) -> None:
    """Total energy (n,) in eV from its first value, with the straight line through it."""
    shown = 1e3 * (total - total[0]) / n_atoms
    fit = line.slope * (time - time.mean()) + shown.mean()
    axes.plot(time - time[0], shown, color=CLASSICAL, linewidth=0.9, label="total energy")
    name = f"line: {line.slope:+.4f} meV/atom/ps".replace("-", "−")
    axes.plot(time - time[0], fit, color=INK, linewidth=1.2, linestyle="--", label=name)
    axes.set_xlabel("time (ps)", color=INK)
    axes.set_ylabel("E − E(0) (meV/atom)", color=INK)
    axes.set_xlim(0, time[-1] - time[0])
    room = max(np.abs(shown).max(), 0.02)
    axes.set_ylim(-1.3 * room, 1.9 * room)
    axes.legend(fontsize=9, frameon=False, loc="upper right")


def draw_exchange(
    axes: Axes, time: np.ndarray, potential: np.ndarray, total: np.ndarray, n_atoms: int
) -> None:
    """Potential and total energy (n,) in eV on one scale: what is exchanged, what is conserved."""
    for values, color, name in (
        (potential, FAINT, "potential energy"),
        (total, CLASSICAL, "total energy"),
    ):
        shown = 1e3 * (values - values.mean()) / n_atoms
        axes.plot(time - time[0], shown, color=color, linewidth=1.2, label=name)
    axes.set_xlabel("time (ps)", color=INK)
    axes.set_ylabel("E − mean (meV/atom)", color=INK)
    axes.set_xlim(0, time[-1] - time[0])
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.25 * (high - low))
    axes.legend(fontsize=9, frameon=False, loc="upper right", ncols=2)


def draw_parity(axes: Axes, reference: np.ndarray, predicted: np.ndarray, rmse: str) -> None:
    """Predicted against reference force components (n,) in eV/Å."""
    reach = 1.05 * max(np.abs(reference).max(), np.abs(predicted).max())
    axes.plot([-reach, reach], [-reach, reach], color=INK, linewidth=0.8)
    axes.scatter(
        reference, predicted, s=4, alpha=0.3, color=CLASSICAL, linewidths=0, rasterized=True
    )
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    axes.set_xlabel("reference force (eV/Å)", color=INK)
    axes.set_ylabel("predicted force (eV/Å)", color=INK)
    axes.text(0.05, 0.92, rmse, transform=axes.transAxes, color=INK, fontsize=10, va="top")


def picture(path: Path, panels: list[tuple[str, Draw]]) -> None:
    """Four plots with their titles in one PNG."""
    fig = Figure(figsize=(9.4, 6.6), layout="constrained")
    fig.get_layout_engine().set(w_pad=0.12, h_pad=0.10)  # type: ignore[union-attr,call-arg]
    for axes, (title, draw) in zip(fig.subplots(2, 2).flat, panels, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(SOFT)
        axes.tick_params(colors=SOFT, labelsize=9)
        axes.grid(color=LINE, linewidth=0.7)
        axes.set_axisbelow(True)
        draw(axes)
        axes.set_title(title, loc="left", fontsize=11, color=INK, pad=8)
    with atomic_file(path) as temporary:
        fig.savefig(temporary, format="png", dpi=120, facecolor="white")
