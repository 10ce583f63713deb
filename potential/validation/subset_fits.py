# SPDX-License-Identifier: BSD-3-Clause
"""Fits of the potential to nested subsets of the training structures, from one set of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
        self._scales: dict[Key, list[float]] = {}  # of the levels of the groups

    def models(
        self, store: RowStore, parts: Iterable[Subset]
    ) -> dict[Key, tuple[np.ndarray, np.ndarray]]:
        """(weights, e0) of each fit; one stream of rows per group of labels and repeat."""
        prepared, models = self.prepared, {}
        jitter = prepared.settings.solver.jitter
        qrs = self._streams()
        for subset in parts:
            if subset.is_first:
                qrs = self._streams()
            for k, rows in zip(subset.added, store.rows(subset.added), strict=True):
                for g, part in self._groups.parts(prepared.train[k]):
                    qrs[g].add(rows[part, :-1], rows[part, -1])
            e0 = prepared.e0([prepared.train[k] for k in subset.taken])
            if len(self._groups):
                weights = self._with_noise(subset, qrs, e0)
            else:
                weights = prepared.solve([qrs[0].triangle()], e0, jitter).weights
            models[subset.key] = weights, e0
        return models

    def levels(self, shape: Key) -> dict[str, np.ndarray]:
        """(n_sizes, repeats) the levels that were found, by their keys in [noise]; nan where there
        is no fit."""
        found = dict[str, np.ndarray]()
        for g, group in enumerate(self._groups.groups):
            of = "" if group.config_type is None else f" of {group.config_type}"
            for name, start in group.levels().items():
                found[f"{name}{of}"] = own = np.full(shape, np.nan)
                for key, scales in self._scales.items():
                    own[key] = start * scales[g]
        return found

    def _streams(self) -> list[StreamingQR]:
        return [StreamingQR(self.prepared.width) for _ in range(1 + len(self._groups))]

    def _with_noise(self, subset: Subset, qrs: Sequence[StreamingQR], e0: np.ndarray) -> np.ndarray:
        """The weights at the levels that are most likely for a subset."""
        prepared, jitter = self.prepared, self.prepared.settings.solver.jitter
        triangles = [[prepared.collapse([qr.triangle()], e0)] for qr in qrs]
        parts = Parts(triangles, [qr.n_rows for qr in qrs])
        found = find_noise(self._groups, parts, prior_factor(prepared.K_MM, jitter))
        self._note(subset, found)
        self._scales[subset.key] = found.scales
        triangle = parts.triangle(found.scales, found.delta)
        return solve(triangle.R, prepared.K_MM, jitter, overwrite=True).weights

    def _note(self, subset: Subset, found: FoundNoise) -> None:
        """What there is to say, once for every size."""
        if subset.key[1] == 0:
            n = len(subset.taken)
            self.warnings += [f"{n} structures: {text}" for text in found.warnings]
