# SPDX-License-Identifier: BSD-3-Clause
"""Learning curves of the tutorial: read from its folders, as a table and as a plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from potential.reports.plots import COLORS, INK, style

Row = dict[str, Any]
ALL, KINDS = "all", "kinds"
ERRORS = {KINDS: "mean of the kinds of frames", ALL: "all force components"}
COUNTS = {"frames": "labelled frames", "components": "labelled force components"}
NAMES = {"committee": "by the committee", "random": "at random"}


def summary(folder: Path, strategies: Sequence[str], seeds: int) -> dict[str, Any]:
    """Labels and root mean square errors of forces (eV/Å) of all loops and of the fit to all.

    Labels are counted in frames and in components of forces. Errors are those of each config_type,
    of ``all`` components, most of which are of the large frames, and the mean over the ``kinds``.
    """
    errors = json.loads((folder / "full" / "errors.json").read_text())["errors"]
    full = counted(folder / "full" / "start.xyz") | {"errors": forces_of(errors)}
    loops = {by: [loop(folder / f"{by}_{k}") for k in range(seeds)] for by in strategies}
    return {"unit": "eV/Å", "full": full, "loops": loops}


def loop(folder: Path) -> list[Row]:
    """A row for each generation: frames and components labelled until then, and errors."""
    total, rows = counted(folder / "start.xyz"), []
    for own in sorted((folder / "loop").glob("generation_*")):
        if not (own / "model.sgpr").exists():
            continue  # nothing was left to label
        state = json.loads((own / "state.json").read_text())
        if state["label"]["labels"]:
            new = counted(own / "labelled.xyz")
            total = {key: total[key] + new[key] for key in total}
        rows.append(total | {"errors": forces_of(state["report"]["test"]["errors"])})
    return rows


def counted(path: Path) -> dict[str, int]:
    """Frames and components of forces, isolated atoms left out."""
    sizes = [len(atoms) for atoms in ase.io.read(path, ":") if len(atoms) > 1]
    return {"frames": len(sizes), "components": 3 * sum(sizes)}


def forces_of(errors: dict[str, Any]) -> dict[str, float]:
    """Errors of forces by config_type, their mean and that of all components."""
    found = {kind: own["force"]["rmse"] for kind, own in errors.items() if "force" in own}
    total = found.pop(ALL)
    return {ALL: total, KINDS: float(np.mean(list(found.values()))), **found}


def table(found: dict[str, Any]) -> str:
    """Errors against labels, means over the seeds, the share of all labels in brackets."""
    full = found["full"]
    lines = [line("all frames", [full], full)]
    for by, loops in found["loops"].items():
        lines += [line(NAMES[by], rows, full) for rows in zip(*loops, strict=False)]
    return "force RMSE in meV/Å\n" + "\n".join(lines)


def line(name: str, rows: Sequence[Row], full: Row) -> str:
    """One line of the table: the mean of these rows."""
    counts = {key: np.mean([own[key] for own in rows]) for key in COUNTS}
    labels = (f"{n:6.0f} {key} ({100 * n / full[key]:3.0f} %)" for key, n in counts.items())
    errors = {
        kind: 1000 * np.mean([own["errors"][kind] for own in rows]) for kind in full["errors"]
    }
    said = "  ".join(f"{kind} {value:.1f}" for kind, value in errors.items())
    return f"{name:17s}{'  '.join(labels)}  {said}"


def plot(found: dict[str, Any], path: Path) -> None:
    """Both errors against both counts of labels."""
    figure = Figure(figsize=(8, 6.4), layout="constrained")
    for row, kind in enumerate(ERRORS):
        for column, count in enumerate(COUNTS):
            axes = figure.add_subplot(2, 2, 2 * row + column + 1)
            style(axes)
            draw(axes, found, kind, count)
    figure.axes[0].legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=90)


def draw(axes: Axes, found: dict[str, Any], kind: str, count: str) -> None:
    """One error against one count: the mean over the seeds, and their range."""
    full = found["full"]
    for (by, loops), color in zip(found["loops"].items(), COLORS, strict=False):
        n = min(len(rows) for rows in loops)
        x = np.array([[own[count] for own in rows[:n]] for rows in loops]).mean(axis=0)
        y = 1000 * np.array([[own["errors"][kind] for own in rows[:n]] for rows in loops])
        axes.fill_between(x, y.min(axis=0), y.max(axis=0), color=color, alpha=0.2, lw=0)
        axes.plot(x, y.mean(axis=0), "o-", color=color, label=NAMES[by])
    label = f"all {full['frames']} frames"
    axes.axhline(1000 * full["errors"][kind], color=INK, ls="--", lw=1, label=label)
    axes.axvline(full[count] / 2, color=INK, ls=":", lw=1, label="half of them")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_title(ERRORS[kind], color=INK, fontsize=10)
    axes.set_xlabel(COUNTS[count], color=INK)
    axes.set_ylabel("force RMSE, meV/Å", color=INK)
