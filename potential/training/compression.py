# SPDX-License-Identifier: BSD-3-Clause
"""What [compress] makes of a fitted model (docs/compression.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from potential.model.compression import NothingToGain, compress
from potential.runtime.progress import Progress
from potential.runtime.ranks import Ranks
from potential.settings import CompressSettings, FitSettings
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.training.accumulation import accumulate
from potential.training.blocks import in_fixed_order
from potential.training.choice import Choice
from potential.training.provenance import solved
from potential.training.regression import solve

# Atoms of the structures that changes are measured on, where each of them is not larger: forces of
# so many take a second or less, and they are evaluated about ten times.
MOST_ATOMS = 20_000


@dataclass(frozen=True)
class Compressed:
    """A model in fewer dimensions, or as it was where that would not be quicker, with what there
    is to say; record: of the regression, where weights were fitted again."""

    model: TrainingModel
    warnings: list[str] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)


def compressed(
    model: TrainingModel,
    settings: FitSettings,
    train: Sequence[Structure],
    ranks: Ranks,
    progress: Progress,
    delta: float | None = None,
) -> Compressed:
    """What [compress] asks for, on all ranks; the model itself without the table.

    settings: with the noise levels of the fit; delta: as of ``Parts.triangle``, None where no
    weights are to be fitted again. Raises SoapGprError as ``solve``.
    """
    own = settings.compress
    if own is None:
        return Compressed(model)
    structures = measured_on(own, train)

    def make() -> Compressed:
        try:
            found = compress(
                model, structures, own.force, progress, target_tolerance=own.target_tolerance
            )
        except NothingToGain as error:
            return Compressed(model, [f"[compress]: {error}"])
        assert isinstance(found.model, TrainingModel)
        return Compressed(found.model)

    found = ranks.from_first(make)
    if not own.refit or delta is None or not found.model.compressed:
        return found
    return _refitted(model, found.model, settings, train, ranks, progress, delta)


def _refitted(
    fitted: TrainingModel,
    smaller: TrainingModel,
    settings: FitSettings,
    train: Sequence[Structure],
    ranks: Ranks,
    progress: Progress,
    delta: float,
) -> Compressed:
    """With the weights of a regression in the dimensions of the smaller model, whose prior is that
    of the fitted one: K_MM of all its features, which it alone has."""
    triangle = accumulate(Choice(smaller), train, settings, ranks, progress).triangle(delta=delta)
    jitter = settings.solver.jitter
    solution = ranks.from_first(
        lambda: solve(triangle.R, fitted.kernel_matrix(), jitter, overwrite=True)
    )
    record = smaller.metadata["provenance"]
    made = record | {"compression": record["compression"] | {"refitted": True}}
    model = smaller.with_weights(solution.weights).with_record(provenance=made)
    return Compressed(model, [], solved(solution, triangle.n_rows, delta))


def require_rows(settings: FitSettings, factor: object) -> None:
    """Raise SoapGprError when weights are to be fitted again and no rows of old structures are to
    be made."""
    own = settings.compress
    if factor is not None and own is not None and own.refit:
        raise (
            own.place()
            .at("refit")
            .says(
                "found true with a factor, expected false: it would make the rows of all structures"
            )
        )


def measured_on(settings: CompressSettings, train: Sequence[Structure]) -> list[Structure]:
    """The training structures on which changes are measured: some with every species, then of every
    config_type in turn, whatever the order of the files."""
    seen, turn = set[int](), Counter[str]()
    places = list[tuple[bool, int]]()
    ordered = in_fixed_order(train)
    for structure in ordered:
        species = set(np.unique(structure.numbers).tolist())
        places.append((species <= seen, turn[structure.config_type]))
        seen |= species
        turn[structure.config_type] += 1
    chosen, n_atoms = list[Structure](), 0
    for k in sorted(range(len(ordered)), key=places.__getitem__):
        room = len(chosen) < settings.structures and n_atoms + len(ordered[k]) <= MOST_ATOMS
        if not chosen or room:
            chosen.append(ordered[k])
            n_atoms += len(ordered[k])
    return chosen
