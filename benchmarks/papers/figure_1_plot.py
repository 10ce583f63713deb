# SPDX-License-Identifier: BSD-3-Clause
"""The figure of figure_1.py."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from ase.data import chemical_symbols
from matplotlib.ticker import NullFormatter, ScalarFormatter

from potential.reports.elements import directions, periodic_table

STYLES = {
    "full SOAP, shared": ("k", "-", "full SOAP"),
    "full SOAP, shared + composition": ("0.45", "-", "full SOAP + composition"),
    "d_J = 1, alchemical": ("tab:red", ":", None),
    "d_J = 1, alchemical, optimised": ("tab:red", "-", "$d_J$ = 1 optimised"),
    "d_J = 2, alchemical": ("tab:purple", ":", None),
    "d_J = 2, alchemical, optimised": ("tab:purple", "-", "$d_J$ = 2 optimised"),
    "d_J = 4, alchemical": ("tab:blue", ":", "start of each, dotted"),
    "d_J = 4, alchemical, optimised": ("tab:blue", "-", "$d_J$ = 4 optimised"),
    "several kernels": ("tab:green", "-", "several kernels"),
}


def figure(result: dict, path: Path) -> None:
    """Learning curves of both sets, and the elements left out in turn."""
    sets = result["sets"]
    left_out = next((own["left_out"] for own in sets.values() if "left_out" in own), None)
    n = len(sets) + (left_out is not None)
    picture, axes = plt.subplots(1, n, figsize=(4.4 * n, 4.0), layout="constrained")
    for axis, (name, own) in zip(axes, sets.items(), strict=False):
        _curves(axis, own["curves"])
        axis.set_title(name)
    axes[0].legend(fontsize=7)
    if left_out is not None:
        _elements(axes[-1], left_out["elements"])
    picture.savefig(path, dpi=75)
    plt.close(picture)


def elements(result: dict, path: Path) -> None:
    """The periodic table in the colours of the map with d_J = 4."""
    found = next(own["left_out"]["map"] for own in result["sets"].values() if "left_out" in own)
    species, u = [int(z) for z in found], np.array(list(found.values()))
    periodic_table(species, directions(u)).savefig(path, dpi=80)


def _curves(axis, rows: list[dict]) -> None:
    for model, (color, line, label) in STYLES.items():
        own = sorted((r for r in rows if r["model"] == model), key=lambda r: r["n_train"])
        sizes, errors = [r["n_train"] for r in own], [r["mae"] for r in own]
        spread = [r["mae_spread"] for r in own]
        axis.errorbar(sizes, errors, spread, color=color, ls=line, label=label, capsize=2, lw=1.3)
    axis.set(xscale="log", yscale="log", xlabel="training structures", ylabel="MAE, meV/atom")
    axis.set_xticks(sorted({row["n_train"] for row in rows}))
    for one in (axis.xaxis, axis.yaxis):
        one.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())


def _elements(axis, elements: dict) -> None:
    names = list(next(iter(elements.values())))
    alone, full, known = ([own[name] for own in elements.values()] for name in names)
    axis.plot(full, alone, "o", ms=3, color="tab:blue", label="never saw the element")
    axis.plot(full, known, "o", ms=3, color="0.7", label="knows the element")
    ends = [min(full + alone), max(full + alone)]
    axis.plot(ends, ends, "k:", lw=0.8)
    for z, x, y in zip(elements, full, alone, strict=True):
        axis.annotate(chemical_symbols[int(z)], (x, y), fontsize=5)
    axis.set(xscale="log", yscale="log", title="each element left out")
    axis.set_xlabel("full SOAP + composition, MAE, meV/atom")
    axis.set_ylabel("$d_J$ = 4 optimised, MAE, meV/atom")
    axis.legend(fontsize=7)
