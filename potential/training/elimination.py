# SPDX-License-Identifier: BSD-3-Clause
"""Backward elimination of sparse points: the fewest with which labels of structures that are left
out are predicted as well as with all of them (docs/theory.md eq. 19a, 19b)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from potential.errors import SoapGprError
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings
from potential.terms import TrainingModel
from potential.terms.prior import prior_factor
from potential.training.regression import Triangle, with_prior
from potential.uncertainty.whitened import WhitenedBlocks

STEP = 0.05  # part of the sparse points that are left, taken away together
LEAST = 0.05  # part of all that is tried


@dataclass(frozen=True)
class Elimination:
    """The model with the sparse points that are kept, its triangle, which of the weights those are
    (M,), and what there is to record."""

    model: TrainingModel
    triangle: Triangle
    keep: np.ndarray
    record: dict[str, Any]


def eliminated(
    model: TrainingModel,
    triangle: Triangle,
    tolerance: float,
    settings: FitSettings,
    ranks: Ranks,
    progress: Progress,
) -> Elimination:
    """The fewest sparse points whose error of labels that are left out is at most 1 + tolerance
    times that of all, or of fewer where it is smaller.

    triangle: with blocks, on the first rank. Raises SoapGprError where a fit is singular.
    """

    def found() -> tuple[np.ndarray, dict[str, Any]]:
        U = prior_factor(model.kernel_matrix(), settings.solver.jitter, more_columns=1)
        R = with_prior(triangle.R, U)
        del U
        numbers = sizes(model.n_weights)
        errors = relative_errors(left_out_errors(R, triangle.blocks, progress))
        n = fewest(numbers, errors, tolerance)
        keep = left(R, numbers.index(n), model.sparse_sets)
        curve = {"weights": numbers, "errors": [round(float(own), 5) for own in errors]}
        return keep, {"tolerance": tolerance, "blocks": len(triangle.blocks), **curve}

    keep, record = ranks.from_first(found)
    with ranks.together():
        if ranks.is_first:
            triangle = replace(triangle, R=columns(triangle.R, keep))
            for b, own in enumerate(triangle.blocks):  # in place: others hold the list too
                triangle.blocks[b] = columns(own, keep)
    return Elimination(model.with_points(keep), triangle, keep, {"elimination": record})


def sizes(M: int) -> list[int]:
    """Numbers of weights that are tried, from M down."""
    found = [M]
    while found[-1] > max(1, LEAST * M):
        found.append(min(found[-1] - 1, int((1 - STEP) * found[-1])))
    return found


def fewest(numbers: Sequence[int], errors: Sequence[float] | np.ndarray, tolerance: float) -> int:
    """The last number before an error is for the first time above 1 + tolerance times the smallest
    until then: where few labels fit, errors may fall for long and then rise."""
    least = np.minimum.accumulate(errors)
    above = np.flatnonzero(np.asarray(errors) > (1.0 + tolerance) * least)
    return numbers[above[0] - 1 if len(above) else -1]


def stages(T: np.ndarray, v: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices (m,) of weights that are left, and their values (m,), for each of ``sizes``.

    T (M, M) and v (M,): of a regression with the weights T v and the matrix (T Tᵀ)⁻¹. What goes are
    always the weights without which its minimum rises least, each by itself, eq. (19a); the others
    are then those of the regression without them.
    """
    kept = np.arange(len(T))
    for m in sizes(len(T)):
        if m < len(kept):
            rises = (T @ v) ** 2 / np.einsum("ij,ij->i", T, T)
            order = np.argsort(-rises, kind="stable")
            stay = np.sort(order[:m])
            Q, _ = np.linalg.qr(T[order[m:]].T)
            T = T[stay]
            T -= (T @ Q) @ Q.T
            kept = kept[stay]
        yield kept, T @ v


def left_out_errors(R: np.ndarray, blocks: Sequence[np.ndarray], progress: Progress) -> np.ndarray:
    """Sums (n_blocks, n_sizes) of squared errors, over the expected ones, of the labels of each
    block by the fit without it, whose elimination has not seen them either.

    R (M + 1, M + 1): triangle of the full problem with its prior; blocks: those of [A_b y_b].
    """
    M = len(R) - 1

    def of_block(own: np.ndarray) -> np.ndarray:
        try:
            w, T = WhitenedBlocks(R, None, [own]).without(0)
        except SoapGprError as error:
            raise SoapGprError(f"[solver] sparse_tolerance: {error}, or leave it out") from None
        assert T is not None
        v = solve_triangular(T, w)
        return np.array([_misfit(own, kept, w, M) for kept, w in stages(T, v)])

    return np.array(list(ordered_map(of_block, progress(blocks, "elimination"))))


def relative_errors(squares: np.ndarray) -> np.ndarray:
    """(n_sizes,) The median over blocks (n_blocks, n_sizes) of root mean square errors over those
    with all points: a few labels with large errors are in a few blocks."""
    first = squares[:, :1]
    ratios = np.sqrt(np.divide(squares, first, out=np.ones_like(squares), where=first > 0))
    return np.median(ratios, axis=0)


def left(R: np.ndarray, stage: int, sets: Sequence[slice]) -> np.ndarray:
    """Which of the weights (M,) are left at a stage of the elimination from all labels; of sparse
    sets that lose all their points the last one stays, as no sparse set is without any."""
    last = np.zeros(len(R) - 1, dtype=np.int64)  # stage at which each weight is there
    for k, (kept, _) in enumerate(stages(*whole(R))):
        last[kept] = k
    keep = last >= stage
    for own in sets:
        if not keep[own].any():
            keep[own.start + int(np.argmax(last[own]))] = True
    return keep


def whole(R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """T and v of ``stages`` from the triangle (M + 1, M + 1) of a problem with its prior."""
    return solve_triangular(R[:-1, :-1], np.eye(len(R) - 1)), R[:-1, -1]


def columns(R: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """The triangle of the columns that a mask (M,) keeps, and of the targets."""
    return np.asfortranarray(np.linalg.qr(R[:, np.append(keep, True)], mode="r"))


def _misfit(R: np.ndarray, kept: np.ndarray, w: np.ndarray, M: int) -> float:
    every = np.zeros(M)
    every[kept] = w
    return float(np.sum((R[:, :M] @ every - R[:, M]) ** 2))
