# SPDX-License-Identifier: BSD-3-Clause
"""Memory that a fit needs."""

from __future__ import annotations

from collections.abc import Sequence

from potential.errors import SoapGprError
from potential.runtime.memory import available_bytes
from potential.runtime.parallel import local_ranks, thread_count
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings
from potential.settings.uncertainty import USUAL_BLOCKS
from potential.structures.label_table import n_rows
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.training.auto_noise import LevelGroups
from potential.training.choice import require_weights
from potential.training.factor_store import factor_bytes
from potential.training.regression import BUFFER_ROWS
from potential.training.residuals import MOST_KEPT
from potential.training.target_problem import TargetProblem, require_priors


def regression_bytes(n_weights: int, n_atoms: int) -> int:
    """Peak memory of the regression on one rank: triangle, K_MM, its factor, rows in flight.

    Each thread holds the rows of a structure of n_atoms atoms, their copy over sigma and those of
    the structure before. Nothing here grows with the number of labels.
    """
    return solution_bytes(n_weights, n_rows(n_atoms))


def solution_bytes(n_weights: int, n_rows: int) -> int:
    """That of a regression in which a structure has so many rows at most."""
    matrices = 3 * n_weights**2 + 2 * BUFFER_ROWS * n_weights
    return 8 * (matrices + 3 * (thread_count() + 1) * n_rows * n_weights)


def target_bytes(sizes: Sequence[tuple[int, int]], n_blocks: int = 1) -> int:
    """Peak memory of the regressions of [[targets]] on one rank, of each its weights and the rows
    of a structure: the triangles of all of them, of each of the blocks, and the largest solution.
    """
    triangles = 8 * n_blocks * sum(n**2 + BUFFER_ROWS * n for n, _ in sizes)
    return triangles + max((solution_bytes(*own) for own in sizes), default=0)


def keeps_factor(settings: FitSettings) -> bool:
    """Whether the model keeps the triangle of the regression, which variances are made of too."""
    own = settings.uncertainty
    return settings.solver.keep_factor or (own is not None and own.variance)


def n_blocks(settings: FitSettings) -> int:
    """Blocks of structures that have triangles of their own."""
    return 1 if settings.dealing is None else settings.dealing.most_blocks


def kept_bytes(settings: FitSettings, n_weights: int) -> int:
    """Memory of the triangle in the model, packed and read again, and of the first one where there
    is a second regression; with blocks also of a triangle and rows that wait for each, and of fits
    without them; with [uncertainty] of members, and of the matrices of variances."""
    again = settings.compress is not None and settings.compress.refit
    matrices, more, M = 3.0 * keeps_factor(settings) + again, 0, n_weights + 1
    if settings.solver.sparse_tolerance is not None:
        matrices += 2 + 5 * min(thread_count(), n_blocks(settings))
    if settings.dealing is not None:
        matrices += n_blocks(settings)
        more += n_blocks(settings) * BUFFER_ROWS
    own = settings.uncertainty
    if own is None:
        return round(8 * (matrices * M**2 + more * M))
    matrices += 3 * thread_count() + 9 * own.variance
    more += 4 * max(own.committee, USUAL_BLOCKS)
    return round(8 * (matrices * M**2 + more * M)) + MOST_KEPT


def group_bytes(n_groups: int, settings: FitSettings, n_weights: int) -> int:
    """Memory of the triangles, and the rows that wait, of groups of labels whose noise levels are
    to be found, in each block, and of the matrices of the search."""
    M = n_weights + 1
    rows = n_groups * n_blocks(settings) * (M + BUFFER_ROWS)
    return 8 * M * (rows + 6 * M * (n_groups > 0))


def require_possible(
    model: TrainingModel,
    train: Sequence[Structure],
    settings: FitSettings,
    ranks: Ranks,
    *,
    factor: bool = False,
    groups: LevelGroups | None = None,
) -> None:
    """Raise SoapGprError when there is nothing to fit, labels of [[targets]] that cannot be, or not
    the memory for it.

    factor: whether triangles are kept for each label and config_type; groups: of labels that have
    triangles of their own.
    """
    require_weights(model)
    with ranks.together():
        require_priors(model, train, settings)
        n_atoms = max(len(structure) for structure in train)
        more = kept_bytes(settings, model.n_weights)
        more += group_bytes(len(groups or ()), settings, model.n_weights)
        more += sum(term.training_bytes for term in model.own_terms)
        if factor:
            of_targets = TargetProblem(model, settings).groups
            sizes = model.n_weights, len(model.species)
            more += factor_bytes(train, *sizes, of_targets, n_blocks(settings))
        require_memory(model.n_weights, n_atoms, more, ranks.size)


def require_memory(n_weights: int, n_atoms: int, more: int = 0, n_ranks: int = 1) -> None:
    """Raise SoapGprError when the regression, and as many bytes more, cannot fit into the memory
    that is free now. n_ranks: of the fit, of which those on this machine share its memory."""
    require_free(n_weights, regression_bytes(n_weights, n_atoms) + more, n_ranks)


def require_free(n_weights: int, needed: int, n_ranks: int = 1) -> None:
    """The same of as many bytes on each rank."""
    available = available_bytes()
    sharing = min(n_ranks, local_ranks())
    if available is not None and needed * sharing > available:
        each = f" on each of {sharing} ranks of this machine" if sharing > 1 else ""
        raise SoapGprError(
            f"the regression with {n_weights} weights in all needs about "
            f"{needed / 2**30:.1f} GiB{each} and {available / 2**30:.1f} GiB are free: lower "
            f"n_sparse{' or start fewer ranks' if sharing > 1 else ''}"
        )
