# SPDX-License-Identifier: BSD-3-Clause
"""The figure of tensors.py: a panel of learning curves for each set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from common import save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

COLUMNS = 3
MARKERS = {"0": "o", "1": "s", "1 pseudo": "D", "2": "^", "3": "v"}  # of λ


def plot(
    results: Mapping[str, Any],
    titles: Mapping[str, str],
    published: Mapping[tuple[str, str], float],
    path: str,
) -> None:
    """Write it, a panel for each of the titles; the ending of the path decides the format."""
    n_rows = -(-len(titles) // COLUMNS)
    figure = Figure(figsize=(4.0 * COLUMNS, 4.3 * n_rows), layout="constrained")
    grid = figure.subplots(n_rows, COLUMNS, squeeze=False).ravel()
    for axes, (name, title) in zip(grid, titles.items(), strict=False):
        _draw(axes, results[name])
        for (of, target), percent in published.items():
            if of == name:
                axes.axhline(percent, color="0.4", ls=":", label=f"{target}, published")
        _finish(axes, title, sorted(map(int, results[name]["seconds"])))
    for axes in grid[len(titles) :]:
        axes.set_axis_off()
    save_figure(figure, path, "tensors")


def _draw(axes: Axes, result: Mapping[str, Any]) -> None:
    sizes = sorted(map(int, result["seconds"]))
    for name, curve in result["curves"].items():
        what = name.replace("_", " ")
        target, _, part = what.partition(", ")
        if part == "Cartesian":
            continue
        percent = [np.mean(curve[str(n)]["percent"]) for n in sizes]
        of = part.removeprefix("λ = ")
        known = [line.get_label().partition(",")[0] for line in axes.lines]
        color = axes.lines[known.index(target)].get_color() if target in known else None
        axes.plot(
            sizes,
            percent,
            marker=MARKERS.get(of, "x"),
            ls="-" if part else "--",
            color=color,
            ms=4,
            lw=1.2,
            label=what,
        )


def _finish(axes: Axes, title: str, sizes: list[int]) -> None:
    axes.set(xscale="log", yscale="log", title=title)
    axes.set(xlabel="training structures", ylabel="RMSE, % of the deviation")
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    low, high = axes.get_ylim()
    if high < 60 * low:  # powers of ten alone would be too few ticks
        ticks = [10.0**k * n for k in range(-3, 3) for n in (1, 2, 3, 5, 7)]
        axes.set_yticks([y for y in ticks if low < y < high])
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}
    axes.legend(**below, ncols=2, fontsize=7, frameon=False)
