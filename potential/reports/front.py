# SPDX-License-Identifier: BSD-3-Clause
"""The Pareto front of a search with several objectives: table, plots, a fit.toml for each point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from potential.errors import SoapGprError
from potential.reports.fit_toml import settings_text, write_settings
from potential.reports.page import Page
from potential.reports.plots import COLORS, INK, SOFT, figure
from potential.reports.trials import columns, in_unit, summary, title
from potential.runtime.output import atomic_folder
from potential.validation.objectives import COST
from potential.validation.tuning import Tuning

_WIDE = 4.0  # ratio of largest and smallest value from which on an axis is logarithmic


def front_table(tuning: Tuning) -> tuple[list[str], list[list[str]]]:
    """(head, rows): one row for each point, with the name of its file."""
    head, rows = columns(tuning, tuning.front)
    names = [f"{own}.toml" for own in _names(tuning)]
    return ["front", *head], [[name, *row] for name, row in zip(names, rows, strict=True)]


def write_front(folder: str | Path, tuning: Tuning) -> None:
    """A fit.toml for each point of the front, ``01.toml`` and so on, in a new folder; data files
    are named relative to it. Raises SoapGprError when nothing was evaluated, or where files are in
    the folder already."""
    if not tuning.front:
        raise SoapGprError(f"{folder}: not written, because no trial could be evaluated")
    texts = front_texts(tuning, folder)
    with atomic_folder(folder) as temporary:
        for (name, text), trial in zip(texts.items(), tuning.front, strict=True):
            values = tuning.values_of(trial)
            write_settings(temporary / f"{name}.toml", text, values, tuning.settings.file)


def front_texts(tuning: Tuning, folder: str | Path) -> dict[str, str]:
    """The texts of these files by their names without ending; files are named relative to the
    folder."""
    texts, file = {}, tuning.settings.file
    for name, trial in zip(_names(tuning), tuning.front, strict=True):
        place = f"{name} of {len(tuning.front)} on the front"
        comments = [f"Trial {trial.number} of soap-gpr tune {file}, {place}"]
        comments.append(summary(tuning, trial))
        texts[name] = settings_text(tuning.values_of(trial), file, folder, comments)
    return texts


def add_front(page: Page, tuning: Tuning, folder: Path) -> None:
    """Plots, the table, and each point's fit.toml as it would be in the folder."""
    page.heading("Front")
    page.text(
        "No other trial is as good as one of these in all objectives and better in one: less of "
        "one costs more of another. Errors are cross-validated."
    )
    page.figures(front_figures(tuning))
    page.table(*front_table(tuning))
    for (name, text), trial in zip(front_texts(tuning, folder).items(), tuning.front, strict=True):
        page.details(f"{name}.toml: {summary(tuning, trial)}", text)


def front_figures(tuning: Tuning) -> Iterator[tuple[Figure, str]]:
    """(figure, caption): each error against the cost, else each other objective against the
    first."""
    words = tuning.settings.objectives
    across = COST if COST in words else words[0]
    for word in (own for own in words if own != across):
        fig, axes = figure(5.6, 4.2)
        draw_front(axes, tuning, across, word)
        yield fig, f"{word} against {across}: all trials, and the front with the names of its files"


def draw_front(axes: Axes, tuning: Tuning, across: str, up: str) -> None:
    """All trials, the front and the start, by two of the objectives."""
    done = [trial for trial in tuning.trials if trial.values]
    points = np.array([[in_unit(word, own.values[word]) for word in (across, up)] for own in done])
    number = {trial.number: k for k, trial in enumerate(done)}
    on_front = points[[number[trial.number] for trial in tuning.front]]
    axes.scatter(
        points[:, 0], points[:, 1], s=16, color=COLORS[0], alpha=0.6, linewidths=0, label="trial"
    )
    if len(tuning.settings.objectives) == 2:
        axes.step(on_front[:, 0], on_front[:, 1], where="post", color=COLORS[1], linewidth=1.1)
    axes.scatter(on_front[:, 0], on_front[:, 1], s=30, color=COLORS[1], zorder=3, label="front")
    if 0 in number:
        x, y = points[number[0]]
        axes.scatter(x, y, s=90, facecolors="none", edgecolors=INK, zorder=4, label="start")
    for name, point in zip(_names(tuning), on_front.tolist(), strict=True):
        # on the side of what is better in both, where no trial is
        axes.annotate(
            name,
            point,
            (-3, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=8,
            color=SOFT,
            zorder=5,
        )
    for axis, scale, values in (
        (axes.xaxis, axes.set_xscale, points[:, 0]),
        (axes.yaxis, axes.set_yscale, points[:, 1]),
    ):
        if values.min() > 0 and values.max() > _WIDE * values.min():
            scale("log")
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(title(tuning, across), color=INK)
    axes.set_ylabel(title(tuning, up), color=INK)
    axes.legend(fontsize=8, frameon=False)


def _names(tuning: Tuning) -> list[str]:
    """01, 02, ... of the points of the front."""
    n = len(tuning.front)
    width = max(2, len(str(n)))
    return [f"{k:0{width}d}" for k in range(1, n + 1)]
