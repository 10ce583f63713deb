# SPDX-License-Identifier: BSD-3-Clause
"""Learning curves as a table, a plot and a page; all of them from LearningCurve.to_dict()."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from potential.errors import SoapGprError
from potential.reports.page import Page
from potential.reports.plots import COLORS, INK, figure, style
from potential.runtime.output import atomic_file
from potential.runtime.text_table import text_table
from potential.scores.metrics import TOTAL_ENERGY, UNITS
from potential.validation.learning_curve import fitted_slope
from potential.version import package_version

_SHOWN = {"rmse": "RMSE", "mae": "MAE"}


def format_curve(curve: dict[str, Any]) -> str:
    """A table of plain text with the slopes below."""
    head, rows = table(curve)
    return f"{lead(curve)}\n\n{text_table(head, rows)}"


def lead(curve: dict[str, Any]) -> str:
    """What was done, in one sentence."""
    where = "structures held out of training" if curve["held_out"] else "test structures"
    return (
        f"Errors on {curve['n_test']} {where}; mean and standard error over "
        f"{curve['repeats']} random nested subsets"
    )


def table(curve: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """(head, rows): one row per size, slopes d log error / d log n in the last."""
    head = ["structures"]
    columns: list[list[str]] = [[str(n) for n in curve["sizes"]] + ["slope"]]
    for label, statistic, of_curve in _curves(curve):
        _, unit, factor = UNITS[label]
        head.append(f"{label} {_SHOWN[statistic]}, {unit}")
        pairs = zip(of_curve["mean"], of_curve["standard_error"], strict=True)
        cells = [_with_error(factor * mean, factor * error) for mean, error in pairs]
        slope = of_curve["slope"]
        columns.append([*cells, "-" if slope is None else f"{slope:.2f}"])
    return head, [list(row) for row in zip(*columns, strict=True)]


def _with_error(mean: float, error: float) -> str:
    """Three digits and one digit, without exponents; an error of 0 is one that is not known."""
    text = f"{float(f'{mean:.3g}'):g}"
    return f"{text} ± {float(f'{error:.1g}'):g}" if error > 0 else text


def curve_figures(curve: dict[str, Any]) -> list[tuple[Figure, str]]:
    """(figure, caption) for each label."""
    made = []
    for label in _plotted(curve):
        fig, axes = figure()
        _draw(axes, curve, label)
        made.append((fig, _caption(curve, label)))
    return made


def add_curve(page: Page, curve: dict[str, Any]) -> None:
    """Plots and table."""
    page.heading("Learning curve")
    page.text(lead(curve) + ". Lines are power laws fitted to all sizes.")
    page.figures(curve_figures(curve))
    page.table(*table(curve), text_columns=())


def write_curve(path: str | Path, curve: dict[str, Any], title: str) -> None:
    """A page for names that end in .html, else an image in the format of the ending."""
    if Path(path).suffix.lower() in (".html", ".htm"):
        page = Page(title, lead(curve))
        add_curve(page, curve)
        page.footer(f"Written by soap-gpr {package_version()}.")
        page.write(path)
        return
    labels = _plotted(curve)
    fig = Figure(figsize=(4.4 * len(labels), 4.0), layout="constrained")
    for k, label in enumerate(labels):
        axes = fig.add_subplot(1, len(labels), k + 1)
        style(axes)
        _draw(axes, curve, label)
    save_figure(fig, path)


def save_figure(fig: Figure, path: str | Path) -> None:
    """An image in the format of the ending; raises SoapGprError for one that is not known."""
    require_image_name(path)
    image = io.BytesIO()  # as writers of images fail in ways of their own on a full disk
    fig.savefig(image, dpi=160, format=Path(path).suffix.lstrip("."))
    with atomic_file(path) as temporary:
        temporary.write_bytes(image.getvalue())


def require_image_name(path: str | Path, also: tuple[str, ...] = ()) -> None:
    """Raise SoapGprError unless the ending is one that can be written; for use before long work."""
    known = {*Figure().canvas.get_supported_filetypes(), *also}
    ending = Path(path).suffix.lower().lstrip(".")
    if ending not in known:
        raise SoapGprError(f"{path}: found the ending {ending!r}, expected .html, .png, .svg, .pdf")


def read_curve(path: str | Path) -> dict[str, Any]:
    """What ``soap-gpr learning-curve --json`` wrote; raises SoapGprError when it is not that."""
    try:
        curve = json.loads(Path(path).read_text(encoding="utf-8"))
        table(curve)
        lead(curve)
    except OSError as error:
        raise SoapGprError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SoapGprError(
            f"{path}: found something else, expected the JSON of soap-gpr learning-curve --json"
        ) from None
    return curve


def _draw(axes: Axes, curve: dict[str, Any], label: str) -> None:
    sizes, (_, unit, factor) = curve["sizes"], UNITS[label]
    for color, (statistic, of_curve) in zip(COLORS, curve["errors"][label].items(), strict=False):
        mean = factor * np.array(of_curve["mean"])
        error = factor * np.array(of_curve["standard_error"])
        slope, intercept = fitted_slope(sizes, mean)
        name = _SHOWN[statistic]
        if np.isfinite(slope):
            axes.plot(sizes, np.exp(intercept) * np.array(sizes) ** slope, color=color, alpha=0.4)
            name += f", slope {slope:.2f}"
        axes.errorbar(sizes, mean, error, fmt="o", ms=4, capsize=3, color=color, label=name)
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(sizes[-1::-2][::-1] if len(sizes) > 8 else sizes)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0, 7.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set_xlabel("training structures", color=INK)
    axes.set_ylabel(f"error of {label} ({unit})", color=INK)
    axes.legend(fontsize=8, frameon=False)


def _caption(curve: dict[str, Any], label: str) -> str:
    return f"Error of {label}: mean and standard error of {curve['repeats']} repeats"


def _plotted(curve: dict[str, Any]) -> list[str]:
    """Total energies are in the table: as a plot they would repeat those per atom."""
    return [label for label in curve["errors"] if label != TOTAL_ENERGY]


def _curves(curve: dict[str, Any]):
    for label, of_label in curve["errors"].items():
        for statistic, of_curve in of_label.items():
            yield label, statistic, of_curve
