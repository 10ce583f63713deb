# SPDX-License-Identifier: BSD-3-Clause
"""The elements as an alchemical map sees them: where they lie, and the periodic table in its
colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import chemical_symbols
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from potential.basis.alchemy import leading_map
from potential.model import Model
from potential.reports.page import Page
from potential.reports.plots import INK, LINE, SOFT, figure
from potential.settings.terms import ALCHEMICAL, SEPARATE, SHARED
from potential.structures.structure import symbol

NOBLE_GASES = (2, 10, 18, 36, 54, 86, 118)
_CENTERS = {
    SEPARATE: "Centres of each element have sparse points of their own.",
    ALCHEMICAL: "Centres share their sparse points in so far as they are alike.",
    SHARED: "Centres of all elements share their sparse points.",
}


def add_elements(page: Page, model: Model) -> None:
    """Both figures for every term that has a map; nothing where none has."""
    for t, term in enumerate(model.terms):
        u = model.arrays.get(f"term{t}.alchemy")
        if u is None:
            continue
        places = directions(u)
        page.heading(f"Elements as term {t + 1} sees them ({u.shape[1]} pseudo-species)")
        page.text(
            "Elements that are close are alike to the model. The directions are the two leading "
            "ones of the similarity of elements, which does not depend on how the map is rotated; "
            f"their signs are of no meaning. {_CENTERS[term.get('centers', SEPARATE)]}"
        )
        figures = [
            (element_map(model.species, places), "Elements along the two leading directions")
        ]
        if model.species[0] <= NOBLE_GASES[-1]:  # beads have no place in it
            table = periodic_table(model.species, places)
            figures.append((table, "The same colours in the periodic table"))
        page.figures(figures)


def directions(u: np.ndarray) -> np.ndarray:
    """√λ v (n_species, 2) of the two largest eigenvalues of κ = u uᵀ: the same for every u of this
    κ (docs/theory.md eq. 3d, 3g)."""
    places = np.zeros((len(u), 2))
    own = leading_map(u @ u.T, min(2, len(u)))
    places[:, : own.shape[1]] = own
    return places


def element_map(species: Sequence[int], places: np.ndarray) -> Figure:
    """Symbols of elements (atomic numbers) at their places (n_species, 2)."""
    fig, axes = figure(5.0, 4.4)
    axes.scatter(places[:, 0], places[:, 1], s=190, c=colors(places), linewidths=0, alpha=0.9)
    for z, place in zip(species, places, strict=True):
        axes.annotate(symbol(z), place, ha="center", va="center", size=7, color=INK)
    axes.margins(0.08)
    axes.set_xlabel("first direction", color=INK)
    axes.set_ylabel("second direction", color=INK)
    return fig


def periodic_table(species: Sequence[int], places: np.ndarray) -> Figure:
    """The table with the model's elements in the colours of their places, all others blank."""
    fig, axes = figure(7.4, 3.9)
    of_element = dict(zip(species, colors(places), strict=True))
    for z in range(1, NOBLE_GASES[-1] + 1):
        row, column = cell(z)
        color = of_element.get(z)
        axes.add_patch(
            Rectangle((column, -row), 0.94, 0.94, facecolor=color or "none", edgecolor=LINE)
        )
        axes.annotate(
            chemical_symbols[z],
            (column + 0.47, 0.47 - row),
            ha="center",
            va="center",
            size=7,
            color=SOFT if color is None else INK,
        )
    axes.set(xlim=(0.8, 19.2), ylim=(-9.9, 0.2), aspect="equal")
    axes.axis("off")
    return fig


def colors(places: np.ndarray) -> list[tuple[float, float, float]]:
    """A colour for each place (n, 2): more red along the first direction, more blue along the
    second, all light enough for dark letters."""
    spread = np.ptp(places, axis=0)
    x, y = ((places - places.min(axis=0)) / np.where(spread > 1e-12, spread, 1.0)).T
    found = np.stack([0.45 + 0.55 * x, 0.95 - 0.30 * x - 0.30 * y, 0.45 + 0.55 * y], axis=1)
    return [(r, g, b) for r, g, b in found.tolist()]


def cell(z: int) -> tuple[int, int]:
    """Row and column, from 1, of an element; lanthanides and actinides in rows 8 and 9."""
    period = 1 + sum(z > last for last in NOBLE_GASES)
    first, last = (0, *NOBLE_GASES)[period - 1], NOBLE_GASES[period - 1]
    place, from_end = z - first, last - z
    if period >= 6 and 3 <= place <= 16:
        return period + 2, place + 1
    if place <= 2 and not (period == 1 and z == 2):
        return period, place
    return period, 18 - from_end
