# SPDX-License-Identifier: BSD-3-Clause
"""Fits of the potential to nested subsets of the training structures, from one set of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from potential.terms.prior import prior_factor
from potential.training.auto_noise import FoundNoise, LevelGroups, find_noise
from potential.training.parts import Parts
from potential.training.regression import StreamingQR, solve
from potential.validation.row_store import Prepared, RowStore
from potential.validation.subsets import Key, Subset


class SubsetFits:
    """groups: of labels whose noise levels are found for each subset by itself, if there are any.

    prepared is of the levels that the search begins with.
    """

    def __init__(self, prepared: Prepared, groups: LevelGroups | None):
        self.prepared, self.warnings = prepared, list[str]()
        self._groups = groups or LevelGroups(prepared.settings.noise, ())
        self._levels: dict[Key, list[float]] = {}  # of the groups

    def models(
        self, store: RowStore, parts: Iterable[Subset]
    ) -> dict[Key, tuple[np.ndarray, np.ndarray]]:
        """(weights, e0) of each fit; one stream of rows per group of labels and repeat."""
        prepared, models = self.prepared, {}
        jitter = prepared.settings.solver.jitter
        qrs, n_structures = self._streams(), Counter[int]()
        for subset in parts:
            if subset.is_first:
                qrs, n_structures = self._streams(), Counter()
            for k, rows in zip(subset.added, store.rows(subset.added), strict=True):
                for g, part in self._groups.parts(prepared.train[k]):
                    qrs[g].add(rows[part, :-1], rows[part, -1])
                    n_structures[g] += 1
            e0 = prepared.e0([prepared.train[k] for k in subset.taken])
            if len(self._groups):
                weights = self._with_noise(subset, qrs, n_structures, e0)
            else:
                weights = prepared.solve([qrs[0].triangle()], e0, jitter).weights
            models[subset.key] = weights, e0
        return models

    def levels(self, shape: Key) -> dict[str, np.ndarray]:
        """(n_sizes, repeats) the levels that were found, by their keys in [noise]; nan where there
        is no fit."""
        found = {group.words: np.full(shape, np.nan) for group in self._groups.groups}
        for key, levels in self._levels.items():
            for array, level in zip(found.values(), levels, strict=True):
                array[key] = level
        return found

    def _streams(self) -> list[StreamingQR]:
        return [StreamingQR(self.prepared.width) for _ in range(1 + len(self._groups))]

    def _with_noise(
        self,
        subset: Subset,
        qrs: list[StreamingQR],
        n_structures: Counter[int],
        e0: np.ndarray,
    ) -> np.ndarray:
        """The weights at the levels that are most likely for a subset, in which there may be too
        few structures for some groups to have their own."""
        prepared, groups = self.prepared, self._groups.groups
        names = [(group.label, group.config_types[0]) for group in groups]
        counts = {name: n_structures[g] for g, name in enumerate(names, 1)}
        coarse = LevelGroups.counted(self._groups.noise, counts)
        places = [0, *(coarse.number(*name) for name in names)]
        pieces: list[list[np.ndarray]] = [[] for _ in range(1 + len(coarse))]
        n_rows = [0] * len(pieces)
        for place, qr in zip(places, qrs, strict=True):
            if qr.n_rows:
                pieces[place].append(qr.triangle())
                n_rows[place] += qr.n_rows
        parts = Parts([[prepared.collapse(own, e0)] for own in pieces], n_rows)
        jitter = prepared.settings.solver.jitter
        found = find_noise(coarse, parts, prior_factor(prepared.K_MM, jitter))
        self._note(subset, found)
        self._levels[subset.key] = [
            coarse.groups[place - 1].start * found.scales[place - 1] if place else np.nan
            for place in places[1:]
        ]
        return solve(parts.triangle(found.scales).R, prepared.K_MM, jitter, overwrite=True).weights

    def _note(self, subset: Subset, found: FoundNoise) -> None:
        """What there is to say, once for every size."""
        if subset.key[1] == 0:
            n = len(subset.taken)
            self.warnings += [f"{n} structures: {text}" for text in found.warnings]
