# SPDX-License-Identifier: BSD-3-Clause
"""What [compress] makes of a fitted model (docs/compression.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from potential.model.compression import NothingToGain, compress
from potential.runtime.progress import Progress
from potential.runtime.ranks import Ranks
from potential.settings import CompressSettings, FitSettings
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.training.blocks import in_fixed_order

# Atoms of the structures that changes are measured on, where each of them is not larger: forces of
# so many take a second or less, and they are evaluated about ten times.
MOST_ATOMS = 20_000


def compressed(
    model: TrainingModel,
    settings: FitSettings,
    train: Sequence[Structure],
    ranks: Ranks,
    progress: Progress,
) -> tuple[TrainingModel, list[str]]:
    """The model in fewer dimensions, as [compress] asks for, and warnings: that of all ranks, made
    on the first. It is the same model where that would not be quicker."""
    own = settings.compress
    if own is None:
        return model, []
    structures = measured_on(own, train)

    def make() -> tuple[TrainingModel, list[str]]:
        try:
            found = compress(
                model, structures, own.force, progress, target_tolerance=own.target_tolerance
            )
        except NothingToGain as error:
            return model, [f"[compress]: {error}"]
        assert isinstance(found.model, TrainingModel)
        return found.model, []

    return ranks.from_first(make)


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
