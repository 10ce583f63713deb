# SPDX-License-Identifier: BSD-3-Clause
"""Pair terms: Gaussian processes of one distance, kept as splines (docs/theory.md eq. 20, 20a).

Everything here is linear in the weights: knots of the spline = knots of the sparse points' kernels
@ weights, so that rows of the knots times those of the kernels are rows of the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from potential import _core
from potential.basis import jets, spline
from potential.errors import SoapGprError
from potential.model import Environments
from potential.runtime.progress import Progress, silent
from potential.settings import PairTermSettings
from potential.structures.structure import Structure
from potential.terms.clusters import (
    ClusterTerm,
    f_c_of,
    fading_entry,
    pair_names,
    pairs,
    shortest_distances,
)
from potential.terms.term import Draft, Entry

TOLERANCE = 1e-10  # error of the spline of a kernel, relative to its largest value


class PairTerm(ClusterTerm):
    """One weight for each sparse distance; sparse sets are pairs of species."""

    @staticmethod
    def describes(entry: Entry) -> bool:
        return entry["kind"] == "pair" and not entry.get("fixed", False)

    @staticmethod
    def takes(settings: Any) -> bool:
        return isinstance(settings, PairTermSettings)

    @classmethod
    def draft(
        cls,
        settings: PairTermSettings,
        species: Sequence[int],
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        """Sparse points lie at equal distances from the shortest distance among the structures to
        the cutoff; a pair of species that never meets has none, and no energy. Raises SoapGprError
        when no spline follows the functions."""
        shortest = shortest_distances(settings.cutoff, species, structures)
        entry: dict[str, Any] = {
            "kind": "pair",
            "fixed": False,
            **fading_entry(settings),
            "length_scale": settings.length_scale,
            "delta": settings.delta,
        }
        points = {
            p: np.linspace(begin, settings.cutoff, settings.n_sparse + 1)[:-1]
            if np.isfinite(begin)
            else np.zeros(0)
            for p, begin in enumerate(shortest)
        }
        try:
            entry["segments"] = [
                _segments(entry, own) if len(own) else [] for own in points.values()
            ]
        except SoapGprError:
            expected = (
                f"it and cutoff_width = {entry['cutoff_width']:g} Å long enough for a table of "
                f"{spline.MAX_INTERVALS} intervals up to cutoff = {settings.cutoff:g} Å"
            )
            raise settings.error("length_scale", expected) from None
        warnings = [
            f"pair term: no {name} distance below {settings.cutoff:g} Å among the training "
            "structures"
            for name, begin in zip(pair_names(species), shortest, strict=True)
            if not np.isfinite(begin)
        ]
        return entry | {"sparse_points": points}, warnings

    @staticmethod
    def names(species: Sequence[int]) -> list[str]:
        return pair_names(species)

    def set_rows(
        self, p: int, points: np.ndarray, environments: Environments, gradients: bool
    ) -> np.ndarray:
        rows = _core.function_rows(self.model.core, self.index, p, environments, gradients)
        return rows @ _knots(self.entry, p, points)

    def center_rows(
        self, p: int, points: np.ndarray, centers: Sequence[Environments]
    ) -> np.ndarray:
        own = self.model.core, self.index, p
        rows = np.concatenate([_core.function_rows(*own, center, False) for center in centers])
        return rows @ _knots(self.entry, p, points)

    def serves(self, a: int, center: int) -> bool:
        return center in pairs(len(self.model.species))[a]

    def of_points(self, p: int) -> dict[str, np.ndarray]:
        knots = _knots(self.entry, p, self.sparse_points[p])
        return {"table": knots.T.reshape(knots.shape[1], len(knots) // 3, 3)}

    def kernel(self, a: int, points: np.ndarray, out: np.ndarray) -> None:
        """docs/theory.md eq. (20a)."""
        difference = (points[:, None] - points) / self.entry["length_scale"]
        out[:] = self.entry["delta"] ** 2 * np.exp(-0.5 * difference**2)

    @staticmethod
    def table(
        entry: Entry, n_species: int, p: int, points: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        return (_knots(entry, p, points) @ weights).reshape(-1, 3)


def _knots(entry: Entry, p: int, points: np.ndarray) -> np.ndarray:
    """(3 n_knots, M): V, h V′, h² V″ at the knots of function p for each weight alone."""
    parts = [
        spline.knot_values(piece, begin, end, n_intervals).reshape(-1, len(points))
        for begin, end, n_intervals in entry["segments"][p]
        for piece in [_piece(entry, points, end)]
    ]
    return np.concatenate([np.zeros((0, len(points))), *parts])


def _piece(entry, points, end):
    """Kernels of sparse points on a segment up to ``end``: a function r (n,) -> jet (3, n, M)."""
    scale = entry["length_scale"]
    f_c = next(own for _, last, own in f_c_of(entry).pieces() if end <= last * (1 + 1e-9))

    def function(r):
        x = (r[:, None] - points) / scale
        value = entry["delta"] ** 2 * np.exp(-0.5 * x**2)
        gaussian = np.stack([value, -x / scale * value, (x**2 - 1) / scale**2 * value])
        return jets.multiply(f_c(r)[:, :, None], gaussian)

    return function


def _segments(entry, points):
    """The kink of the cutoff function falls on a joint, as in the tables of SOAP terms."""
    scale = [entry["delta"] ** 2]
    return [
        [
            begin,
            end,
            spline.build_segment([_piece(entry, points, end)], scale, begin, end, TOLERANCE)[0],
        ]
        for begin, end, _ in f_c_of(entry).pieces()
    ]
