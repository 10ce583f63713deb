# SPDX-License-Identifier: BSD-3-Clause
"""The error against the number of sparse points on the report's page, from the record of the
fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from potential.model import Model
from potential.reports.page import Page
from potential.reports.plots import COLORS, INK, SOFT, figure


def add_elimination(page: Page, model: Model) -> None:
    """How the error grew as sparse points were taken away; nothing where none were."""
    record = model.metadata["provenance"]
    found = record.get("elimination")
    if not found or not found["weights"] or len(found["weights"]) != len(found["errors"]):
        return
    page.heading("Number of sparse points")
    page.text(
        "Of the sparse points that were chosen, those went without which the fit changed least. "
        "The error is that of labels of structures that were left out of fits and of their choice "
        "of points, all labels over their expected errors, relative to the error with all points: "
        "the median over blocks of structures."
    )
    page.figures([(_plot(found, record.get("weights")), _caption(found))])


def _caption(found: dict[str, Any]) -> str:
    return f"Error relative to that of all {found['weights'][0]} sparse points"


def _plot(found: dict[str, Any], kept: Any) -> Figure:
    fig, axes = figure()
    numbers, errors = found["weights"], found["errors"]
    limit = (1 + found["tolerance"]) * np.minimum.accumulate(errors)
    axes.plot(numbers, limit, color=SOFT, linewidth=0.8, linestyle="--")
    axes.plot(numbers, errors, ".-", color=COLORS[0], linewidth=1.2, markersize=5)
    if kept:
        error = np.interp(kept, numbers[::-1], errors[::-1])
        axes.plot([kept], [error], "o", color=COLORS[1], label=f"{kept} kept")
        axes.legend(frameon=False, labelcolor=INK)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("sparse points", color=INK)
    axes.set_ylabel("relative error of labels left out", color=INK)
    return fig
