# SPDX-License-Identifier: BSD-3-Clause
"""Predicted against actual errors on the report's page, from the record of the fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from potential.model import Model
from potential.reports.page import Page
from potential.reports.plots import INK, OTHERS, figure, palette
from potential.uncertainty.calibration import HEAD, ON, UNITS, parts, quality_rows

_OF = {"energy": "energy of a structure", "force": "component of a force"}


def add_uncertainty(page: Page, model: Model) -> None:
    """What the fit found of the measures that the model has; nothing without any."""
    record = model.metadata["provenance"].get("uncertainty")
    if model.uncertainty is None or not record or not parts(record):
        return
    page.heading("Predicted against actual errors")
    page.text(
        "Measures of the model's own errors, scaled, as the fit found them: on structures of "
        "blocks that were left out, and on the test structures of the fit. Of Gaussian errors "
        "68.3 % are smaller than σ and 95.4 % than 2σ. NLL is the mean negative log-likelihood, "
        "with scale and without; ECE how far the fractions within any number of σ are from those "
        "of a Gaussian."
    )
    page.table(HEAD, quality_rows(record), text_columns=(0, 1, 2))
    shown = [
        (part["points"]["data"], measure, kind, part.get("units", UNITS).get(kind, ""), own)
        for part in parts(record)
        for measure, kinds in part["points"]["measures"].items()
        for kind, own in kinds.items()
    ]
    colors = palette([name for *_, own in shown for name in own["config_type"]])
    page.figures(
        (
            _plot(own, kind, unit, colors),
            f"{measure.capitalize()}: {_OF.get(kind, kind)}, {ON.get(data, data)} structures",
        )
        for data, measure, kind, unit, own in shown
    )


def _plot(own: dict[str, Any], kind: str, unit: str, colors: Sequence[tuple[str, str]]) -> Figure:
    """Actual against predicted sizes on logarithmic axes, with lines at σ and 2σ."""
    fig, axes = figure()
    predicted, actual = np.array(own["predicted"]), np.array(own["actual"])
    reach = predicted.min() / 1.3, predicted.max() * 1.3
    for factor, style in ((1.0, "-"), (2.0, "--")):
        axes.plot(reach, [factor * x for x in reach], style, color=INK, linewidth=0.8, zorder=3)
    low = 1e-2 * predicted.min()
    names = {name for name, _ in colors}
    groups = np.array([name if name in names else OTHERS for name in own["config_type"]])
    for group, color in colors:
        member = groups == group
        if not member.any():
            continue
        axes.scatter(
            predicted[member],
            np.maximum(actual[member], low),
            s=10,
            alpha=0.6,
            color=color,
            linewidths=0,
            rasterized=True,
            label=group,
        )
    axes.set(xscale="log", yscale="log", xlim=reach)
    in_unit = f" ({unit})" if unit else ""
    axes.set_xlabel(f"predicted error of {kind}, σ{in_unit}", color=INK)
    axes.set_ylabel(f"actual error{in_unit}", color=INK)
    narrow = reach[1] < 100 * reach[0]  # then whole decades are too few labels, else enough
    for axis in (axes.xaxis, axes.yaxis):
        several = narrow and axis is axes.xaxis
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if several else (1.0,)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    if len(colors) > 1:
        axes.legend(fontsize=8, frameon=False, loc="lower right")
    return fig
