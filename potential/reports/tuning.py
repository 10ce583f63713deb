# SPDX-License-Identifier: BSD-3-Clause
"""The results of a search for people: text, page, and the best settings as a fit.toml."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from potential.errors import SoapGprError
from potential.reports.fit_toml import settings_text, write_settings
from potential.reports.front import add_front, front_table
from potential.reports.page import Page
from potential.reports.plots import COLORS, INK, figure
from potential.reports.trials import in_unit, lead, shown, table, title
from potential.runtime.text_table import text_table
from potential.validation.marginal_likelihood import RANGE
from potential.validation.objectives import OBJECTIVES
from potential.validation.tuning import Tuning
from potential.version import package_version


def format_tuning(tuning: Tuning) -> str:
    """A table of plain text, the best trial marked, and the δ that it found; of several objectives
    a table of the front as well."""
    text = f"{lead(tuning)}\n\n{text_table(*table(tuning))}"
    if len(tuning.settings.objectives) > 1:
        return f"{text}\n\n{text_table(*front_table(tuning), left=(0,))}"
    return text + delta_lines(tuning)


def delta_lines(tuning: Tuning) -> str:
    """The lines of fit.toml with the δ that the best trial found; nothing where it found none."""
    if tuning.best is None or not tuning.best.delta:
        return ""
    lines = ["", "", f"# [[terms]] of trial {tuning.best.number}"]
    for start, term in zip(tuning.settings.start.terms, tuning.best_settings.terms, strict=True):
        least = term.delta <= 1.001 * start.delta / RANGE
        note = "  # a thousandth of the start: the data do not ask for it" if least else ""
        entry = f"[[terms]]  # {term.kind}, cutoff {getattr(term, 'cutoff', 0):g} Å"
        lines += [entry, f"delta = {term.delta:.4g}{note}"]
    return "\n".join(lines)


def write_page(path: str | Path, tuning: Tuning) -> None:
    """Value against trial and against each key, importance, all trials."""
    page = Page(f"Tuning of {tuning.settings.file}", lead(tuning))
    words, search = tuning.settings.objectives, tuning.settings.search
    if len(words) > 1:
        add_front(page, tuning, Path(path).parent)
    page.heading("Value by trial")
    page.figures((_history(tuning, word), _caption(tuning, word)) for word in words)
    for word in words if search else ():
        page.heading("Value by setting" if len(words) == 1 else f"{_capital(word)} by setting")
        page.figures((_scatter(tuning, item.key, word), item.key) for item in search)
    if len(words) == 1 and delta_lines(tuning):
        page.details("delta of all terms", delta_lines(tuning).strip())
    if tuning.importances:
        page.heading("Importance")
        page.text("Share of each key in what sets the best trials apart (PED-ANOVA).")
        found = tuning.importances
        rows = [(key, *(f"{own[key]:.2f}" for own in found.values())) for key in tuning.importance]
        page.table(("key", *(found if len(words) > 1 else ["importance"])), rows)
    page.heading("Trials")
    page.table(*table(tuning))
    failed = [f"Trial {t.number}: {t.error}" for t in tuning.trials if t.error]
    if failed:
        page.details("Trials that failed", "\n".join(failed))
    page.footer(f"Written by soap-gpr {package_version()}.")
    page.write(path)


def write_best(path: str | Path, tuning: Tuning) -> None:
    """The fit.toml of the best trial; data files are named relative to its folder.

    It is read back before it is put in place. Raises SoapGprError when nothing was evaluated.
    """
    best, file = tuning.best, tuning.settings.file
    if best is None:
        raise SoapGprError(f"{path}: not written, because no trial could be evaluated")
    values, head = tuning.values_of(best), f"Trial {best.number} of soap-gpr tune {file}"
    text = settings_text(values, file, Path(path).parent, [head])
    write_settings(path, text, values, file)


def _caption(tuning: Tuning, word: str) -> str:
    name = "Value" if len(tuning.settings.objectives) == 1 else _capital(word)
    return f"{name} of each trial, the best so far, and the start"


def _capital(word: str) -> str:
    """With a capital letter, which names of targets keep as they are."""
    return word.capitalize() if word in OBJECTIVES else word


def _history(tuning: Tuning, word: str) -> Figure:
    fig, axes = figure(6.4, 3.6)
    done = [trial for trial in tuning.trials if trial.values]
    numbers = [trial.number for trial in done]
    values = np.array([in_unit(word, trial.values[word]) for trial in done])
    axes.scatter(numbers, values, s=16, color=COLORS[0], label="trial")
    if done:
        best = np.minimum.accumulate(values)
        axes.step(numbers, best, where="post", color=COLORS[1], label="best so far")
    if done and done[0].number == 0:
        axes.axhline(values[0], color=INK, linewidth=0.8, linestyle=":", label="start")
    axes.set_xlabel("trial", color=INK)
    axes.set_ylabel(title(tuning, word), color=INK)
    axes.legend(fontsize=8, frameon=False)
    return fig


def _scatter(tuning: Tuning, key: str, word: str) -> Figure:
    fig, axes = figure()
    done = [trial for trial in tuning.trials if trial.values and key in trial.parameters]
    settings = [trial.parameters[key] for trial in done]
    numeric = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in settings)
    where = settings if numeric else [shown(x) for x in settings]
    values = [in_unit(word, trial.values[word]) for trial in done]
    axes.scatter(where, values, s=16, color=COLORS[0])
    item = next(item for item in tuning.settings.search if item.key == key)
    if getattr(item, "log", False):
        axes.set_xscale("log")
    axes.set_xlabel(key, color=INK)
    axes.set_ylabel(title(tuning, word), color=INK)
    return fig
