# SPDX-License-Identifier: BSD-3-Clause
"""k-fold cross-validation of [[targets]] from one pass over their rows."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from potential.errors import SoapGprError
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.settings import FitSettings
from potential.structures.structure import Structure
from potential.training.factor_store import factor_bytes
from potential.training.target_factors import TargetFactors, as_rows, collapsed, width
from potential.training.target_groups import Rows
from potential.training.target_priors import Prior
from potential.training.target_problem import TargetProblem, solved_weights


@dataclass(frozen=True)
class TargetErrors:
    """Errors of one target on the folds that were left out, in its unit."""

    rmse: float  # over all folds
    relative: float  # rmse over that of the means alone, eq. (23e) of all labels
    fold_rmse: list[float]  # nan where a fold has no label
    count: int  # labels


class TargetFolds:
    """Triangles of the rows of targets, by fold, as the labels are: fits to all folds but one, with
    any noise, scales and means, and the errors on that one need no rows again.

    Fold -1, of the isolated atoms, is in every fit.
    """

    def __init__(
        self, problem: TargetProblem, train: Sequence[Structure], part: np.ndarray, n_folds: int
    ):
        self._problem, self._train, self._part, self.n_folds = problem, train, part, n_folds
        self.groups = problem.groups
        self._by_weight = [np.ones(own.n_weights) for own in self.groups]
        self._factors = [TargetFactors(self.groups) for _ in range(n_folds + 1)]  # -1: the last
        self._triangles: list[dict[tuple[int, int], np.ndarray]] = []
        self._counts: list[dict[tuple[int, int], int]] = []
        self._K_MM: dict[tuple[tuple[int, int], ...], np.ndarray] = {}
        self._spread: list[float] = []

    @property
    def most_bytes(self) -> int:
        """Of all triangles, with the rows that wait for them."""
        return factor_bytes((), 0, 0, self.groups) * (self.n_folds + 1)

    @property
    def nbytes(self) -> int:
        """Of all triangles."""
        return sum(R.nbytes for own in self._triangles for R in own.values())

    def factor(self, progress: Progress = silent) -> None:
        """One pass over the rows."""
        problem = self._problem
        labelled = [
            (s, k) for s, k in zip(self._train, self._part.tolist(), strict=True) if s.targets
        ]
        found = ordered_map(problem.rows, progress([s for s, _ in labelled], "rows of targets"))
        for (_, fold), rows in zip(labelled, found, strict=True):
            self._factors[fold].add(rows)
        self._triangles = [
            {key: qr.finish() for key, qr in own.streams.items()} for own in self._factors
        ]
        self._counts = [
            {key: qr.n_rows for key, qr in own.streams.items()} for own in self._factors
        ]
        self._factors = []
        self._K_MM = {own.sets: own.kernel_matrix(problem.model) for own in self.groups}
        self._spread = [self._rms_about_means(h) for h in range(len(problem.targets))]

    def with_delta(self, ratios: Mapping[int, float]) -> TargetFolds:
        """Those of a fit that differs in the δ² of its terms by these ratios, which multiply
        columns of kernels and blocks of K_MM."""
        scaled = copy.copy(self)
        scaled.groups = [own.rescaled(ratios) for own in self.groups]
        of_groups = [own.by_weight(ratios) for own in self.groups]
        scaled._by_weight = [a * b for a, b in zip(self._by_weight, of_groups, strict=True)]
        scaled._K_MM = {
            own.sets: self._K_MM[own.sets] * ratio  # zero between terms
            for own, ratio in zip(self.groups, of_groups, strict=True)
        }
        return scaled

    def cross_validate(self, settings: FitSettings) -> dict[str, TargetErrors]:
        """Fit to all folds but one and test on that one, for every fold in turn.

        Of the settings only noise, scale and mean of targets and the jitter count. Raises
        SoapGprError when the labels of the other folds do not suffice.
        """
        problem = TargetProblem(self._problem.model, settings)
        found = {}
        for h, target in enumerate(settings.targets):
            squares, counts = np.zeros(self.n_folds), np.zeros(self.n_folds, dtype=int)
            for fold in range(self.n_folds):
                prior = problem.prior(h, self._without(fold))
                for g in self._problem.groups_of(h):
                    weights = self._weights(g, fold, prior, settings.solver.jitter)
                    squares[fold] += self._squares(g, fold, weights, prior.mean)
                    counts[fold] += self._count(g, fold)
            with np.errstate(invalid="ignore"):
                by_fold = np.sqrt(squares / counts)
            rmse = float(np.sqrt(squares.sum() / counts.sum()))
            errors = TargetErrors(rmse, rmse / self._spread[h], by_fold.tolist(), int(counts.sum()))
            found[target.name] = errors
        return found

    def _without(self, fold: int) -> list[Structure]:
        return [s for s, k in zip(self._train, self._part.tolist(), strict=True) if k != fold]

    def _weights(self, g: int, fold: int, prior: Prior, jitter: float) -> np.ndarray:
        """W of a fit without a fold."""
        group = self.groups[g]
        others = [k for k in range(-1, self.n_folds) if k != fold]
        triangles = ((a, R) for k in others for a, R in self._of_group(g, k))
        R = collapsed(group, triangles, prior)
        return solved_weights(group, R, prior, self._K_MM[group.sets], jitter)

    def _squares(self, g: int, fold: int, weights: np.ndarray, mean: np.ndarray) -> float:
        """Sum of the squared errors on a fold."""
        total = 0.0
        for a, R in self._of_group(g, fold):
            rows: Rows = as_rows(self.groups[g], a, R)
            total += float(np.sum((rows.K @ weights + rows.C @ mean - rows.y) ** 2))
        return total

    def _of_group(self, g: int, fold: int) -> list[tuple[int, np.ndarray]]:
        """Triangles of [K C y] by species."""
        scale = np.ones(width(self.groups[g]) + 1)
        scale[: self.groups[g].n_weights] = self._by_weight[g]
        own = sorted(self._triangles[fold].items())
        return [(a, R * scale) for (k, a), R in own if k == g]

    def _count(self, g: int, fold: int) -> int:
        return sum(n for (k, _), n in self._counts[fold].items() if k == g)

    def _rms_about_means(self, h: int) -> float:
        """Of all labels that are tested, about the mean of eq. (23e), whatever the settings."""
        plain = replace(self._problem.settings.targets[h], mean="species", scale=None)
        own = replace(self._problem.settings, targets=(plain,))
        prior = TargetProblem(self._problem.model, own).prior(0, self._train)
        squares, count = 0.0, 0
        for g in self._problem.groups_of(h):
            none = np.zeros(self.groups[g].n_weights)
            for fold in range(self.n_folds):
                squares += self._squares(g, fold, none, prior.mean)
                count += self._count(g, fold)
        if not count:
            raise SoapGprError(f"target {plain.name}: found labels of isolated atoms alone")
        return float(np.sqrt(squares / count))
