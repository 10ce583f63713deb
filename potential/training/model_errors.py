# SPDX-License-Identifier: BSD-3-Clause
"""Errors of a fitted model and shares of its terms, on all ranks, which share the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from potential.model import Model
from potential.model.evaluation import evaluate_structures
from potential.runtime.progress import Progress
from potential.runtime.ranks import Ranks
from potential.scores import metrics, properties
from potential.scores.shares import MOST_STRUCTURES, shares_to_json, term_shares, term_values
from potential.structures.structure import Structure
from potential.training.data import FitData

T = TypeVar("T")


def all_errors(
    model: Model, structures: Sequence[Structure], ranks: Ranks, progress: Progress, what: str
) -> tuple[metrics.Errors, properties.PropertyErrors]:
    """Of energies, forces and virials, and of targets."""
    if not structures:
        return {metrics.ALL: {}}, {}
    predictions = _of_all_ranks(
        lambda mine: evaluate_structures(model, mine, progress, what, labels_only=True),
        structures,
        ranks,
    )
    of_targets = properties.property_errors(model.targets, structures, predictions)
    return metrics.errors(structures, predictions), of_targets


def all_shares(model: Model, data: FitData, ranks: Ranks, progress: Progress) -> dict[str, Any]:
    """Shares of the terms for the record, where there are several: on test structures if there are
    any, and on no more than MOST_STRUCTURES, evenly spread."""
    name, structures = ("test", data.test) if data.test else ("train", data.train)
    structures = structures[:: -(-len(structures) // MOST_STRUCTURES)]
    if len(model.terms) < 2:
        return {}
    values = _of_all_ranks(lambda mine: term_values(model, mine, progress), structures, ranks)
    return {"term_shares": shares_to_json(term_shares(values), name, len(structures))}


def _of_all_ranks(
    values: Callable[[list[Structure]], list[T]], structures: Sequence[Structure], ranks: Ranks
) -> list[T]:
    """A value of every structure, on all ranks, which share the work."""
    mine = range(ranks.rank, len(structures), ranks.size)
    with ranks.together():
        own = values([structures[k] for k in mine])
    parts = ranks.all_gather(own)
    return [parts[k % len(parts)][k // len(parts)] for k in range(len(structures))]
