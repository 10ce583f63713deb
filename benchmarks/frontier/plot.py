# SPDX-License-Identifier: BSD-3-Clause
"""The figure of run.py: force error against time per atom, a panel for each set.

python benchmarks/frontier/plot.py frontier.json docs/images/frontier.svg
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import log_axes, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from results import OURS

from potential.reports.plots import COLORS, INK, SOFT, style

# Marker and colour of each code; ours are joined by a line.
LOOKS = {
    OURS: ("o", COLORS[1]),
    "GAP": ("s", COLORS[0]),
    "SNAP": ("^", COLORS[2]),
    "quadratic SNAP": ("v", COLORS[2]),
    "POD, Ta": ("D", COLORS[3]),
    "POD, InP": ("d", COLORS[3]),
    "POD, Si": ("p", COLORS[3]),
    "UF3": ("P", COLORS[4]),
}


def plot(result: Mapping[str, Any], path: str) -> None:
    """Write it; the ending of the path decides the format. The last panel has the legend."""
    sets = result["sets"]
    n_panels = len(sets) + 1  # the last one for the names
    n_columns = math.ceil(math.sqrt(n_panels))
    n_rows = -(-n_panels // n_columns)
    figure = Figure(figsize=(3.7 * n_columns, 3.4 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, (name, own) in zip(panels, sets.items(), strict=False):
        draw(axes, own)
        axes.set_title(name, color=INK, fontsize=11)
    for axes in panels[len(sets) :]:
        axes.set_axis_off()
    shown = {_code(model) for own in sets.values() for model in points(own)}
    panels[len(sets)].legend(handles=_handles(shown), loc="center", frameon=False, fontsize=9)
    save_figure(figure, path, "frontier")


def points(own: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Cost and force error of each model of a set that has both."""
    return {
        model: (entry["us_per_atom"]["median"], entry["test"]["force_mae"])
        for model, entry in own["models"].items()
        if "us_per_atom" in entry and "test" in entry
    }


def lines(own: Mapping[str, Any]) -> dict[float, str]:
    """Published force errors with the names of those that have it."""
    found: dict[float, list[str]] = {}
    for model, (_, force) in own["published"].items():
        found.setdefault(force, []).append(model)
    return {force: ", ".join(models) for force, models in found.items()}


def draw(axes: Axes, own: Mapping[str, Any]) -> None:
    """One panel."""
    style(axes)
    known = points(own)
    ours = sorted(known[model] for model in known if _code(model) == OURS)
    if ours:
        axes.plot(*zip(*ours, strict=True), color=LOOKS[OURS][1], lw=1.3)
    for model, (cost, error) in known.items():
        marker, color = LOOKS[_code(model)]
        axes.plot(cost, error, ls="", marker=marker, color=color, ms=6.5, mec="white", mew=0.5)
        if _code(model) == OURS:
            axes.annotate(
                model.removeprefix(f"{OURS} ").replace("_", " "),
                (cost, error),
                (-4, -4),  # the line comes from the upper left and goes to the lower right
                textcoords="offset points",
                ha="right",
                va="top",
                fontsize=8,
                color=color,
            )
    for force in lines(own):
        axes.axhline(force, color=SOFT, lw=0.9, ls=":", zorder=0)
    _scales(axes)
    for force, models in lines(own).items():
        axes.annotate(
            models,
            (1, force),
            (3, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=SOFT,
        )


def _scales(axes: Axes) -> None:
    axes.margins(0.2, 0.14)
    log_axes(axes)
    axes.set_xlabel("µs/atom", color=SOFT, fontsize=9)
    axes.set_ylabel("force MAE, eV/Å", color=SOFT, fontsize=9)


def _code(model: str) -> str:
    return OURS if model.startswith(OURS) else model


def _handles(shown: set[str]) -> list[Line2D]:
    marks = [
        Line2D(
            [],
            [],
            marker=marker,
            color=color,
            ls="-" if code == OURS else "",
            ms=6.5,
            mec="white",
            mew=0.5,
            label=code,
        )
        for code, (marker, color) in LOOKS.items()
        if code in shown
    ]
    return [*marks, Line2D([], [], color=SOFT, lw=0.9, ls=":", label="published, cost not known")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("json", type=Path, help="of run.py")
    parser.add_argument("picture", help="SVG, PDF or PNG")
    arguments = parser.parse_args()
    plot(json.loads(arguments.json.read_text()), arguments.picture)


if __name__ == "__main__":
    main()
