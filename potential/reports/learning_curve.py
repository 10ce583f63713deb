# SPDX-License-Identifier: BSD-3-Clause
"""Learning curves as a table, a plot and a page; all of them from LearningCurve.to_dict()."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
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
from potential.scores.metrics import ALL, TOTAL_ENERGY, UNITS
from potential.scores.properties import shown_groups
from potential.validation.learning_curve import fitted_slope
from potential.version import package_version

_SHOWN = {"rmse": "RMSE", "mae": "MAE"}


def format_curve(curve: dict[str, Any]) -> str:
    """Tables of plain text with the slopes below, one for each target."""
    parts = [lead(curve)]
    if curve["errors"]:
        parts.append(text_table(*table(curve)))
    for name in _targets(curve):
        parts.append(f"Target {name}\n{text_table(*target_table(curve, name))}")
    return "\n\n".join(parts)


def lead(curve: dict[str, Any]) -> str:
    """What was done, in one sentence."""
    where = "structures held out of training" if curve["held_out"] else "test structures"
    return (
        f"Errors on {curve['n_test']} {where}; mean and standard error over "
        f"{curve['repeats']} random nested subsets"
    )


def table(curve: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """(head, rows): one row per size, slopes d log error / d log n in the last."""
    columns = {}
    for label, of_label in curve["errors"].items():
        _, unit, factor = UNITS[label]
        for statistic, own in of_label.items():
            columns[f"{label} {_SHOWN[statistic]}, {unit}"] = _column(own, factor)
    return _by_size(curve, columns)


def target_table(curve: dict[str, Any], name: str) -> tuple[list[str], list[list[str]]]:
    """The same of a target: of all, and of each species of atoms; of vectors and tensors in % of
    their intrinsic deviation as well."""
    unit, columns = curve["target_units"][name], {}
    for of, groups in _groups(curve, name).items():
        for statistic, own in groups.items():
            columns[f"{of} {_SHOWN[statistic]}" + f", {unit}" * bool(unit)] = _column(own)
        if factor := _percent(curve, name, of):
            columns[f"{of} RMSE, %"] = _column(groups["rmse"], factor)
    return _by_size(curve, columns)


def _percent(curve: dict[str, Any], name: str, of: str) -> float:
    """That makes an error of a vector or tensor one in % of its deviation; 0 where none is known,
    as of other targets."""
    deviation = curve.get("target_deviations", {}).get(name, {}).get(of, 0.0)
    return 100.0 / deviation if deviation else 0.0


def _by_size(curve: dict[str, Any], columns: dict[str, list[str]]):
    sizes = [str(n) for n in curve["sizes"]] + ["slope"]
    rows = [list(row) for row in zip(sizes, *columns.values(), strict=True)]
    return ["structures", *columns], rows


def _column(own: dict[str, Any], factor: float = 1.0) -> list[str]:
    """Cells of all sizes, "-" for those without errors, and the slope."""
    pairs = zip(own["mean"], own["standard_error"], strict=True)
    cells = ["-" if m is None else _with_error(factor * m, factor * error) for m, error in pairs]
    slope = own["slope"]
    return [*cells, "-" if slope is None else f"{slope:.2f}"]


def _with_error(mean: float, error: float) -> str:
    """Three digits and one digit, without exponents; an error of 0 is one that is not known."""
    text = f"{float(f'{mean:.3g}'):g}"
    return f"{text} ± {float(f'{error:.1g}'):g}" if error > 0 else text


def curve_figures(curve: dict[str, Any]) -> list[tuple[Figure, str]]:
    """(figure, caption) for each label and target."""
    made = []
    for panel in _panels(curve):
        fig, axes = figure()
        _draw(axes, curve["sizes"], panel)
        caption = f"Error of {panel.name}: mean and standard error of {curve['repeats']} repeats"
        made.append((fig, caption))
    return made


def add_curve(page: Page, curve: dict[str, Any]) -> None:
    """Plots and tables."""
    page.heading("Learning curve")
    page.text(lead(curve) + ". Lines are power laws fitted to all sizes.")
    page.figures(curve_figures(curve))
    if curve["errors"]:
        page.table(*table(curve), text_columns=())
    for name in _targets(curve):
        page.heading(f"Learning curve of {name}")
        page.table(*target_table(curve, name), text_columns=())


def write_curve(path: str | Path, curve: dict[str, Any], title: str) -> None:
    """A page for names that end in .html, else an image in the format of the ending."""
    if Path(path).suffix.lower() in (".html", ".htm"):
        page = Page(title, lead(curve))
        add_curve(page, curve)
        page.footer(f"Written by soap-gpr {package_version()}.")
        page.write(path)
        return
    panels = _panels(curve)
    fig = Figure(figsize=(4.4 * len(panels), 4.0), layout="constrained")
    for k, panel in enumerate(panels):
        axes = fig.add_subplot(1, len(panels), k + 1)
        style(axes)
        _draw(axes, curve["sizes"], panel)
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
        format_curve(curve)
    except OSError as error:
        raise SoapGprError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SoapGprError(
            f"{path}: found something else, expected the JSON of soap-gpr learning-curve --json"
        ) from None
    return curve


@dataclass(frozen=True)
class _Panel:
    """One plot: a label with its statistics, or a target with its species."""

    name: str
    unit: str
    factor: float
    lines: dict[str, dict[str, Any]]


def _panels(curve: dict[str, Any]) -> list[_Panel]:
    """Those of total energies are in the table alone: they would repeat those per atom."""
    panels = []
    for label, of_label in curve["errors"].items():
        if label != TOTAL_ENERGY:
            _, unit, factor = UNITS[label]
            lines = {_SHOWN[statistic]: own for statistic, own in of_label.items()}
            panels.append(_Panel(label, unit, factor, lines))
    for name in _targets(curve):
        groups, unit = _groups(curve, name), curve["target_units"][name]
        factors = {of: _percent(curve, name, of) for of in groups}
        if all(factors.values()):  # parts of different size in one plot
            lines = {f"{of} RMSE": _scaled(own["rmse"], factors[of]) for of, own in groups.items()}
            unit = "% of deviation"
        elif len(groups) > 1:
            lines = {f"{of} RMSE": own["rmse"] for of, own in groups.items() if of != ALL}
        else:
            lines = {_SHOWN[statistic]: own for statistic, own in groups[ALL].items()}
        panels.append(_Panel(name, unit, 1.0, lines))
    return panels


def _scaled(own: dict[str, Any], factor: float) -> dict[str, Any]:
    """Errors times a factor, None where there are none."""
    return own | {
        key: [None if x is None else factor * x for x in own[key]]
        for key in ("mean", "standard_error")
    }


def _draw(axes: Axes, sizes: list[int], panel: _Panel) -> None:
    for k, (name, line) in enumerate(panel.lines.items()):
        color = COLORS[k % len(COLORS)]
        mean = panel.factor * np.array(line["mean"], dtype=float)
        error = panel.factor * np.array(line["standard_error"], dtype=float)
        slope, intercept = fitted_slope(sizes, mean)
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
    axes.set_ylabel(f"error of {panel.name}" + f" ({panel.unit})" * bool(panel.unit), color=INK)
    axes.legend(fontsize=8, frameon=False)


def _targets(curve: dict[str, Any]) -> list[str]:
    """Those with errors; older files have none."""
    return [name for name, groups in curve.get("target_errors", {}).items() if groups]


def _groups(curve: dict[str, Any], name: str) -> dict[str, Any]:
    """Errors of a target, of all and by what else it is of."""
    return shown_groups(curve["target_errors"][name])
