# SPDX-License-Identifier: BSD-3-Clause
"""What [uncertainty] adds to a fit: the committee, variances and their calibration
(docs/theory.md section 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from potential.model.uncertainty import Uncertainty
from potential.runtime.progress import Progress
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings, UncertaintySettings
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.terms.prior import prior_factor
from potential.training.accumulation import share_of
from potential.training.blocks import Blocks, fitted, in_fixed_order
from potential.training.regression import Triangle
from potential.training.residuals import (
    MOST_GRADIENTS,
    MOST_KEPT,
    MOST_TESTED,
    Fit,
    Found,
    Residuals,
    joined,
)
from potential.training.rows import KeptRows
from potential.uncertainty.calibration import COMMITTEE, RIGIDITY, VARIANCE, Calibration
from potential.uncertainty.committee import deviations, drawn, member_arrays
from potential.uncertainty.projected_process import NotFollowed, edges, inverse, variance_arrays
from potential.uncertainty.whitened import WhitenedBlocks


@dataclass(frozen=True)
class Measured:
    """The model with its measures, and what there is to record and to say of them."""

    model: TrainingModel
    record: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def calibrated(settings: FitSettings, structures: Sequence[Structure]) -> list[Structure]:
    """The training structures on which scales are found."""
    assert settings.uncertainty is not None
    return in_fixed_order(fitted(settings, structures))[: settings.uncertainty.calibration]


def kept_rows(settings: FitSettings, structures: Sequence[Structure]) -> KeptRows | None:
    """Room for the rows of the ``calibrated`` ones of all training structures."""
    if settings.uncertainty is None:
        return None
    return KeptRows(calibrated(settings, structures), MOST_KEPT)


@dataclass(frozen=True)
class FullFit:
    """A fit with [uncertainty], and what its measures are made of."""

    model: TrainingModel
    weights: np.ndarray  # of the full fit
    # On the first rank: of the problem with its prior, and those of the blocks, which are used up.
    triangle: Triangle
    blocks: Blocks
    settings: FitSettings
    train: Sequence[Structure]
    test: Sequence[Structure]
    ranks: Ranks
    progress: Progress
    kept: KeptRows | None = None  # rows of ``calibrated`` structures

    @property
    def own(self) -> UncertaintySettings:
        assert self.settings.uncertainty is not None
        return self.settings.uncertainty

    @property
    def R(self) -> np.ndarray:
        """(M, M), on the first rank."""
        return self.triangle.R[:-1, :-1]


def with_uncertainty(problem: FullFit) -> Measured:
    """The model with the measures that [uncertainty] asks for."""
    model, own, ranks = problem.model, problem.own, problem.ranks
    triangle, blocks, settings = problem.triangle, problem.blocks, problem.settings
    with ranks.together():
        U = prior_factor(model.kernel_matrix(), settings.solver.jitter)
        first = WhitenedBlocks(triangle.R, U, triangle.blocks) if ranks.is_first else None
    members, has = _members(own, first, blocks.n_blocks, ranks)
    left = NotFollowed(model, U) if own.variance else None
    calibration = _calibration(problem, first, members, has, left)
    del first
    arrays, seen = dict[str, np.ndarray](), tuple[float, ...]()
    if own.committee:
        arrays |= member_arrays(model, deviations(members[: own.committee]))
    if left is not None:
        arrays |= ranks.from_first(lambda: variance_arrays(model, problem.R, U))
        with ranks.together():  # shared as rows were
            mine = fitted(settings, share_of(ranks, problem.train, model))
            largest = edges(model, left, arrays, mine, problem.progress)
        seen = tuple(np.max(ranks.all_gather(largest), axis=0).tolist())
    measures = Uncertainty(
        own.committee,
        calibration.scales(COMMITTEE) if own.committee else None,
        calibration.scales(VARIANCE) if own.variance else None,
        calibration.scales(RIGIDITY) if own.variance else None,
        seen,
    )
    record = {"blocks": blocks.n_blocks, "kind": blocks.kind} | calibration.record
    return Measured(model.with_uncertainty(measures, arrays), record, calibration.warnings)


def _members(
    own: UncertaintySettings, first: WhitenedBlocks | None, n_blocks: int, ranks: Ranks
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (2 C, M) of the C members, and of as many more, and the blocks (2 C, n_blocks) that
    they have."""
    if own.committee == 0:
        return np.zeros((0, 0)), np.zeros((0, n_blocks), dtype=bool)
    has = drawn(n_blocks, own.committee, own.seed)

    def weights() -> np.ndarray:
        assert first is not None
        return first.committee([np.flatnonzero(row) for row in has])

    return ranks.from_first(weights), has


def _calibration(
    problem: FullFit,
    first: WhitenedBlocks | None,
    members: np.ndarray,
    has: np.ndarray,
    left: NotFollowed | None,
) -> Calibration:
    """Errors of each block by the fit without it, and of test structures by the full fit."""
    ranks, own, settings = problem.ranks, problem.own, problem.settings
    train = calibrated(settings, problem.train)
    test = in_fixed_order(fitted(settings, problem.test))[:MOST_TESTED]
    gradients = (*train[:MOST_GRADIENTS], *test[: MOST_GRADIENTS // 2])
    residuals = Residuals(problem.model, settings, left, gradients, problem.kept)
    found = list[Found]()
    # rows that are kept are on the rank that made them
    of_rank = {id(structure) for structure in share_of(ranks, problem.train, problem.model)}

    def without(b: int) -> tuple[np.ndarray, np.ndarray | None]:
        assert first is not None
        return first.without(b, own.variance)

    for b in problem.progress(range(problem.blocks.n_blocks), "calibration"):
        weights, T = ranks.from_first(partial(without, b))
        unseeing = members[~has[:, b]] if own.committee else None
        mine = [s for s in train if problem.blocks[s] == b and id(s) in of_rank]
        with ranks.together():
            found += residuals.of(mine, Fit(weights, unseeing, T))
    of_model = members[: own.committee] if own.committee else None
    T = ranks.from_first(lambda: inverse(problem.R)) if own.variance else None
    with ranks.together():
        fit = Fit(problem.weights, of_model, T)
        tested = residuals.of(test[ranks.rank :: ranks.size], fit)
    return Calibration(joined(ranks, found), joined(ranks, tested))
