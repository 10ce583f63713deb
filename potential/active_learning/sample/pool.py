# SPDX-License-Identifier: BSD-3-Clause
"""Structures of files."""

from __future__ import annotations

import os
from pathlib import Path

from potential.active_learning.frames import bare
from potential.active_learning.sample.sampler import Known, Sampled, Sampler, Task
from potential.active_learning.settings import PoolSettings
from potential.schema import Place


class PoolSampler(Sampler):
    """All structures of files that were not selected before; their names do not depend on the
    folder that a loop is started in."""

    kind = "pool"

    def __init__(self, settings: PoolSettings, place: Place, known: Known):
        home = Path(place.source).parent
        found = known.read(settings.structures, place)
        self._frames = [(atoms, os.path.relpath(source, home)) for atoms, source in found]

    def run(self, task: Task) -> Sampled:
        left = [own for own in self._frames if own[1] not in task.taken]
        return Sampled([bare(atoms) for atoms, _ in left], [source for _, source in left])
