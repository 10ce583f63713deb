# SPDX-License-Identifier: BSD-3-Clause
"""Pair and three-body potentials of a model as tables for LAMMPS and as plots."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from potential.errors import SoapGprError
from potential.model import Model
from potential.model.body_potentials import (
    body_order,
    isolated_energies,
    pair_potential,
    triplet_potential,
)
from potential.reports.page import Page
from potential.reports.plots import COLORS, INK, figure
from potential.runtime.output import atomic_file, require_writable
from potential.structures.structure import symbol
from potential.version import package_version

PAIRS = "pairs.table"
# Most plots on a page: the first pairs and triplets of species.
_MOST_PLOTS = 12
_SLICES = (0.5, 0.6, 0.75)  # r' over the cutoff, of the slices at ω = -1 to 1


def export_potentials(
    model: Model, folder: str | Path, first: float = 0.5, points: int = 2000, grid: int = 25
) -> list[Path]:
    """Write the potentials of a model into a folder, which is made if it is not there.

    ``pairs.table`` has a section of LAMMPS' pair_style table for each pair of species, with
    ``points`` distances from ``first`` Å to the cutoff; ``triplets_A-B-C.txt`` have lines r, r',
    ω, V of a centre A on ``grid`` values of each. Returns the files. Raises SoapGprError for a
    model that is no sum of such potentials, a ``first`` beyond the cutoff and where a file cannot
    be written.
    """
    order = body_order(model)
    if not 0 < first < model.cutoff:
        raise SoapGprError(
            f"found {first:g} Å for the first distance, expected one below {model.cutoff:g} Å"
        )
    folder = Path(folder)
    texts = {PAIRS: pair_tables(model, np.linspace(first, model.cutoff, points))}
    if order == 3:
        for a, b, c in _triplets(model):
            name = "-".join(symbol(model.species[own]) for own in (a, b, c))
            texts[f"triplets_{name}.txt"] = _triplet_table(model, (a, b, c), first, grid)
    if folder.parent.is_dir() and not folder.exists():
        folder.mkdir()
    paths = [folder / name for name in texts]
    for path in paths:
        require_writable(path)
    for path, text in zip(paths, texts.values(), strict=True):
        with atomic_file(path) as temporary:
            temporary.write_text(text)
    return paths


def pair_tables(model: Model, r: np.ndarray) -> str:
    """The file of pair_style table, at equally spaced distances r (n,) Å."""
    single = isolated_energies(model)
    constants = [
        f"{symbol(z)} {energy:.12g} eV" for z, energy in zip(model.species, single, strict=True)
    ]
    lines = [
        f"# Pair potentials by soap-gpr {package_version()}, UNITS: metal",
        f"# Energies of single atoms, which are not in the tables: {', '.join(constants)}",
    ]
    for a, b in _pairs(model):
        V, force = pair_potential(model, a, b, r)
        lines += ["", section(model, a, b), f"N {len(r)} R {r[0]:.12g} {r[-1]:.12g}", ""]
        rows = zip(r.tolist(), V.tolist(), force.tolist(), strict=True)
        lines += [f"{k} {x:.12g} {v:.16g} {f:.16g}" for k, (x, v, f) in enumerate(rows, start=1)]
    return "\n".join(lines) + "\n"


def section(model: Model, a: int, b: int) -> str:
    """Its keyword in the file."""
    return f"{symbol(model.species[a])}_{symbol(model.species[b])}"


def add_potentials(page: Page, model: Model) -> None:
    """Plots of all potentials, if the model is a sum of such; else nothing."""
    try:
        order = body_order(model)
    except SoapGprError:
        return
    page.heading("Pair potentials")
    if order == 3:
        page.text(
            "The model is a sum of pair and three-body potentials: V(r, r', ω) of a centre and two "
            "neighbours at r and r', with the cosine ω between them, comes on top of the pairs."
        )
    page.figures(
        (_pair_plot(model, a, b), section(model, a, b).replace("_", "–"))
        for a, b in _pairs(model)[:_MOST_PLOTS]
    )
    if order == 3:
        page.heading("Three-body potentials")
        page.figures(_triplet_plots(model))


def _pairs(model: Model) -> list[tuple[int, int]]:
    return list(combinations_with_replacement(range(len(model.species)), 2))


def _triplets(model: Model) -> list[tuple[int, int, int]]:
    return [(a, b, c) for a in range(len(model.species)) for b, c in _pairs(model)]


def _triplet_table(model: Model, species: tuple[int, int, int], first: float, grid: int) -> str:
    r = np.linspace(first, model.cutoff, grid)
    axes = np.meshgrid(r, r, np.linspace(-1, 1, grid), indexing="ij")
    V = triplet_potential(model, *species, *axes)
    names = " ".join(symbol(model.species[own]) for own in species)
    rows = np.stack([*axes, V], axis=-1).reshape(-1, 4).tolist()
    lines = [f"# V(r, r', omega) of {names}, the centre first: Å, Å, cosine, eV"]
    lines += ["{:.12g} {:.12g} {:.12g} {:.16g}".format(*row) for row in rows]
    return "\n".join(lines) + "\n"


def _pair_plot(model: Model, a: int, b: int) -> Figure:
    r = np.linspace(0.2 * model.cutoff, model.cutoff, 200)
    V, _ = pair_potential(model, a, b, r)
    fig, axes = figure(4.4, 3.0)
    axes.plot(r, V, color=COLORS[0])
    axes.axhline(0.0, color=INK, linewidth=0.6)
    axes.set_xlabel("r (Å)", color=INK)
    axes.set_ylabel("V (eV)", color=INK)
    return fig


def _triplet_plots(model: Model) -> Iterator[tuple[Figure, str]]:
    """Of every triplet of species, V(r, r, ω) against ω at some r."""
    omega = np.linspace(-1, 1, 101)
    for a, b, c in _triplets(model)[:_MOST_PLOTS]:
        fig, axes = figure(4.4, 3.0)
        for k, part in enumerate(_SLICES):
            r = np.full_like(omega, part * model.cutoff)
            V = triplet_potential(model, a, b, c, r, r, omega)
            axes.plot(omega, V, color=COLORS[k], label=f"r = r' = {r[0]:.3g} Å")
        axes.set_xlabel("ω", color=INK)
        axes.set_ylabel("V (eV)", color=INK)
        axes.legend(fontsize=8, frameon=False)
        yield fig, f"{symbol(model.species[a])} with {section(model, b, c).replace('_', ', ')}"
