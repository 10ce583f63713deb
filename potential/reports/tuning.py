# SPDX-License-Identifier: BSD-3-Clause
"""The results of a search: table, page, and the best settings as a fit.toml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from potential.errors import SoapGprError
from potential.reports.page import Page
from potential.reports.plots import COLORS, INK, figure
from potential.runtime.output import atomic_file
from potential.runtime.text_table import text_table
from potential.scores.metrics import UNITS
from potential.settings.file import parse_settings, read_toml
from potential.validation.marginal_likelihood import RANGE
from potential.validation.tuning import Trial, Tuning
from potential.version import package_version


def format_tuning(tuning: Tuning) -> str:
    """A table of plain text, the best trial marked, and the δ that it found."""
    return f"{lead(tuning)}\n\n{text_table(*table(tuning))}{delta_lines(tuning)}"


def delta_lines(tuning: Tuning) -> str:
    """The lines of fit.toml with the δ that the best trial found; nothing where it found none."""
    if tuning.best is None or not tuning.best.delta:
        return ""
    lines = ["", "", f"# [[terms]] of trial {tuning.best.number}"]
    for start, term in zip(tuning.settings.start.terms, tuning.best_settings.terms, strict=True):
        least = term.delta <= 1.001 * start.delta / RANGE
        note = "  # a thousandth of the start: the data do not ask for it" if least else ""
        shown = f"[[terms]]  # {term.kind}, cutoff {getattr(term, 'cutoff', 0):g} Å"
        lines += [shown, f"delta = {term.delta:.4g}{note}"]
    return "\n".join(lines)


def lead(tuning: Tuning) -> str:
    """What was done, in one sentence."""
    settings = tuning.settings
    objective = settings.objective
    if objective == "combined" and tuning.trials and not any(t.rmse for t in tuning.trials):
        objective = "targets"  # without a potential
    names = {
        "combined": "mean over labels of RMSE / level in [noise] at the start",
        "targets": "mean over targets of RMSE / RMSE of their means alone",
    }
    value = names.get(objective, f"RMSE of {objective}")
    text = f"{settings.folds}-fold cross-validation of {settings.file}; value: {value}"
    return text + ("; interrupted" if tuning.interrupted else "")


def table(tuning: Tuning) -> tuple[list[str], list[list[str]]]:
    """(head, rows): one row per trial; trial 0 is fit.toml as it stood."""
    keys = [item.key for item in tuning.settings.search]
    deltas = list(dict.fromkeys(key for trial in tuning.trials for key in trial.delta))
    labels = list(dict.fromkeys(label for trial in tuning.trials for label in trial.rmse))
    noise = list(dict.fromkeys(key for trial in tuning.trials for key in _levels(trial)))
    targets = [own for own in tuning.settings.start.targets if _has_target(tuning, own.name)]
    head = ["", "trial", "value", *(f"{label}, {UNITS[label][1]}" for label in labels)]
    head += [f"{own.name}, {own.unit}" if own.unit else own.name for own in targets]
    rows = []
    for trial in tuning.trials:
        row = ["*" if trial is tuning.best else "", str(trial.number)]
        row.append(_show_value(tuning, trial))
        row += [
            f"{UNITS[label][2] * trial.rmse[label]:.3g}" if label in trial.rmse else "-"
            for label in labels
        ]
        found = [trial.targets.get(own.name) for own in targets]
        row += ["-" if errors is None else f"{errors.rmse:.3g}" for errors in found]
        row += [_show(_value_of(tuning, trial, key)) for key in (*keys, *deltas)]
        row += [_show(_levels(trial).get(key)) for key in noise]
        rows.append(row)
    return [*head, *keys, *deltas, *(f"noise.{key}" for key in noise)], rows


def _has_target(tuning: Tuning, name: str) -> bool:
    return any(name in trial.targets for trial in tuning.trials)


def write_page(path: str | Path, tuning: Tuning) -> None:
    """Value against trial and against each key, importance, all trials."""
    page = Page(f"Tuning of {tuning.settings.file}", lead(tuning))
    page.heading("Value by trial")
    page.figures([(_history(tuning), "Value of each trial, the best so far, and the start")])
    if tuning.settings.search:
        page.heading("Value by setting")
        page.figures((_scatter(tuning, item.key), item.key) for item in tuning.settings.search)
    if delta_lines(tuning):
        page.details("delta of all terms", delta_lines(tuning).strip())
    if tuning.importance:
        page.heading("Importance")
        page.text("Share of each key in what sets the best trials apart (PED-ANOVA).")
        rows = [(key, f"{value:.2f}") for key, value in tuning.importance.items()]
        page.table(("key", "importance"), rows)
    page.heading("Trials")
    page.table(*table(tuning))
    failed = [f"Trial {t.number}: {t.error}" for t in tuning.trials if t.error]
    if failed:
        page.details("Trials that failed", "\n".join(failed))
    page.footer(f"Written by soap-gpr {package_version()}.")
    page.write(path)


def write_best(path: str | Path, tuning: Tuning) -> None:
    """The fit.toml of the best trial; data files are named relative to its folder.

    It is read back before it is put in place. Raises SoapGprError when nothing was evaluated or
    tomli-w is missing.
    """
    best, settings = tuning.best, tuning.settings
    if best is None:
        raise SoapGprError(f"{path}: not written, because no trial could be evaluated")
    values = tuning.best_values
    expected = parse_settings(values, file=str(path), folder=Path(settings.file).parent)
    values["data"] = _moved(values["data"], Path(settings.file).parent, Path(path).parent)
    head = f"# Trial {best.number} of soap-gpr tune {settings.file}\n"
    text = head + _toml(values)
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        found = parse_settings(read_toml(temporary), file=str(path), folder=Path(path).parent)
        written = (found.terms, found.noise, found.targets)
        if written != (expected.terms, expected.noise, expected.targets):
            raise AssertionError(f"{path} does not say what was to be written")


def toml_writer() -> Any:
    """The package tomli_w; raises SoapGprError when it is missing."""
    try:
        import tomli_w
    except ImportError:
        raise SoapGprError(
            "soap-gpr tune needs tomli-w, which is not installed: pip install 'soap-gpr[tune]'"
        ) from None
    return tomli_w


def _toml(values: Mapping[str, Any]) -> str:
    """The settings with one [[terms]] and [[targets]] after the other, as people write them."""
    dumps = toml_writer().dumps
    parts, lists = [dumps({"data": values["data"]})], ("terms", "targets")
    for key, own in [(name, own) for name in lists for own in values.get(name, [])]:
        tables = {name: value for name, value in own.items() if isinstance(value, dict)}
        plain = {name: value for name, value in own.items() if name not in tables}
        parts.append(f"[[{key}]]\n" + dumps(plain) + (dumps({key: tables}) if tables else ""))
    others = {key: value for key, value in values.items() if key not in ("data", *lists)}
    return "\n".join([*parts, dumps(others)])


def _moved(data: Mapping[str, Any], old: Path, new: Path) -> dict[str, Any]:
    """[data] with files named from another folder."""
    moved = dict(data)
    for key in ("train", "test"):
        if key in moved and old.resolve() != new.resolve():
            names = [moved[key]] if isinstance(moved[key], str) else moved[key]
            moved[key] = [
                name if os.path.isabs(name) else os.path.relpath(old / name, new) for name in names
            ]
    return moved


def _history(tuning: Tuning) -> Figure:
    fig, axes = figure(6.4, 3.6)
    done = [trial for trial in tuning.trials if trial.value is not None]
    numbers, values = [t.number for t in done], np.array([t.value for t in done], dtype=float)
    axes.scatter(numbers, values, s=16, color=COLORS[0], label="trial")
    if done:
        best = np.minimum.accumulate(values)
        axes.step(numbers, best, where="post", color=COLORS[1], label="best so far")
    if done and done[0].number == 0:
        axes.axhline(values[0], color=INK, linewidth=0.8, linestyle=":", label="start")
    axes.set_xlabel("trial", color=INK)
    axes.set_ylabel("value", color=INK)
    axes.legend(fontsize=8, frameon=False)
    return fig


def _scatter(tuning: Tuning, key: str) -> Figure:
    fig, axes = figure()
    done = [(t, t.value) for t in tuning.trials if t.value is not None and key in t.parameters]
    settings = [t.parameters[key] for t, _ in done]
    numeric = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in settings)
    where = settings if numeric else [_show(x) for x in settings]
    axes.scatter(where, [value for _, value in done], s=16, color=COLORS[0])
    item = next(item for item in tuning.settings.search if item.key == key)
    if getattr(item, "log", False):
        axes.set_xscale("log")
    axes.set_xlabel(key, color=INK)
    axes.set_ylabel("value", color=INK)
    return fig


def _show_value(tuning: Tuning, trial: Trial) -> str:
    if trial.value is None:
        return "failed"
    factor = UNITS.get(tuning.settings.objective, ("", "", 1.0))[2]
    return f"{factor * trial.value:.4g}"


def _value_of(tuning: Tuning, trial: Trial, key: str) -> Any:
    """The value of a searched key; for trial 0 that of fit.toml or its default."""
    if trial.number:
        return (trial.parameters | trial.delta).get(key)
    place: Any = tuning.settings.start.to_dict()
    for word in key.replace("noise.", "noise.default.", 1).split("."):
        if isinstance(place, list) and word.isdecimal() and int(word) < len(place):
            place = place[int(word)]
        else:
            place = place.get(word) if isinstance(place, dict) else None
    return "as it was" if place is None else place


def _levels(trial: Trial) -> dict[str, Any]:
    return {k: v for k, v in (trial.noise or {}).items() if k != "config_type"}


def _show(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
