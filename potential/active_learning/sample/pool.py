# SPDX-License-Identifier: BSD-3-Clause
"""Structures of files."""

from __future__ import annotations

from collections.abc import Collection

from potential.active_learning.frames import bare
from potential.active_learning.sample.sampler import Sampled, Sampler, Task
from potential.active_learning.settings import PoolSettings
from potential.structures.read import read_frames


class PoolSampler(Sampler):
    """All structures of files that were not selected before."""

    kind = "pool"

    def __init__(self, settings: PoolSettings, beads: Collection[str]):
        self._frames = read_frames(settings.structures, beads)

    def run(self, task: Task) -> Sampled:
        left = [own for own in self._frames if own[1] not in task.taken]
        return Sampled([bare(atoms) for atoms, _ in left], [source for _, source in left])
