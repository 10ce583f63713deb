# SPDX-License-Identifier: BSD-3-Clause
"""The pass over the training structures: their rows go into one triangle per rank."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.training.checkpoint import Checkpoint, deferred_interrupts
from potential.training.choice import Choice
from potential.training.regression import StreamingQR, Triangle, merge
from potential.training.rows import row_cost, weighted_rows


def accumulate(
    choice: Choice,
    structures: Sequence[Structure],
    settings: FitSettings,
    ranks: Ranks,
    progress: Progress = silent,
    checkpoint: Checkpoint | None = None,
) -> Triangle:
    """The triangle of the rows of all structures; only the first rank's is that of all ranks.

    Its warnings are of checkpoints that could not be written, on any rank. Raises
    KeyboardInterrupt, with the checkpoint written, when the process is told to stop, and
    SoapGprError when it cannot be written then.
    """
    model = choice.model
    mine = [structures[k] for k in ranks.share(structures, lambda s: row_cost(s, model.cutoff))]
    qr = StreamingQR(model.n_weights)

    def added(done: int) -> Iterator[None]:
        return _added(qr, model, mine[done:], settings, progress)

    with ranks.together():
        warning = add_all([qr], added, len(mine), choice, checkpoint)
    R = qr.finish()
    ranks.combine(R, lambda other: merge(R, other))
    return Triangle(R, sum(ranks.all_gather(qr.n_rows)), said_on(ranks, warning))


def said_on(ranks: Ranks, warning: str) -> list[str]:
    """What each rank has to say, known to all of them; "" is nothing."""
    return [said for said in ranks.all_gather(warning) if said]


def _added(
    qr: StreamingQR,
    model: TrainingModel,
    structures: Sequence[Structure],
    settings: FitSettings,
    progress: Progress,
) -> Iterator[None]:
    """Add the rows of structure after structure, and yield after each."""

    def rows_of(structure: Structure):
        return weighted_rows(model, structure, settings)

    for rows, targets in ordered_map(rows_of, progress(structures, "regression")):
        qr.add(rows, targets)
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
