# SPDX-License-Identifier: BSD-3-Clause
"""The pass over the training structures: their rows go into one triangle per rank."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.training.auto_noise import LevelGroups
from potential.training.blocks import Blocks
from potential.training.checkpoint import Checkpoint, deferred_interrupts
from potential.training.choice import Choice
from potential.training.parts import Parts
from potential.training.regression import StreamingQR, Triangle, merge
from potential.training.rows import KeptRows, row_cost, weighted_rows

_ALL = ((0, slice(None)),)  # rows in one group


def accumulate(
    choice: Choice,
    structures: Sequence[Structure],
    settings: FitSettings,
    ranks: Ranks,
    progress: Progress = silent,
    checkpoint: Checkpoint | None = None,
    blocks: Blocks | None = None,
    kept: KeptRows | None = None,
    groups: LevelGroups | None = None,
) -> Parts:
    """Triangles of the rows of all structures, those of ``groups`` and ``blocks`` by themselves.
    kept: is offered the rows.

    Its warnings are of checkpoints that could not be written, on any rank. Raises
    KeyboardInterrupt, with the checkpoint written, when the process is told to stop, and
    SoapGprError when it cannot be written then.
    """
    model = choice.model
    mine = share_of(ranks, structures, model)
    n_blocks = blocks.n_blocks if blocks else 1
    n_groups = len(groups) if groups else 0
    qrs = [[StreamingQR(model.n_weights) for _ in range(n_blocks)] for _ in range(1 + n_groups)]

    def added(done: int) -> Iterator[None]:
        return _added(qrs, groups, blocks, kept, model, mine[done:], settings, progress)

    with ranks.together():
        warning = add_all([qr for own in qrs for qr in own], added, len(mine), choice, checkpoint)
    found = [_gathered(own, ranks) for own in qrs]
    triangles, n_rows = [own for own, _ in found], [n for _, n in found]
    return Parts(triangles, n_rows, blocks is not None, said_on(ranks, warning))


def share_of(
    ranks: Ranks, structures: Sequence[Structure], model: TrainingModel
) -> list[Structure]:
    """The structures of which this rank makes the rows."""
    return [structures[k] for k in ranks.share(structures, lambda s: row_cost(s, model.cutoff))]


def of_all_ranks(qrs: Sequence[StreamingQR], ranks: Ranks, by_block: bool) -> Triangle:
    """The triangle of all rows, on the first rank, and by_block those of the blocks, or else there
    is one."""
    triangles, n_rows = _gathered(qrs, ranks)
    return Triangle.of_blocks(triangles, n_rows) if by_block else Triangle(triangles[0], n_rows)


def _gathered(qrs: Sequence[StreamingQR], ranks: Ranks) -> tuple[list[np.ndarray], int]:
    """Each triangle of the rows of all ranks, on the first, and the number of all rows."""
    n_rows, triangles = sum(ranks.all_gather(sum(qr.n_rows for qr in qrs))), []
    for qr in qrs:
        triangles.append(R := qr.finish())
        ranks.combine(R, partial(merge, R))
    return triangles, n_rows


def said_on(ranks: Ranks, warning: str) -> list[str]:
    """What each rank has to say, known to all of them; "" is nothing."""
    return [said for said in ranks.all_gather(warning) if said]


def _added(
    qrs: Sequence[Sequence[StreamingQR]],
    groups: LevelGroups | None,
    blocks: Blocks | None,
    kept: KeptRows | None,
    model: TrainingModel,
    structures: Sequence[Structure],
    settings: FitSettings,
    progress: Progress,
) -> Iterator[None]:
    """Add the rows of structure after structure, and yield after each."""

    def rows_of(structure: Structure):
        return structure, *weighted_rows(model, structure, settings)

    for structure, rows, targets in ordered_map(rows_of, progress(structures, "regression")):
        if kept is not None:
            kept.offer(structure, rows, targets)
        if len(rows):
            b = blocks[structure] if blocks else 0
            for k, part in groups.parts(structure) if groups else _ALL:
                qrs[k][b].add(rows[part], targets[part])
        yield


def add_all(
    qrs: Sequence[StreamingQR],
    added: Callable[[int], Iterator[None]],
    n_structures: int,
    choice: Choice,
    checkpoint: Checkpoint | None,
) -> str:
    """Add the rows of all structures to the triangles, going on from a checkpoint where there is
    one; why that could not be written at some time, or "".

    added: adds structure after structure, from the one with this number on, and yields after each.
    Raises as ``accumulate``.
    """
    if checkpoint is None:
        for _ in added(0):
            pass
        return ""
    done, warning = checkpoint.resume(qrs, n_structures), ""
    with deferred_interrupts() as received:
        for _ in added(done):
            done += 1
            if received:
                checkpoint.save(choice, qrs, done)
                raise KeyboardInterrupt
            warning = checkpoint.save_at_times(choice, qrs, done) or warning
        return checkpoint.save_at_times(choice, qrs, done, now=True) or warning
