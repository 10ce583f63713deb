# SPDX-License-Identifier: BSD-3-Clause
"""The page of a loop: a row for each generation, and plots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from potential.reports.page import Page
from potential.reports.plots import COLORS, INK, figure
from potential.scores.metrics import ALL, UNITS
from potential.uncertainty.of_structures import RANKED
from potential.version import package_version

State = dict[str, Any]
Column = tuple[str, Callable[[State], str]]
_LEVELS = {"inside_1": 0.6827, "inside_2": 0.9545}  # of a normal distribution


def write_report(path: Path, states: Sequence[State], title: str) -> None:
    """Write the page of the states of complete generations, from 0 on, in one step."""
    last = states[-1]
    page = Page(title, f"{last['generation']} generations, {labels(states)[-1]} new labels")
    page.cards(_cards(states))
    page.heading("Generations")
    _table(page, _columns(states), states)
    page.heading("Errors")
    page.text(
        "Root mean square errors on the test structures. Columns of new structures are on those "
        "that the generation labelled, by the model before it, which had not seen them: they were "
        "selected as they are uncertain."
    )
    _table(page, _columns_of_errors(states), states)
    figures = [own for own in (draw(states) for draw in _PLOTS) if own]
    if figures:
        page.heading("Course of the loop")
        page.figures(figures)
    warnings = dict.fromkeys(line for state in states for line in state["fit"]["warnings"])
    if warnings:
        page.details("Warnings of the fits", "\n".join(warnings))
    page.footer(f"Written by soap-gpr {package_version()}.")
    page.write(path)


def _table(page: Page, columns: Sequence[Column], states: Sequence[State]) -> None:
    rows = [[cell(state) for _, cell in columns] for state in states]
    page.table([name for name, _ in columns], rows, text_columns=())


def labels(states: Sequence[State]) -> list[int]:
    """New labels up to each generation."""
    counts = [state["label"]["labels"] for state in states]
    return [sum(counts[: k + 1]) for k in range(len(counts))]


def events(state: State) -> dict[str, int]:
    """Unphysical events of a generation by their names."""
    return state["sample"]["events"] | state["select"]["events"]


def error(state: State, label: str, of: str = "test") -> float | None:
    """A root mean square error in the unit that is shown, or None."""
    found = state["report"].get(of, {}).get("errors", {}).get(ALL, {}).get(label)
    return UNITS[label][2] * found["rmse"] if found else None


def errors_shown(state: State, of: str) -> str:
    """Root mean square errors with their units, or nothing."""
    found = {label: error(state, label, of) for label in ("energy", "force")}
    return ", ".join(
        f"{label} {value:.4g} {UNITS[label][1]}"
        for label, value in found.items()
        if value is not None
    )


def _columns(states: Sequence[State]) -> list[Column]:
    """What was done; events and failures where there are any."""
    total = dict(zip((state["generation"] for state in states), labels(states), strict=True))
    found: list[Column] = [
        ("generation", lambda own: str(own["generation"])),
        ("sampled", lambda own: str(own["sample"]["structures"])),
        ("largest uncertainty", lambda own: _number(own["select"].get("largest_uncertainty"))),
        ("selected", _selected),
        ("labels", lambda own: str(total[own["generation"]])),
    ]
    if any(state["label"]["failed"] for state in states):
        found.insert(4, ("without label", lambda own: str(len(own["label"]["failed"]))))
    if any(sum(events(state).values()) for state in states):
        found.insert(2, ("unphysical", _events))
    return found


def _events(state: State) -> str:
    return ", ".join(f"{n} {name}" for name, n in events(state).items())


def _columns_of_errors(states: Sequence[State]) -> list[Column]:
    total = dict(zip((state["generation"] for state in states), labels(states), strict=True))
    energy, force = (UNITS[label][1] for label in ("energy", "force"))
    return [
        ("generation", lambda own: str(own["generation"])),
        ("labels", lambda own: str(total[own["generation"]])),
        (f"energy, {energy}", lambda own: _number(error(own, "energy"))),
        (f"force, {force}", lambda own: _number(error(own, "force"))),
        ("< 1σ, %", lambda own: _percent(own, "test", "inside_1")),
        ("< 2σ, %", lambda own: _percent(own, "test", "inside_2")),
        (f"new: force, {force}", lambda own: _number(error(own, "force", "new"))),
        (f"new: σ, {force}", lambda own: _sigma(own, "new")),
        ("new: < 1σ, %", lambda own: _percent(own, "new", "inside_1")),
    ]


def _selected(state: State) -> str:
    """Structures of each config_type that were selected."""
    kinds = Counter(own.get("config_type", "") for own in state["select"]["selected"])
    return ", ".join(f"{n} {kind}".strip() for kind, n in sorted(kinds.items()))


def _cards(states: Sequence[State]) -> list[tuple[str, str, str, str]]:
    cards = []
    for label in ("energy", "force"):
        first, last = (error(own, label) for own in (states[0], states[-1]))
        if first is not None and last is not None:
            note = f"generation 0: {first:.3g}"
            cards.append((f"{label.capitalize()} RMSE", f"{last:.3g}", UNITS[label][1], note))
    n = sum(sum(events(state).values()) for state in states)
    return [
        ("New labels", str(labels(states)[-1]), "", f"{len(states) - 1} generations"),
        *cards,
        ("Unphysical events", str(n), "", "in all generations"),
    ]


def _errors(states: Sequence[State]) -> tuple[Figure, str] | None:
    shown = [label for label in ("energy", "force") if error(states[-1], label) is not None]
    if not shown:
        return None
    fig, axes = figure()
    for label, color in zip(shown, COLORS, strict=False):
        values = [error(state, label) for state in states]
        name = f"{label}, {UNITS[label][1]}"
        axes.plot(labels(states), values, "o-", color=color, label=name)  # type: ignore[arg-type]
    _logarithmic(axes)
    axes.set_xlabel("new labels", color=INK)
    axes.set_ylabel("RMSE on test structures", color=INK)
    axes.legend(fontsize=8, frameon=False)
    return fig, "Errors on the test structures against the number of new labels"


def _errors_by_kind(states: Sequence[State]) -> tuple[Figure, str] | None:
    found = [own["report"].get("test", {}).get("errors", {}) for own in states]
    kinds = [kind for kind, own in found[-1].items() if kind != ALL and "force" in own]
    if len(kinds) < 2:
        return None
    fig, axes = figure()
    _, unit, factor = UNITS["force"]
    shown = sorted(kinds, key=lambda kind: -found[-1][kind]["force"]["count"])
    for kind, color in zip(shown, cycle(COLORS), strict=False):
        values = [factor * own[kind]["force"]["rmse"] for own in found]
        axes.plot(labels(states), values, "o-", color=color, label=kind)
    _logarithmic(axes)
    axes.set_xlabel("new labels", color=INK)
    axes.set_ylabel(f"force RMSE on test structures, {unit}", color=INK)
    axes.legend(fontsize=8, frameon=False)
    return fig, "Errors of forces by config_type"


def _calibration(states: Sequence[State]) -> tuple[Figure, str] | None:
    fig, axes = figure()
    for (name, level), color in zip(_LEVELS.items(), COLORS, strict=False):
        for of, style in (("test", "o-"), ("new", "x--")):
            found = [(s["generation"], _calibrated(s, of, name)) for s in states]
            known = [(x, 100 * y) for x, y in found if y is not None]
            if known:
                label = f"{of}, {name[-1]} σ"
                axes.plot(*zip(*known, strict=True), style, color=color, label=label)
        axes.axhline(100 * level, color=color, linewidth=0.8)
    if not axes.get_legend_handles_labels()[1]:
        return None
    _of_generations(axes)
    axes.set_ylabel("force components within, %", color=INK)
    axes.legend(fontsize=8, frameon=False)
    return fig, "Calibration; lines are those of a normal distribution"


def _doubts(states: Sequence[State]) -> tuple[Figure, str] | None:
    known = [s for s in states if "largest_uncertainty" in s["select"]]
    if not known:
        return None
    what, unit = RANKED[known[-1]["select"]["by"]]
    fig, axes = figure()
    numbers = [state["generation"] for state in known]
    for k, key in enumerate(("largest_uncertainty", "median_uncertainty")):
        values = [state["select"][key] for state in known]
        axes.plot(numbers, values, "o-", color=COLORS[k], label=key.split("_")[0])
    counts = [sum(events(state).values()) for state in known]
    if any(counts):
        right = axes.twinx()
        right.bar(numbers, counts, width=0.4, color=COLORS[3], alpha=0.3)
        right.set_ylabel("unphysical events (bars)", color=INK)
        right.yaxis.set_major_locator(MaxNLocator(integer=True))
    if all(state["select"]["largest_uncertainty"] > 0 for state in known):
        _logarithmic(axes)
    _of_generations(axes)
    axes.set_ylabel(f"{what}, {unit}", color=INK)
    axes.legend(fontsize=8, frameon=False)
    return fig, "Uncertainty of the sampled structures"


def _logarithmic(axes: Axes) -> None:
    """Plain numbers at 1, 2, 5, 10, ..., also where the values span less than a decade."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:e}"[0] in "25" else "")


def _of_generations(axes: Axes) -> None:
    axes.set_xlabel("generation", color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _calibrated(state: State, of: str, name: str) -> float | None:
    found = state["report"].get(of, {}).get("calibration")
    return found[name] if found else None


def _sigma(state: State, of: str) -> str:
    found = _calibrated(state, of, "force_sigma")
    return _number(None if found is None else UNITS["force"][2] * found)


def _percent(state: State, of: str, name: str) -> str:
    found = _calibrated(state, of, name)
    return "" if found is None else f"{100 * found:.1f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


_PLOTS = (_errors, _errors_by_kind, _calibration, _doubts)
