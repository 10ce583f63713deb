# SPDX-License-Identifier: BSD-3-Clause
"""The step of a loop that selects what is labelled of what was sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase
import numpy as np

from potential.active_learning.frames import bare
from potential.active_learning.physical import TOO_UNCERTAIN
from potential.active_learning.selected import Selected
from potential.active_learning.selection import features_of, select_structures
from potential.active_learning.settings import LimitSettings, SelectSettings
from potential.active_learning.settings.loop import RANDOM
from potential.model import Model
from potential.runtime.progress import Progress, silent
from potential.structures.read import geometries
from potential.structures.structure import Structure
from potential.uncertainty.of_structures import measure_of, structure_uncertainties


@dataclass(frozen=True)
class Chosen:
    """Frames to label, with their sources, and the record of the choice."""

    frames: list[ase.Atoms]
    record: dict[str, Any]


def choose(
    pool: Sequence[tuple[ase.Atoms, str]],
    model: Path,
    train: Sequence[Structure],
    n: int,
    select: SelectSettings,
    limits: LimitSettings,
    *,
    seed: int,
    progress: Progress = silent,
) -> Chosen:
    """At most n of the pool by the settings. Raises SoapGprError as ``measure_of`` and
    ``select_structures``."""
    if select.by == RANDOM:
        return _at_random(pool, n, seed)
    read = Model.load(model)
    by = measure_of(read, str(model), select.by)
    structures = geometries(pool)
    measured = structure_uncertainties(read, structures, by, progress)
    most = np.inf if limits.uncertainty is None else limits.uncertainty
    kept = [k for k, own in enumerate(measured) if own.score <= most]
    events = {TOO_UNCERTAIN: len(pool) - len(kept)} if len(kept) < len(pool) else {}
    if not kept:
        return Chosen([], {"by": by, "pool": len(pool), "events": events, "selected": []})
    selected = Selected(
        by,
        [pool[k][0] for k in kept],
        [structures[k] for k in kept],
        [measured[k] for k in kept],
        select_structures(
            features_of(read, str(model)),
            [structures[k] for k in kept],
            [measured[k].score for k in kept],
            n,
            train=train,
            fraction=select.fraction,
            threshold=select.threshold,
            progress=progress,
        ),
    )
    return Chosen(selected.chosen_frames(), selected.to_json() | {"events": events})


def _at_random(pool: Sequence[tuple[ase.Atoms, str]], n: int, seed: int) -> Chosen:
    rng = np.random.default_rng(seed)
    places = np.sort(rng.choice(len(pool), min(n, len(pool)), replace=False))
    frames = [bare(*pool[k]) for k in places.tolist()]
    record = {
        "by": RANDOM,
        "pool": len(pool),
        "events": {},
        "selected": [
            {"frame": pool[k][1], "config_type": pool[k][0].info.get("config_type", "default")}
            for k in places.tolist()
        ],
    }
    return Chosen(frames, record)
