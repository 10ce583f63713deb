# SPDX-License-Identifier: BSD-3-Clause
"""Colours of points by a property, with what a legend says of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from potential.maps.properties import Property
from potential.reports.plots import merged, palette

NONE = "#c3c9d1"  # of points without a value
MAP, STEPS = "viridis", 64
EDGES = (2, 98)  # percentiles between which colours vary, of so many values or more
MANY = 50


@dataclass(frozen=True)
class Coloring:
    """A colour for each point: a place (n,) in the shades."""

    of: Property
    shades: list[str]
    index: np.ndarray
    limits: tuple[float, float] | None = None  # of a scale; None: groups
    groups: list[tuple[str, str]] = field(default_factory=list)  # name, colour

    @property
    def colors(self) -> list[str]:
        return [self.shades[k] for k in self.index.tolist()]


def coloring(of: Property) -> Coloring:
    """A scale for numbers, whose outermost values may lie beyond its ends; else a colour for each
    word, those that are rarest together."""
    if not of.is_number:
        names = merged(of.values)
        groups = palette(of.values)
        place = {name: k for k, (name, _) in enumerate(groups)}
        index = np.array([place[name] for name in names])
        shown = [(name or "none", color) for name, color in groups]
        return Coloring(of, [color for _, color in groups], index, groups=shown)
    known = np.isfinite(of.values)
    values = of.values[known]
    low, high = (
        np.percentile(values, EDGES) if len(values) >= MANY else (values.min(), values.max())
    )
    if high <= low:  # most are the same
        low, high = values.min(), values.max()
    part = (of.values - low) / (high - low) if high > low else np.where(known, 0.5, np.nan)
    places = np.clip(np.nan_to_num(part, nan=0.0) * STEPS, 0, STEPS - 1).astype(np.int64)
    shades = [to_hex(colormaps[MAP]((k + 0.5) / STEPS)) for k in range(STEPS)]
    return Coloring(
        of, [*shades, NONE], np.where(known, places, STEPS), limits=(float(low), float(high))
    )
