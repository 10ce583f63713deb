# SPDX-License-Identifier: BSD-3-Clause
"""Structures that are uncertain, unlike each other and unlike what a model was trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potential.descriptors.chosen import TermFeatures
from potential.errors import SoapGprError
from potential.maps.nearest import survey
from potential.maps.points import PointKernel, kernel_for, points_of
from potential.model import Model
from potential.runtime.progress import Progress, silent
from potential.selection.farthest import farthest_of
from potential.settings.terms import SEPARATE
from potential.structures.structure import Structure
from potential.terms.feature_term import FeatureTerm
from potential.terms.kinds import kind_of

FRACTION = 0.25  # of the pool, the most uncertain, among which the choice is made
LEAST = 2  # times as many as wanted are looked at, where there are so many


@dataclass(frozen=True)
class Selection:
    """Indices into the pool.

    candidates: the most uncertain, most first; duplicates: those of them that are near-duplicates
    of a training structure or of a candidate before them; chosen: the most uncertain first;
    distance: of each of these from the nearest training structure and from the nearest of the
    others that are chosen, inf without one.
    """

    candidates: np.ndarray
    duplicates: np.ndarray
    chosen: np.ndarray
    distance: np.ndarray
    threshold: float  # structures at most so far apart are duplicates


def select_structures(
    term: TermFeatures,
    pool: Sequence[Structure],
    scores: Sequence[float] | np.ndarray,
    n: int,
    *,
    train: Sequence[Structure] = (),
    fraction: float = FRACTION,
    threshold: float | None = None,
    progress: Progress = silent,
) -> Selection:
    """At most n of the pool: farthest points, in the space of a term's features, among those with
    the largest scores.

    scores (n_pool,): how uncertain each is. fraction: of the pool that is looked at, at least
    twice n. Training structures count as chosen already, and what is within ``threshold`` of one or
    of a candidate with a larger score is never chosen; its default is that of
    ``maps.nearest.survey``. Without training structures the one with the largest score is the
    first. Raises SoapGprError for scores that are not finite.
    """
    scores = np.asarray(scores, dtype=float)
    if not np.isfinite(scores).all():
        raise SoapGprError(
            f"{pool[int(np.argmin(np.isfinite(scores)))].source}: found an uncertainty that is not "
            "finite"
        )
    n_candidates = min(len(pool), max(math.ceil(fraction * len(pool)), LEAST * n))
    candidates = np.argsort(-scores, kind="stable")[:n_candidates]
    among = [*train, *(pool[k] for k in candidates)]
    n_train = len(train)
    points = points_of(term, among, kernel_of_structures(term), progress=progress)
    if len(among) < 2:
        return Selection(candidates, candidates[:0], candidates, np.array([np.inf]), 0.0)
    found = survey(points, threshold, progress=progress)
    distinct = np.flatnonzero(found.original[n_train:] < 0) + n_train
    # training structures first, and without any the most uncertain: these are taken already
    order = np.concatenate([np.arange(n_train), distinct])
    n_taken = n_train or 1
    wanted = min(n, len(distinct)) - (n_taken - n_train)
    taken = order[n_train:n_taken]
    if wanted > 0:
        own = points.own[order]
        more = farthest_of(
            own,
            lambda rows, columns: points.between(order[rows], order[columns]),
            wanted,
            n_taken=n_taken,
            progress=progress,
        )
        taken = np.concatenate([taken, order[more]])
    taken = np.sort(taken)  # candidates are in the order of their scores
    return Selection(
        candidates,
        candidates[np.flatnonzero(found.original[n_train:] >= 0)],
        candidates[taken - n_train],
        _distances(points, taken, n_train),
        found.threshold,
    )


def features_of(model: Model, name: str) -> TermFeatures:
    """The first term of the model that has features; name: what messages call the model.

    Raises SoapGprError without one.
    """
    for index, entry in enumerate(model.terms):
        if issubclass(kind_of(entry), FeatureTerm):
            return TermFeatures(model, index)
    raise SoapGprError(
        f"{name}: found no term with features, expected one of kind soap, acsf or product, in "
        "whose space structures differ"
    )


def kernel_of_structures(term: TermFeatures) -> PointKernel:
    """Of averaged features, with the power of the term; 1 for a product of kernels."""
    shared = term.entry.get("centers", SEPARATE) != SEPARATE
    zeta = term.entry.get("zeta", 1)
    return kernel_for(term, "model", shared, zeta=zeta)


def _distances(points, taken: np.ndarray, n_train: int) -> np.ndarray:
    """(n_taken,) from the nearest training point and the nearest other that is taken."""
    d = points.distances(taken, np.concatenate([np.arange(n_train), taken]))
    d[np.arange(len(taken)), n_train + np.arange(len(taken))] = np.inf
    return d.min(axis=1, initial=np.inf)
