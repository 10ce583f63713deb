# SPDX-License-Identifier: BSD-3-Clause
"""The first half of a fit: sparse points, and the rows of the structures in triangles."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from potential.runtime.progress import Progress
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings
from potential.structures.structure import Structure
from potential.training.accumulation import accumulate, said_on
from potential.training.auto_noise import LevelGroups, level_groups
from potential.training.baseline import isolated_atom_energies
from potential.training.blocks import Blocks, dealt
from potential.training.checkpoint import Checkpoint, digest
from potential.training.choice import Choice, common_choice
from potential.training.data import FitData, require_known_species
from potential.training.factor_store import FactorStore
from potential.training.maps import set_apart
from potential.training.memory import require_possible
from potential.training.parts import Parts
from potential.training.rows import KeptRows
from potential.training.uncertainty import kept_rows


@dataclass(frozen=True)
class FitRows:
    """What the rows of a fit became, and of which structures they were."""

    data: FitData
    ordered: list[Structure]
    choice: Choice
    parts: Parts
    e0: np.ndarray
    groups: LevelGroups | None  # of labels whose noise levels are to be found
    blocks: Blocks | None
    kept: KeptRows | None = None
    state: Checkpoint | None = None
    store: FactorStore | None = None


def made_rows(
    asked: FitSettings,
    settings: FitSettings,
    data: FitData,
    ranks: Ranks,
    progress: Progress,
    checkpoint: str | Path | None,
    seconds: dict[str, float],
) -> FitRows:
    """Of all structures; settings: those asked for with numbers for all noise levels."""
    apart, ordered = set_apart(settings, data.ordered)
    data, groups = data.without(apart), level_groups(asked, ordered)
    blocks = dealt(settings, ordered)
    # Rows are kept over the levels of the fit, which there are not yet where they are to be found.
    kept = kept_rows(settings, ordered) if groups is None else None
    state = fit_checkpoint(checkpoint, asked, [*ordered, *apart], ranks)
    with timed(seconds, "sparse points"):
        stored = state.choice if state else None
        choice = common_choice(settings, ordered, ranks, progress, stored, apart)
    require_possible(choice.model, ordered, settings, ranks, groups=groups)
    of = choice, ordered, settings, ranks, progress, state, blocks, kept, groups
    with timed(seconds, "regression"):
        parts = accumulate(*of)
    e0 = choice.model.arrays["e0"]
    return FitRows(data, ordered, choice, parts, e0, groups, blocks, kept, state)


def stored_rows(
    asked: FitSettings,
    settings: FitSettings,
    data: FitData,
    ranks: Ranks,
    progress: Progress,
    factor: str | Path,
    seconds: dict[str, float],
) -> FitRows:
    """With a factor in a file: of structures that it lacks."""
    ordered = data.ordered
    store, choice, said = stored_choice(factor, settings, ordered, ranks, progress, seconds)
    with settings.placing():
        e0 = isolated_atom_energies(settings.baseline, ordered, choice.model.species)
    groups = level_groups(asked, ordered)
    parts = ranks.from_first(lambda: store.parts(settings, e0, groups))
    parts = replace(parts, warnings=said)
    return FitRows(data, ordered, choice, parts, e0, groups, store.blocks, store=store)


def fit_checkpoint(
    path: str | Path | None, settings: FitSettings, train: Sequence[Structure], ranks: Ranks
) -> Checkpoint | None:
    """The state of a fit under way, if it is to be kept."""
    if path is None:
        return None
    with ranks.together():
        problem = digest(settings, train)
        checkpoint = Checkpoint(path, ranks, problem, targets=bool(settings.targets))
    return checkpoint


def stored_choice(
    path: str | Path,
    settings: FitSettings,
    train: Sequence[Structure],
    ranks: Ranks,
    progress: Progress,
    seconds: dict[str, float],
) -> tuple[FactorStore, Choice, list[str]]:
    """The factor of all structures, with rows of new ones alone, its choice, and warnings."""
    with ranks.together():
        store = FactorStore(path, settings)
        new = store.new(train)
        if store.choice:
            require_known_species(store.choice.model.species, new)
    with timed(seconds, "sparse points"):
        choice = store.choice or common_choice(settings, train, ranks, progress)
    require_possible(choice.model, train, settings, ranks, factor=True)
    with timed(seconds, "regression"):
        store.add(choice, new, settings, ranks, progress)
    return store, choice, said_on(ranks, store.save() if ranks.is_first and new else "")


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Enter the time that a step takes."""
    start = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - start, 3)
